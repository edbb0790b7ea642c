"""Objects that are removed, replaced, or change their length at a real source while they are copied."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from repatria.errors import Role
from repatria.model import FindingKind, Object
from repatria.source.objects import Selection, StoreSource
from repatria.store.registry import open_store
from tests.faults.making import client_of, fill
from tests.migrate.making import Job, Watched, folder_source, noise, write
from tests.servers import BUCKET, Server
from tests.work.making import MIB, read_chain, verify

BESIDE = {f"beside/{number}": noise(10_000 + number) for number in range(12)}
SMALL, LARGE = noise(300_000), noise(3 * MIB + 7)
CHANGES: dict[str, Callable[[bytes], bytes | None]] = {
    "removed": lambda old: None,
    "replaced": lambda old: old[::-1],
    "longer": lambda old: old + b"more",
    "shorter": lambda old: old[: len(old) // 2],
}


@dataclass
class Abroad:
    """A source with one object that changes, and whoever changes it."""

    source: Watched
    write: Callable[[bytes], None]
    remove: Callable[[], None]
    changed: list[bytes | None] = field(default_factory=list)

    def change(self, now: bytes | None) -> None:
        self.changed.append(now)
        if now is None:
            self.remove()
        else:
            self.write(now)


@pytest.fixture(
    params=[
        "folder",
        "sshd",
        "moto_s3",
        *(pytest.param(each, marks=pytest.mark.soak) for each in ("rclone_s3", "ceph_s3")),
    ]
)
def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[bytes], Abroad]]:
    made: list[Abroad] = []

    def make(data: bytes) -> Abroad:
        files = {**BESIDE, "it": data}
        if request.param == "folder":
            source, folder = folder_source(write(tmp_path / "abroad", files)), tmp_path / "abroad"
        else:
            server: Server = request.getfixturevalue(request.param)
            server.use(monkeypatch)
            place = server.new_place()
            fill(server, place, files)
            store = open_store(place, endpoint=server.endpoint, profile=server.profile, role=Role.SOURCE)
            source = StoreSource(store, place, Selection())
            if server.endpoint is not None:
                made.append(through_s3(source, server, place))
                return made[-1]
            assert server.folder is not None
            folder = server.folder / place.rpartition("/")[2]
        it = folder / "it"
        made.append(Abroad(Watched(source), lambda now: in_place(it, now), it.unlink))
        return made[-1]

    yield make
    for each in made:
        each.source.close()


def in_place(file: Path, now: bytes) -> None:
    """Write a file as most programs do: into the one that is there, a second after it was last written."""
    before = file.stat().st_mtime
    file.write_bytes(now)
    os.utime(file, (before + 1, before + 1))


def through_s3(source: StoreSource, server: Server, place: str) -> Abroad:
    client, key = client_of(server), f"{place.rpartition('/')[2]}/it"

    def put(now: bytes) -> None:
        client.put_object(Bucket=BUCKET, Key=key, Body=now)

    def remove() -> None:
        client.delete_object(Bucket=BUCKET, Key=key)

    return Abroad(Watched(source), put, remove)


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_under_the_copy_is_never_a_mixture(
    make: Callable[[bytes], Abroad], tmp_path: Path, change: str, size: str
) -> None:
    old = SMALL if size == "small" else LARGE
    abroad, new = make(old), CHANGES[change](old)

    def meddle(told: Object, at: int) -> None:
        if told.path == "it" and at >= len(old) // 3 and not abroad.changed:
            abroad.change(new)

    abroad.source.before_chunk = abroad.source.before_read = meddle
    job = Job([abroad.source], tmp_path / "state")
    result = job.run()
    assert abroad.changed == [new]
    held = read_chain(job.target)
    if (it := held.pop("it", None)) is None:
        assert [(each.kind, each.path) for each in result.findings] == [(FindingKind.CHANGED, "it")]
        assert new is None
    else:
        assert it in {old, new}
        assert result.findings == []
    assert held == BESIDE
    assert verify(job.target, job.state) == []
    job.run()
    assert read_chain(job.target) == (BESIDE if new is None else {**BESIDE, "it": new})
    assert verify(job.target, job.state) == []
