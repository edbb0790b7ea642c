"""A chain of bundles on every kind of store: written, verified, read by ranges, and damage found."""

import io
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest

from repatria.bundle.chain import Chain
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.crypt.identity import generate
from repatria.crypt.seal import seal
from repatria.crypt.seek import DecryptingReader
from repatria.errors import CryptError, Role
from repatria.store.base import Reading, Store, StoredFile
from repatria.store.registry import open_store
from repatria.verify.dataset import DatasetCheck, Wish
from repatria.verify.report import BundleResult, Verdict
from repatria.verify.trust import Trust
from tests.bundle.making import DatasetMaker, file, symlink
from tests.conformance.test_stores import SERVERS
from tests.servers import Server

MIB = 1 << 20
BIG = os.urandom(2_500_000)


@pytest.fixture(params=["local", "rclone", "moto", "sftp"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    endpoint = profile = None
    uri = str(tmp_path_factory.mktemp("local") / "root")
    if request.param in SERVERS:
        server: Server = request.getfixturevalue(SERVERS[request.param])
        server.use(monkeypatch)
        uri, endpoint, profile = server.new_place(), server.endpoint, server.profile
    opened = open_store(uri, endpoint=endpoint, profile=profile, role=Role.TARGET)
    yield opened
    opened.close()


@pytest.fixture
def maker(store: Store) -> DatasetMaker:
    maker = DatasetMaker(store)
    maker.bundle([file("a/b", b"hello"), file("big", BIG), symlink("link", "a/b"), file("odd//name", b"odd")])
    maker.bundle([file("a/b", b"changed")], gone=["link"])
    return maker


def verdicts(maker: DatasetMaker, *, deep: bool) -> list[Verdict]:
    trust = Trust(AllowedSigners.parse(maker.signer.key.allowed_line("senum")))
    wish = Wish(deep=deep, identities=[maker.identity])
    told = DatasetCheck(maker.store, maker.dataset_id, trust, wish).run()
    return [each for each in told if not isinstance(each, BundleResult)]


def test_a_chain_is_written_verified_and_read(maker: DatasetMaker) -> None:
    assert verdicts(maker, deep=False) == []
    assert verdicts(maker, deep=True) == []
    chain = Chain.load(maker.store, maker.dataset_id, identities=[maker.identity])
    found = {row.path: b"".join(bundle.read_object(row)) for bundle, row in chain.objects()}
    assert found == {"a/b": b"changed", "big": BIG, "odd//name": b"odd"}
    place = chain.find("big")
    assert place is not None
    assert b"".join(place[0].read_object(place[1], 1_000_000, 600_000)) == BIG[1_000_000:1_600_000]
    chain.close()


def test_a_volume_cut_short_and_one_that_is_gone_are_found(maker: DatasetMaker) -> None:
    folder = f"{maker.dataset_id}/{maker.bundles[0]}/data"
    with maker.store.read(f"{folder}/vol-000002.tar.age") as reading:
        data = b"".join(reading.chunks)[:-70_000]
    for number in (1, 2):
        maker.store.delete(f"{folder}/vol-{number:06d}.tar.age")
    maker.store.put(f"{folder}/vol-000002.tar.age", [data], len(data))
    told = {each.subject.partition("/data/")[2]: str(each.finding.kind) for each in verdicts(maker, deep=False)}
    assert told == {"vol-000001.tar.age": "missing", "vol-000002.tar.age": "altered"}
    chain = Chain.load(maker.store, maker.dataset_id, identities=[maker.identity])
    place = chain.find("big")
    assert place is not None
    with pytest.raises(CryptError, match="vol-000002"):
        list(place[0].read_object(place[1], 2_000_000, 10_000))
    chain.close()


def test_an_age_file_is_a_file_that_seeks_wherever_it_lies(store: Store) -> None:
    """The property of tests/crypt/test_seek.py over ranges that really travel."""
    chance = random.Random(1984)  # noqa: S311 -- the same steps every time, not a secret
    payload = chance.randbytes(5 * 65_536 + 1234)
    identity = generate()
    sealed = bytes(seal(payload, [identity.recipient]).data)
    store.put("sealed", [sealed], len(sealed))
    told = store.stat("sealed")
    reader = DecryptingReader(StoredFile(store, told.path, told.size, told.version or None), [identity])
    plain = io.BytesIO(payload)
    for _step in range(60):
        whence = chance.choice((os.SEEK_SET, os.SEEK_CUR, os.SEEK_END))
        base = {os.SEEK_SET: 0, os.SEEK_CUR: plain.tell(), os.SEEK_END: len(payload)}[whence]
        offset = chance.randrange(len(payload) + 1000) - base
        assert reader.seek(offset, whence) == plain.seek(offset, whence)
        length = chance.choice((1, 100, 65_536, 200_000))
        assert reader.read(length) == plain.read(length)
        assert reader.tell() == plain.tell()


class Counting:
    """A store that remembers how many bytes of each file it gave."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.given: Counter[str] = Counter()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def read(self, path: str, start: int = 0, length: int | None = None, *, version: str | None = None) -> Reading:
        reading = self._store.read(path, start, length, version=version)
        return replace(reading, chunks=self._counted(path, reading))

    def _counted(self, path: str, reading: Reading) -> Iterator[bytes]:
        with reading:
            for chunk in reading.chunks:
                self.given[path.rpartition("/")[2]] += len(chunk)
                yield chunk


def test_one_small_object_takes_little_of_its_volume(store: Store) -> None:
    """What `cat` does, of the first, a middle and the last object of a volume of 64 MiB."""
    maker = DatasetMaker(store, volume_size=64 * MIB)
    contents = {"first": os.urandom(5000), "middle": os.urandom(5000), "last": os.urandom(5000)}
    fillers = [(f"{number}/filler", os.urandom(MIB)) for number in range(62)]
    named = [("first", contents["first"]), *fillers[:31], ("middle", contents["middle"]), *fillers[31:]]
    maker.bundle([file(name, data) for name, data in [*named, ("last", contents["last"])]])
    for path, content in contents.items():
        counting = Counting(store)
        chain = Chain.load(cast("Store", counting), maker.dataset_id, identities=[maker.identity])
        found = chain.find(path)
        assert found is not None
        bundle, row = found
        (place,) = bundle.places(row)
        assert place[1].payload_size > 60 * MIB
        assert b"".join(bundle.read_object(row)) == content
        chain.close()
        assert counting.given["vol-000001.tar.age"] < 300 * 1024
        assert sum(counting.given.values()) < 600 * 1024
