"""The rows of one volume on their way through the journal: packed, compressed, sealed, and back."""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, fields
from itertools import islice
from operator import attrgetter
from typing import Final, Generic, TypeVar

from repatria.bundle.rows import DescriptionRow, DocumentRow, MemberRow, ObjectRow, PageRow

_Row = TypeVar("_Row", ObjectRow, MemberRow, DocumentRow, PageRow, DescriptionRow)
_ROWS_AT_ONCE: Final = 1_000
"""Rows in a line of JSON: so many are in memory more than once."""
_LENGTH: Final = 8
"""Bytes of the length that stands before each table, and before all of them that of the rows as JSON."""


class _Table(Generic[_Row]):
    """Rows of one class as bytes, some thousand a line."""

    def __init__(self, form: type[_Row]) -> None:
        self._form: type[_Row] = form
        self._values = attrgetter(*(part.name for part in fields(form)))
        self._bytes = tuple(place for place, part in enumerate(fields(form)) if part.type is bytes)

    def pack(self, rows: Iterable[_Row]) -> tuple[bytes, int]:
        """Return rows as bytes, and how many these were before they were compressed."""
        pressing, coming, size = zlib.compressobj(1), iter(rows), 0
        parts: list[bytes] = []
        while some := [self._values(row) for row in islice(coming, _ROWS_AT_ONCE)]:
            # JSON in plain ASCII: the one encoding that also carries surrogate escapes.
            line = json.dumps(some, default=bytes.hex, separators=(",", ":")).encode() + b"\n"
            size += len(line)
            parts.append(pressing.compress(line))
        return b"".join((*parts, pressing.flush())), size

    def unpack(self, packed: bytes) -> Iterator[_Row]:
        """Yield the rows that `pack` packed; of no bytes at all, none."""
        for line in zlib.decompress(packed).splitlines() if packed else ():
            for values in json.loads(line):
                for place in self._bytes:
                    values[place] = bytes.fromhex(values[place])
                yield self._form(*values)


_OBJECTS, _MEMBERS = _Table(ObjectRow), _Table(MemberRow)
_DOCUMENTS, _PAGES = _Table(DocumentRow), _Table(PageRow)
_DESCRIPTIONS = _Table(DescriptionRow)


@dataclass(frozen=True, slots=True)
class VolumeContent:
    """Everything that stands in one volume, as its index will tell it."""

    objects: Sequence[ObjectRow] = ()
    """Those that end in the volume."""
    members: Sequence[MemberRow] = ()
    documents: Sequence[DocumentRow] = ()
    pages: Sequence[PageRow] = ()
    descriptions: Sequence[DescriptionRow] = ()

    def pack(self) -> "PackedContent":
        """Return the rows as bytes; they hold names, so they are sealed before they go anywhere."""
        tables = (
            _OBJECTS.pack(self.objects),
            _MEMBERS.pack(self.members),
            _DOCUMENTS.pack(self.documents),
            _PAGES.pack(self.pages),
            _DESCRIPTIONS.pack(self.descriptions),
        )
        parts = [sum(size for _packed, size in tables).to_bytes(_LENGTH)]
        for packed, _size in tables:
            parts += [len(packed).to_bytes(_LENGTH), packed]
        return PackedContent(b"".join(parts))

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
            self.descriptions,
        )


@dataclass(frozen=True, slots=True)
class PackedContent:
    """The rows of a volume as bytes; what is asked for is unpacked as it is read."""

    packed: bytes

    @property
    def size(self) -> int:
        """Bytes of all rows as JSON: about what they take in an index."""
        return int.from_bytes(self.packed[:_LENGTH])

    def objects(self) -> Iterator[ObjectRow]:
        """Yield the objects that end in the volume."""
        return _OBJECTS.unpack(self._table(0))

    def members(self) -> Iterator[MemberRow]:
        """Yield the members."""
        return _MEMBERS.unpack(self._table(1))

    def documents(self) -> Iterator[DocumentRow]:
        """Yield the documents."""
        return _DOCUMENTS.unpack(self._table(2))

    def pages(self) -> Iterator[PageRow]:
        """Yield the pages."""
        return _PAGES.unpack(self._table(3))

    def descriptions(self) -> Iterator[DescriptionRow]:
        """Yield the descriptions; rows packed before there were any hold none."""
        return _DESCRIPTIONS.unpack(self._table(4))

    def unpack(self) -> VolumeContent:
        """Return everything."""
        return VolumeContent(
            list(self.objects()),
            list(self.members()),
            list(self.documents()),
            list(self.pages()),
            list(self.descriptions()),
        )

    def _table(self, wanted: int) -> bytes:
        start = _LENGTH
        for _table in range(wanted):
            start += _LENGTH + int.from_bytes(self.packed[start : start + _LENGTH])
        length = int.from_bytes(self.packed[start : start + _LENGTH])
        return self.packed[start + _LENGTH : start + _LENGTH + length]
