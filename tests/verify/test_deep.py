"""Deep verification of bundles that were signed wrong: digests of files all agree, what they hold does not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from repatria.bundle.index_building import IndexRows
from repatria.bundle.rows import MemberRow, ObjectRow, Tombstone, VolumeRow
from repatria.bundle.statement import ObjectCounts, Statement, Totals
from repatria.crypt.allowed_signers import AllowedSigners
from repatria.store.memory import MemoryStore
from repatria.verify.dataset import DatasetCheck, Wish
from repatria.verify.report import BundleResult, Verdict, worst_code
from repatria.verify.trust import Trust
from tests.bundle.making import DatasetMaker, file, symlink

BIG = bytes(range(256)) * 8_000
SOURCES = [file("a/b", b"hello"), file("big", BIG), symlink("link", "a/b"), file("../odd", b"odd"), file("empty", b"")]


def made(**wrong: Any) -> DatasetMaker:
    maker = DatasetMaker(MemoryStore(), **wrong)
    maker.bundle(SOURCES)
    return maker


def verdicts(maker: DatasetMaker, **wishes: Any) -> list[Verdict]:
    trust = Trust(AllowedSigners.parse(maker.signer.key.allowed_line("senum")))
    wish = Wish(deep=True, identities=[maker.identity], **wishes)
    told = DatasetCheck(maker.store, maker.dataset_id, trust, wish).run()
    return [each for each in told if not isinstance(each, BundleResult)]


def found(maker: DatasetMaker) -> dict[str, str]:
    """Return subject -> kind, bundles called `bundle`."""
    assert verdicts(maker) != []
    return {each.subject.replace(maker.bundles[0], "bundle"): str(each.finding.kind) for each in verdicts(maker)}


def test_a_bundle_that_is_right_is_right() -> None:
    assert verdicts(made()) == []


Change = Callable[[Any], Any]


def statement(**fields: object) -> Callable[[Statement], Statement]:
    return lambda right: right.model_copy(update=fields)


@pytest.mark.parametrize(
    "wrong",
    [
        statement(merkle_root="00" * 32),
        statement(tombstones=1),
        statement(objects=ObjectCounts(count=4, bytes=len(BIG) + 11, first=1, next=6)),
        statement(objects=ObjectCounts(count=5, bytes=1, first=1, next=6)),
        statement(objects=ObjectCounts(count=5, bytes=len(BIG) + 11, first=1, next=5)),
        statement(totals=Totals(objects=6, bytes=len(BIG) + 11)),
    ],
)
def test_a_statement_that_does_not_fit_its_indexes(wrong: Callable[[Statement], Statement]) -> None:
    assert found(made(before_signing=wrong)) == {"bundle/statement.json": "altered"}


def objects(change: Callable[[ObjectRow], ObjectRow | None]) -> Callable[[IndexRows], IndexRows]:
    return lambda rows: replace(rows, objects=[new for row in rows.objects if (new := change(row)) is not None])


def members(change: Callable[[MemberRow], MemberRow | None]) -> Callable[[IndexRows], IndexRows]:
    return lambda rows: replace(rows, members=[new for row in rows.members if (new := change(row)) is not None])


def volumes(change: Callable[[VolumeRow], VolumeRow | None]) -> Callable[[IndexRows], IndexRows]:
    return lambda rows: replace(rows, volumes=[new for row in rows.volumes if (new := change(row)) is not None])


def one(number: int, **fields: object) -> Callable[[IndexRows], IndexRows]:
    return objects(lambda row: replace(row, **fields) if row.number == number else row)  # type: ignore[arg-type]  # columns


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_an_object_with_another_digest(number: int) -> None:
    told = found(made(before_indexing=one(number, sha256=bytes(32))))
    assert told[f"object {number}"] == "altered"


def test_a_symlink_with_another_target() -> None:
    assert found(made(before_indexing=one(3, link_target="/etc/passwd")))["object 3"] == "altered"


@pytest.mark.parametrize("number", [1, 2, 4])
def test_an_object_under_another_name(number: int) -> None:
    assert found(made(before_indexing=one(number, path="other")))["object " + str(number)] == "altered"


@pytest.mark.parametrize("size", [4, 6])
def test_an_object_of_another_size(size: int) -> None:
    assert found(made(before_indexing=one(1, size=size)))["object 1"] == "altered"


def test_an_object_that_is_in_no_volume() -> None:
    extra = ObjectRow(6, "", "more", "file", 1, bytes(32), bytes(16))
    told = found(made(before_indexing=lambda rows: replace(rows, objects=[*rows.objects, extra])))
    assert told["object 6"] == "missing"


def test_an_object_that_was_given_up_is_no_finding() -> None:
    """Members whose object has no row: the source changed in the middle, and the object was taken again."""

    def without_big(rows: IndexRows) -> IndexRows:
        return replace(rows, objects=[row for row in rows.objects if row.path != "big"])

    told = found(made(before_indexing=without_big))
    assert told == {"bundle/statement.json": "altered"}  # whose counts here still speak of it


@pytest.mark.parametrize(
    "change",
    [
        members(lambda row: None if row.object == 1 else row),
        members(lambda row: replace(row, offset=row.offset + 512) if row.object == 1 else row),
        members(lambda row: replace(row, length=row.length + 1) if row.object == 1 else row),
        lambda rows: replace(rows, members=[*rows.members, MemberRow(1, 1 << 30, 0, 1, 0, 0)]),
    ],
)
def test_members_that_are_not_those_of_the_tar(change: Callable[[IndexRows], IndexRows]) -> None:
    assert found(made(before_indexing=change))["bundle/data/vol-000001.tar.age"] == "altered"


@pytest.mark.parametrize(
    "change",
    [
        members(lambda row: replace(row, part=row.part + 1) if row.part else row),
        members(lambda row: replace(row, start=row.start + 1) if row.part == 2 else row),
        members(lambda row: replace(row, object=9) if row.part == 2 else row),
    ],
)
def test_parts_that_are_not_the_whole(change: Callable[[IndexRows], IndexRows]) -> None:
    assert found(made(before_indexing=change))["object 2"] == "altered"


@pytest.mark.parametrize("column", ["sha256", "head_sha256", "payload_sha256"])
def test_a_volume_with_another_digest(column: str) -> None:
    wrong = volumes(lambda row: replace(row, **{column: bytes(32)}) if row.number == 1 else row)  # type: ignore[arg-type]  # a column
    assert found(made(before_indexing=wrong))["bundle/data/vol-000001.tar.age"] == "altered"


def test_a_volume_that_no_index_describes() -> None:
    """It may have come late, and is no fault; what was to be in it and is nowhere else is one."""
    wrong = volumes(lambda row: None if row.number == 2 else row)
    assert found(made(before_indexing=wrong)) == {
        "object 2": "altered",
        "object 3": "missing",
        "object 4": "missing",
        "object 5": "missing",
    }


def test_a_volume_outside_the_range_of_its_index() -> None:
    wrong = volumes(lambda row: replace(row, number=7) if row.number == 2 else row)
    assert found(made(before_indexing=wrong))["bundle/data/vol-000007.tar.age"] == "altered"


def test_tombstones_that_nobody_counted() -> None:
    wrong = made(before_indexing=lambda rows: replace(rows, tombstones=[Tombstone(1, "2024-01-30T20:00:00Z")]))
    assert found(wrong) == {"bundle/statement.json": "altered"}


def test_an_index_whose_head_is_not_the_one_signed() -> None:
    def wrong(right: Statement) -> Statement:
        (entry,) = right.indexes
        return right.model_copy(update={"indexes": (entry.model_copy(update={"head_sha256": "00" * 32}),)})

    maker = made(before_signing=wrong)
    assert found(maker) == {"bundle/data/index-0001.db.age": "altered"}
    assert worst_code(verdicts(maker)) == 6


def test_an_index_whose_rows_have_another_shape() -> None:
    maker = made(before_indexing=one(1, kind="special"))
    assert "altered" in found(maker).values()
    assert worst_code(verdicts(maker)) in {1, 6}
