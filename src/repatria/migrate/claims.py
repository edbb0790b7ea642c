"""What a worker says of a volume, held against what it was to bring: it is believed nothing that was not planned."""

from collections.abc import Sequence, Set
from dataclasses import replace

from repatria.bundle.rows import SALT_LENGTH, ObjectRow
from repatria.migrate.plan import Slice
from repatria.work.parts import ObjectPart
from repatria.work.sealed_rows import VolumeContent
from repatria.work.sending import VolumeFacts

_SHA256_LENGTH = 32


def is_as_planned(volume: VolumeFacts, slices: Sequence[Slice], given_up: Set[int]) -> bool:
    """Tell whether a volume holds exactly these slices, and its rows tell exactly of the objects that end with them.

    Of objects that were given up, by their numbers, no row may tell; a part may be in the volume that was filled before
    its object was given up in a later one.
    """
    return (
        volume.content == VolumeContent(volume.content.objects, volume.content.members)
        and _are_members(volume, slices, given_up)
        and _are_rows(volume.content.objects, slices, given_up)
        and _is_part(volume.part, slices[-1], given_up)
    )


def _are_members(volume: VolumeFacts, slices: Sequence[Slice], given_up: Set[int]) -> bool:
    told = [(row.object, row.part, row.start, row.length) for row in volume.content.members]
    held = set(told)
    wanted = []
    for piece in slices:
        number = piece.planned.number
        member = (number, piece.part, piece.start, piece.length)
        if number not in given_up or (member in held and not piece.ends_object):
            wanted.append(member)
    return told == wanted


def _are_rows(rows: Sequence[ObjectRow], slices: Sequence[Slice], given_up: Set[int]) -> bool:
    ending = [piece for piece in slices if piece.ends_object and piece.planned.number not in given_up]
    return len(rows) == len(ending) and all(_is_row_of(row, piece) for row, piece in zip(rows, ending, strict=True))


def _is_row_of(row: ObjectRow, piece: Slice) -> bool:
    """Tell whether a row says of its object what the listing said; the rest is known only to who read it."""
    planned = piece.planned
    listed = ObjectRow.of(
        planned.object, number=planned.number, source=planned.source, sha256=row.sha256, salt=row.salt
    )
    read = replace(
        listed,
        content_type=listed.content_type or row.content_type,
        metadata=listed.metadata or row.metadata,
        tags=listed.tags or row.tags,
        checksum=row.checksum,
        recognised=row.recognised,
    )
    return row == read and len(row.sha256) == _SHA256_LENGTH and len(row.salt) == SALT_LENGTH


def _is_part(part: ObjectPart | None, piece: Slice, given_up: Set[int]) -> bool:
    """Tell whether a part tells of the last slice, if its object ends in a later volume."""
    planned = piece.planned
    if part is None:
        return piece.ends_object or planned.number in given_up
    told = (part.object, part.path, part.name, part.part, part.end)
    end = piece.start + piece.length
    return not piece.ends_object and told == (planned.number, planned.object.path, planned.name, piece.part, end)
