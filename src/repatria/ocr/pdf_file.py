"""Writing a PDF's objects to a file: those that are no streams deflated together, and so the table of where all are.

pypdf holds objects, and writes each as text of its own. Beside their pictures, scanned pages are mostly small objects:
in object streams (PDF 32000-1, 7.5.7; PDF/A-2 allows them) they take less than half.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import IO, Any, cast

from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, PdfObject, StreamObject

from repatria.ocr.memory import Piece, SharedBytes, joined

_BINARY = b"%\xe2\xe3\xcf\xd3\n"
_MOST_TOGETHER = 100
"""Objects of one stream: who wants one of them decodes all."""
_DEFLATE_LEVEL = 9
_FREE, _IN_FILE, _IN_STREAM = range(3)
"""Types of entries of a cross-reference stream (PDF 32000-1, table 18)."""
_LEAST_VERSION = "%PDF-1.5"


def pieces_of(writer: PdfWriter) -> list[Piece]:
    """Return the file of all objects of `writer`, in pieces: streams are not copied, nor what is held read."""
    return _File().of(writer)


class HeldStream(StreamObject):
    """A stream whose data, encoded as its entries say, is held elsewhere until the file is put together."""

    def __init__(self, held: SharedBytes, entries: Mapping[NameObject, PdfObject]) -> None:
        super().__init__()
        self.update(entries)
        self[NameObject("/Length")] = NumberObject(held.size)
        self._held = held

    def write_to_stream(self, stream: Any) -> None:
        """Write to pieces."""
        DictionaryObject.write_to_stream(self, stream)
        for piece in (b"\nstream\n", self._held, b"\nendstream"):
            stream.write(piece)


class _Pieces:
    """What pypdf takes for a file."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.size = 0

    def take(self, made: PdfObject) -> None:
        made.write_to_stream(cast(IO[Any], self))

    def write(self, piece: Piece) -> int:
        self.pieces.append(piece)
        size = len(piece) if isinstance(piece, bytes) else piece.size
        self.size += size
        return size


class _File:
    """A file in the making."""

    def __init__(self) -> None:
        self._file = _Pieces()
        self._places: dict[int, tuple[int, int, int]] = {}
        """By object number: the three fields of its entry in the cross-reference stream."""

    def of(self, writer: PdfWriter) -> list[Piece]:
        writer._resolve_links()  # what pypdf's own writing begins with: it has no public name
        objects = {number: made for number, made in enumerate(writer._objects, 1) if made is not None}
        self._file.write(max(writer.pdf_header, _LEAST_VERSION).encode("ascii") + b"\n" + _BINARY)
        for number, made in objects.items():
            if isinstance(made, StreamObject):
                self._put_object(number, made)
        together = [(number, made) for number, made in objects.items() if not isinstance(made, StreamObject)]
        after = len(writer._objects) + 1
        for start in range(0, len(together), _MOST_TOGETHER):
            self._put_together(after, together[start : start + _MOST_TOGETHER])
            after += 1
        self._put_places(after, writer)
        return self._file.pieces

    def _put_object(self, number: int, made: PdfObject) -> None:
        self._places[number] = (_IN_FILE, self._file.size, 0)
        self._file.write(b"%d 0 obj\n" % number)
        self._file.take(made)
        self._file.write(b"\nendobj\n")

    def _put_together(self, number: int, objects: Sequence[tuple[int, PdfObject]]) -> None:
        """Write several objects as one object stream."""
        written = [_written(made) for _number, made in objects]
        offsets, position = [], 0
        for place, ((each, _made), data) in enumerate(zip(objects, written, strict=True)):
            self._places[each] = (_IN_STREAM, number, place)
            offsets.append(b"%d %d" % (each, position))
            position += len(data) + 1
        head = b" ".join(offsets) + b"\n"
        entries: dict[str, str | int] = {"Type": "ObjStm", "N": len(objects), "First": len(head)}
        self._put_object(number, _deflated(head + b"\n".join(written), entries))

    def _put_places(self, number: int, writer: PdfWriter) -> None:
        """Write the cross-reference stream, and where it is."""
        start = self._file.size
        self._places |= {0: (_FREE, 0, 0), number: (_IN_FILE, start, 0)}
        width = (start.bit_length() + 7) // 8
        rows = [self._places.get(each, (_FREE, 0, 0)) for each in range(number + 1)]
        table = b"".join(bytes([kind]) + place.to_bytes(width) + bytes([index]) for kind, place, index in rows)
        made = _deflated(table, {"Type": "XRef", "Size": number + 1})
        made[NameObject("/W")] = ArrayObject(map(NumberObject, (1, width, 1)))
        made[NameObject("/Root")] = _reference(writer.root_object)
        if writer._info is not None:
            made[NameObject("/Info")] = _reference(writer._info)
        if writer._ID is not None:
            made[NameObject("/ID")] = writer._ID
        self._put_object(number, made)
        self._file.write(b"startxref\n%d\n%%%%EOF\n" % start)


def _written(made: PdfObject) -> bytes:
    written = _Pieces()
    written.take(made)
    return joined(written.pieces)


def _reference(made: DictionaryObject) -> PdfObject:
    reference = made.indirect_reference
    assert reference is not None  # noqa: S101 -- an object of the writer
    return reference


def _deflated(data: bytes, entries: dict[str, str | int]) -> StreamObject:
    made = StreamObject()
    for key, value in entries.items():
        made[NameObject(f"/{key}")] = NumberObject(value) if isinstance(value, int) else NameObject(f"/{value}")
    made[NameObject("/Filter")] = NameObject("/FlateDecode")
    made.set_data(zlib.compress(data, _DEFLATE_LEVEL))
    return made
