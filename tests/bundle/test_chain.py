"""The dataset as it stood, told by a chain of bundles."""

import pytest

from repatria.bundle.chain import Chain, Fate
from repatria.bundle.errors import BrokenChainError
from repatria.errors import NotFoundError, RepatriaError, UsageError
from repatria.store.memory import MemoryStore
from tests.bundle.making import DatasetMaker, file


@pytest.fixture
def maker() -> DatasetMaker:
    maker = DatasetMaker(MemoryStore())
    maker.bundle([file("kept", b"1"), file("changed", b"1"), file("gone", b"1"), file("back", b"1")])
    maker.bundle([file("changed", b"2"), file("new", b"2")], gone=["gone", "back"])
    maker.bundle([file("back", b"3")], gone=["new"])
    return maker


def chain(maker: DatasetMaker, upto: str | None = None, *, only: bool = False) -> Chain:
    return Chain.load(maker.store, maker.dataset_id, upto, [maker.identity], only=only)


def standing(chain: Chain) -> dict[str, bytes]:
    return {row.path: b"".join(bundle.read_object(row)) for bundle, row in chain.objects()}


def test_the_dataset_as_it_stood_with_each_bundle(maker: DatasetMaker) -> None:
    first, second, third = maker.bundles
    assert standing(chain(maker, first)) == {"kept": b"1", "changed": b"1", "gone": b"1", "back": b"1"}
    assert standing(chain(maker, second)) == {"kept": b"1", "changed": b"2", "new": b"2"}
    assert standing(chain(maker, third)) == standing(chain(maker)) == {"kept": b"1", "changed": b"2", "back": b"3"}
    assert standing(chain(maker, second, only=True)) == {"changed": b"2", "new": b"2"}


def test_what_is_gone_is_still_there_for_who_asks(maker: DatasetMaker) -> None:
    when = "2024-01-31T20:00:00Z"
    fates = {(row.path, row.number): fate for _bundle, row, fate in chain(maker).history()}
    assert fates == {
        ("kept", 1): Fate(stands=True),
        ("changed", 2): Fate(stands=False),
        ("gone", 3): Fate(stands=False, gone_since=when),
        ("back", 4): Fate(stands=False, gone_since=when),
        ("changed", 5): Fate(stands=True),
        ("new", 6): Fate(stands=False, gone_since=when),
        ("back", 7): Fate(stands=True),
    }


def test_one_object_is_found_by_path_or_number(maker: DatasetMaker) -> None:
    linked = chain(maker)

    def found(path: str) -> int | None:
        place = linked.find(path)
        return place[1].number if place else None

    assert [found(path) for path in ("kept", "changed", "gone", "new", "back", "never")] == [1, 5, None, None, 7, None]
    for number in range(1, 8):
        place = linked.by_number(number)
        assert place is not None
        assert place[1].number == number
    assert linked.by_number(8) is None


def test_what_was_replaced_does_not_come_back_when_its_successor_goes() -> None:
    maker = DatasetMaker(MemoryStore())
    maker.bundle([file("a", b"1")])
    maker.bundle([file("a", b"2")])
    maker.bundle([], gone=["a"])
    assert standing(chain(maker)) == {}
    assert chain(maker).find("a") is None


def test_an_object_taken_again_in_the_same_bundle_is_there_once() -> None:
    from repatria.bundle.rows import Tombstone

    maker = DatasetMaker(MemoryStore())
    maker.bundle([file("a", b"1"), file("a", b"2")], stones=[Tombstone(1, "2024-01-30T21:00:00Z")])
    assert standing(chain(maker)) == {"a": b"2"}
    place = chain(maker).find("a")
    assert place is not None
    assert place[1].number == 2


def test_what_stands_is_read_from_the_latest_bundle_that_holds_it_whole(maker: DatasetMaker) -> None:
    maker.before_signing = lambda statement: statement.model_copy(update={"kind": "full"})
    whole = maker.bundle([file("kept", b"1"), file("back", b"3")])
    maker.before_signing = lambda statement: statement
    maker.bundle([file("new", b"4")], gone=["back"])
    for told in list(maker.store.list(f"{maker.dataset_id}/{maker.bundles[0]}/data/index")):
        maker.store.delete(told.path)
        maker.store.put(told.path, [b"rotten"], 6)
    linked = chain(maker)
    assert [bundle.bundle_id for bundle in linked.standing] == [whole, maker.bundles[-1]]
    assert standing(linked) == {"kept": b"1", "new": b"4"}
    assert [linked.find(path) is not None for path in ("kept", "new", "back", "changed")] == [True, True, False, False]
    with pytest.raises(RepatriaError, match=maker.bundles[0]):
        list(linked.history())


def test_an_unfinished_bundle_is_no_part_of_the_chain(maker: DatasetMaker) -> None:
    unfinished = maker.bundle([file("later", b"4")], finished=False, bundle_id="20240301T000000Z-aaaaaa")
    assert "later" not in standing(chain(maker))
    with pytest.raises(NotFoundError):
        chain(maker, unfinished)


def test_a_missing_base_is_said_and_can_be_read_around(maker: DatasetMaker) -> None:
    first, _second, third = maker.bundles
    for told in list(maker.store.list(f"{maker.dataset_id}/{first}/")):
        maker.store.delete(told.path)
    with pytest.raises(BrokenChainError, match=first):
        chain(maker)
    assert standing(chain(maker, third, only=True)) == {"back": b"3"}


def test_a_fork_is_said_and_either_line_can_be_read(maker: DatasetMaker) -> None:
    fork = DatasetMaker(maker.store, identity=maker.identity, signer=maker.signer, next_number=8)
    fork.previous = chain(maker, maker.bundles[0]).head.statement.previous
    forked = fork.bundle([file("other", b"1")], bundle_id="20240401T000000Z-aaaaaa")
    with pytest.raises(BrokenChainError, match="3 stand outside"):
        chain(maker)
    assert standing(chain(maker, forked)) == {"other": b"1"}
    assert "kept" in standing(chain(maker, maker.bundles[-1]))


def test_a_base_that_was_replaced_is_said(maker: DatasetMaker) -> None:
    first = maker.bundles[0]
    for told in list(maker.store.list(f"{maker.dataset_id}/{first}/")):
        maker.store.delete(told.path)
    other = DatasetMaker(maker.store, identity=maker.identity, signer=maker.signer)
    other.bundle([file("kept", b"forged")], bundle_id=first)
    with pytest.raises(BrokenChainError, match="is not the one"):
        chain(maker)


def test_nothing_there_is_said() -> None:
    with pytest.raises(NotFoundError):
        Chain.load(MemoryStore(), "nothing")
    with pytest.raises(UsageError):
        Chain.load(MemoryStore(), "../other")
