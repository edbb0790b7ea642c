"""What a worker says of a volume is believed only as far as it was planned."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from repatria.bundle.rows import DescriptionRow, MemberRow, ObjectRow, VolumeRow
from repatria.migrate.claims import is_as_planned
from repatria.migrate.plan import Planned, Slice
from repatria.model import Object
from repatria.work.parts import ObjectPart
from repatria.work.sealed_rows import VolumeContent
from repatria.work.sending import VolumeFacts

NONE: frozenset[int] = frozenset()
FIRST = Slice(Planned(Object("a.txt", 10, version="v1"), 1, "a.txt", "ward"), 0, 10, 0)
SECOND = Slice(Planned(Object("b.txt", 20), 2, "b.txt", "ward"), 0, 20, 0)
BEGUN = Slice(Planned(Object("large", 90), 3, "large", "ward"), 30, 40, 2)
SLICES = (FIRST, SECOND, BEGUN)


def row_of(piece: Slice) -> ObjectRow:
    planned = piece.planned
    told = replace(planned.object, content_type="text/plain", metadata={"ward": "3"})
    return ObjectRow.of(told, number=planned.number, source=planned.source, sha256=bytes(32), salt=bytes(16))


def told_of(slices: Sequence[Slice]) -> VolumeFacts:
    """Return what an honest worker says of a volume."""
    members = [MemberRow(0, 512, each.length, each.planned.number, each.part, each.start) for each in slices]
    begun = slices[-1] if slices and not slices[-1].ends_object else None
    part = ObjectPart(3, "large", b"", "large", 2, 70, None) if begun else None
    objects = [row_of(each) for each in slices if each.ends_object]
    return VolumeFacts(VolumeRow(0, 1, bytes(32), bytes(32), 1, bytes(32)), VolumeContent(objects, members), part)


HONEST = told_of(SLICES)
OBJECTS, MEMBERS = HONEST.content.objects, HONEST.content.members


def content(objects: Sequence[ObjectRow] = OBJECTS, members: Sequence[MemberRow] = MEMBERS) -> VolumeFacts:
    return replace(HONEST, content=VolumeContent(objects, members))


def test_what_was_planned_is_believed_with_what_only_a_reader_knows() -> None:
    assert is_as_planned(HONEST, SLICES, NONE)


def test_an_object_that_was_given_up_is_in_no_row_and_no_member() -> None:
    assert is_as_planned(told_of((FIRST, BEGUN)), SLICES, {2})
    assert not is_as_planned(told_of((FIRST, BEGUN)), SLICES, NONE)
    assert not is_as_planned(HONEST, SLICES, {2})


def test_a_part_may_be_there_whose_object_was_given_up_in_a_later_volume() -> None:
    assert is_as_planned(HONEST, SLICES, {3})
    assert is_as_planned(told_of((FIRST, SECOND)), SLICES, {3})
    assert not is_as_planned(told_of((FIRST, SECOND)), SLICES, NONE)


@pytest.mark.parametrize(
    "told",
    [
        content(OBJECTS[1:]),
        content([*OBJECTS, row_of(SECOND)]),
        content(OBJECTS[::-1]),
        content(members=MEMBERS[1:]),
        content(OBJECTS[1:], MEMBERS[1:]),
        content(members=[*MEMBERS, MEMBERS[0]]),
        *(content([replace(OBJECTS[0], **{field: value}), OBJECTS[1]]) for field, value in (  # type: ignore[arg-type] # any
            ("number", 9), ("path", "c.txt"), ("source", ""), ("size", 1), ("version", "v2"), ("kind", "symlink"),
            ("mtime_ns", 1), ("sha256", b""), ("salt", b""),
        )),
        *(content(members=[replace(MEMBERS[0], **{field: 9}), *MEMBERS[1:]]) for field in (
            "object", "part", "start", "length",
        )),
        replace(HONEST, part=None),
        replace(HONEST, part=ObjectPart(3, "large", b"", "large", 2, 90, None)),
        replace(HONEST, content=replace(HONEST.content, descriptions=[DescriptionRow(1, "", "", "{}")])),
    ],
)  # fmt: skip
def test_anything_else_is_not(told: VolumeFacts) -> None:
    assert not is_as_planned(told, SLICES, NONE)
