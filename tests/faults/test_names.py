"""Names, sizes and kinds that are awkward: from every source they arrive, and come back as they were."""

import os
import socket
import stat
from pathlib import Path

import pytest

from repatria.bundle.chain import Chain
from repatria.errors import Role
from repatria.migrate.restore import restore_objects
from repatria.source.objects import Selection, StoreSource
from repatria.store.registry import open_store
from tests.faults.making import client_of, fill
from tests.migrate.making import Job, folder_source, noise
from tests.servers import BUCKET, Server
from tests.work.making import IDENTITY, MIB, read_chain, verify

SIZES = {f"sizes/{size}": noise(size) for size in (0, 1, MIB - 2048, MIB - 1536, MIB - 1, MIB, MIB + 1, 2 * MIB + 1)}
KEYS = {
    name: f"what lies at {number}".encode()
    for number, name in enumerate(
        [
            "double//slash", "/first", "a", "a/b", "folder/full/", "../up", "./here", "a/../b", "-rf", "x.part-000001",
            "_names/own", "line\nbreak", "tab\t", "~", "%2F", "a+b c", "é", "e\u0301", "É", "Majuscule", "majuscule",
            "\u202egpj.exe", "CON", "back\\slash", "n" * 300, "x" * (1024 - 13), "é" * 505, "nul" + "\u0001",
        ]
    )
}  # fmt: skip
EMPTY = {"marker/": b"", "empty": b""}


def listed(server: Server, place: str) -> dict[str, bytes]:
    client, start = client_of(server), f"{place.rpartition('/')[2]}/"
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=start)
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    return {key.removeprefix(start): client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


@pytest.fixture(params=["moto_s3", pytest.param("ceph_s3", marks=pytest.mark.soak)])
def service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found.use(monkeypatch)


def copied(service: Server, files: dict[str, bytes], tmp_path: Path) -> Job:
    place = service.new_place()
    fill(service, place, files)
    store = open_store(place, endpoint=service.endpoint, profile=service.profile, role=Role.SOURCE)
    source = StoreSource(store, place, Selection())
    job = Job([source], tmp_path / "state")
    assert job.run().findings == []
    source.close()
    return job


def test_any_key_and_size_comes_home_and_back(service: Server, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    files = {**KEYS, **EMPTY, **SIZES}
    if service.process == request.getfixturevalue("moto_s3").process:
        del files["line\nbreak"]  # moto's routes do not match a line feed
    job = copied(service, files, tmp_path)
    assert read_chain(job.target) == files
    assert verify(job.target, job.state) == []
    place = service.new_place()
    into = open_store(place, endpoint=service.endpoint, profile=service.profile, role=Role.TARGET)
    chain = Chain.load(job.target, "d", identities=[IDENTITY])
    restored = list(restore_objects(chain, into))
    into.close()
    back = listed(service, place)
    assert {each.row.path: back[each.stored] for each in restored} == files
    assert [each.row.path for each in restored if each.renamed or each.finding] == ["_names/own"], "the table names it"


def test_a_dataset_of_no_bytes_is_a_bundle(service: Server, tmp_path: Path) -> None:
    job = copied(service, EMPTY, tmp_path)
    assert read_chain(job.target) == EMPTY
    assert verify(job.target, job.state) == []


ODD = [
    b"latin-\xe9", b"line\nbreak", b"a.part-000001", b"n" * 255, "é".encode(), "e\u0301".encode(), b"-rf", b"Case",
    b"case", b"_names", b" ", b"\xff\xfe", b"back\\slash", b"\x01\x7f",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["folder", "sshd"])
def test_a_tree_of_odd_names_links_and_devices(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    folder = tmp_path / "abroad"
    if kind == "folder":
        source = folder_source(folder)
    else:
        server: Server = request.getfixturevalue(kind)
        server.use(monkeypatch)
        assert server.folder is not None
        folder = server.folder / tmp_path.name
        place = f"{server.root_uri}/{tmp_path.name}"
        source = StoreSource(open_store(place, role=Role.SOURCE), place, Selection())
    expected = {os.fsdecode(name): name for name in ODD}
    for path, data in {**expected, **SIZES}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "hollow").mkdir()
    links = {"to file": "empty", "dangling": "/nowhere", "outside": "../../etc/passwd", "loop": "loop"}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    specials = make_specials(folder)
    job = Job([source], tmp_path / "state")
    result = job.run()
    source.close()
    assert {each.path for each in result.findings} == specials
    held = read_chain(job.target)
    assert held.pop("hollow") == b""
    assert {name: held.pop(name) for name in links} == {name: target.encode() for name, target in links.items()}
    assert held == {**expected, **SIZES}
    assert verify(job.target, job.state) == []


def make_specials(folder: Path) -> set[str]:
    """Make a pipe, a socket and, where this user may, a device; return their names."""
    os.mkfifo(folder / "pipe")
    here = Path.cwd()
    os.chdir(folder)  # the path of a socket may have no more than 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
    finally:
        os.chdir(here)
    if os.geteuid() != 0:
        return {"pipe", "socket"}
    os.mknod(folder / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    return {"pipe", "socket", "device"}
