"""The rows of one volume on their way through the journal: packed, compressed, sealed, and back."""

import json
import zlib
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, fields
from typing import Any

from repatria.bundle.rows import DocumentRow, MemberRow, ObjectRow, PageRow

Row = ObjectRow | MemberRow | DocumentRow | PageRow


@dataclass(frozen=True, slots=True)
class VolumeContent:
    """Everything that stands in one volume, as its index will tell it."""

    objects: Sequence[ObjectRow] = ()
    """Those that end in the volume."""
    members: Sequence[MemberRow] = ()
    documents: Sequence[DocumentRow] = ()
    pages: Sequence[PageRow] = ()

    def pack(self) -> bytes:
        """Return the rows as bytes; they hold names, so they are sealed before they go anywhere."""
        tables = [_values(rows) for rows in (self.objects, self.members, self.documents, self.pages)]
        # JSON in plain ASCII: the one encoding that also carries surrogate escapes.
        return zlib.compress(json.dumps(tables, default=_wrapped, separators=(",", ":")).encode(), 1)

    @classmethod
    def unpack(cls, packed: bytes) -> "VolumeContent":
        """Return what `pack` packed."""
        objects, members, documents, pages = json.loads(zlib.decompress(packed), object_hook=_unwrapped)
        return cls(
            [ObjectRow(*values) for values in objects],
            [MemberRow(*values) for values in members],
            [DocumentRow(*values) for values in documents],
            [PageRow(*values) for values in pages],
        )

    def documents_of(self, objects: Set[int]) -> list[DocumentRow]:
        """Return the documents that need any of these objects."""
        return [row for row in self.documents if not objects.isdisjoint(row.objects)]

    def without(self, objects: Set[int]) -> "VolumeContent":
        """Return what is left when these objects, and documents that need them, are given up; members stay."""
        given_up = {row.number for row in self.documents_of(objects)}
        return VolumeContent(
            [row for row in self.objects if row.number not in objects],
            self.members,
            [row for row in self.documents if row.number not in given_up],
            [row for row in self.pages if row.document not in given_up],
        )


def _values(rows: Iterable[Row]) -> list[list[Any]]:
    return [[getattr(row, part.name) for part in fields(row)] for row in rows]


def _wrapped(value: object) -> dict[str, str]:
    if not isinstance(value, bytes):
        raise TypeError(f"a row holds a {type(value).__name__}")
    return {"hex": value.hex()}


def _unwrapped(value: dict[str, str]) -> bytes:
    return bytes.fromhex(value["hex"])
