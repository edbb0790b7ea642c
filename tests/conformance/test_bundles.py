"""A chain of bundles on every kind of store: written, verified, read by ranges, and damage found."""

import os
from collections.abc import Iterator

import pytest

from repatria.bundle.chain import Chain
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.errors import CryptError, Role
from repatria.store.base import Store
from repatria.store.registry import open_store
from repatria.verify.dataset import DatasetCheck, Wish
from repatria.verify.report import BundleResult, Verdict
from repatria.verify.trust import Trust
from tests.bundle.making import DatasetMaker, file, symlink
from tests.conformance.test_stores import SERVERS
from tests.servers import Server

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
