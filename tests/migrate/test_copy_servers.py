"""Copies to and from real servers: S3 services and OpenSSH."""

from pathlib import Path

import pytest

from repatria.errors import Role
from repatria.source.base import ObjectSource
from repatria.source.objects import Selection, StoreSource
from repatria.store.base import Store
from repatria.store.registry import open_store
from tests.migrate.making import Job, folder_source, noise, write
from tests.servers import Server
from tests.work.making import MIB, read_chain, verify

FILES = {f"dossier {number % 4}/é{number}": noise(number * 3_001) for number in range(30)}
LARGE = noise(3 * MIB + 77)


@pytest.fixture(params=["rclone_s3", "moto_s3", "sshd"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found.use(monkeypatch)


def store_at(server: Server, uri: str, role: Role) -> Store:
    return open_store(uri, endpoint=server.endpoint, profile=server.profile, role=role)


def test_a_folder_goes_to_a_server_and_a_later_run_adds_what_changed(server: Server, tmp_path: Path) -> None:
    folder = write(tmp_path / "abroad", {**FILES, "large": LARGE})
    job = Job([folder_source(folder)], tmp_path / "state", store_at(server, server.new_place(), Role.TARGET))
    try:
        job.run()
        assert read_chain(job.target) == {**FILES, "large": LARGE}
        write(folder, {"large": b"now small"})
        (folder / "dossier 1/é1").unlink()
        result = job.run()
        assert (result.objects, result.gone) == (1, 1)
        assert job.run().uri is None
        expected = {**FILES, "large": b"now small"}
        del expected["dossier 1/é1"]
        assert read_chain(job.target) == expected
        assert verify(job.target, job.state) == []
    finally:
        job.target.close()


def test_a_server_s_objects_come_home(server: Server, tmp_path: Path) -> None:
    place = server.new_place()
    abroad = store_at(server, place, Role.TARGET)
    for path, data in {**FILES, "large": LARGE}.items():
        abroad.put(path, [data] if data else [], len(data))
    abroad.close()
    source: ObjectSource = StoreSource(store_at(server, place, Role.SOURCE), place, Selection())
    job = Job([source], tmp_path / "state", open_store(str(tmp_path / "vault")))
    try:
        assert job.run().findings == []
        assert read_chain(job.target) == {**FILES, "large": LARGE}
        assert job.run().uri is None
        assert verify(job.target, job.state) == []
    finally:
        source.close()
