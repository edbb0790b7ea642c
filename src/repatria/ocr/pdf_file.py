"""Writing a PDF's objects to a file: those that are no streams deflated together, and so the table of where all are.

pypdf holds objects, and writes each as text of its own. Beside their pictures, scanned pages are mostly small objects:
in object streams (PDF 32000-1, 7.5.7; PDF/A-2 allows them) they take less than half.
"""

import io
import zlib
from collections.abc import Sequence
from typing import BinaryIO

from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, PdfObject, StreamObject

_BINARY = b"%\xe2\xe3\xcf\xd3\n"
_MOST_TOGETHER = 100
"""Objects of one stream: who wants one of them decodes all."""
_DEFLATE_LEVEL = 9
_FREE, _IN_FILE, _IN_STREAM = range(3)
"""Types of entries of a cross-reference stream (PDF 32000-1, table 18)."""
_LEAST_VERSION = "%PDF-1.5"


def write_pdf(writer: PdfWriter, out: BinaryIO) -> None:
    """Write all objects of `writer` to `out`, from where it stands."""
    _File(out).write(writer)


class _File:
    """A file in the making."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._position = 0
        self._places: dict[int, tuple[int, int, int]] = {}
        """By object number: the three fields of its entry in the cross-reference stream."""

    def write(self, writer: PdfWriter) -> None:
        writer._resolve_links()  # what pypdf's own writing begins with: it has no public name
        objects = {number: made for number, made in enumerate(writer._objects, 1) if made is not None}
        self._put(max(writer.pdf_header, _LEAST_VERSION).encode("ascii") + b"\n" + _BINARY)
        for number, made in objects.items():
            if isinstance(made, StreamObject):
                self._put_object(number, made)
        together = [(number, made) for number, made in objects.items() if not isinstance(made, StreamObject)]
        after = len(writer._objects) + 1
        for start in range(0, len(together), _MOST_TOGETHER):
            self._put_together(after, together[start : start + _MOST_TOGETHER])
            after += 1
        self._put_places(after, writer)

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._position += len(data)

    def _put_object(self, number: int, made: PdfObject) -> None:
        self._places[number] = (_IN_FILE, self._position, 0)
        self._put(b"%d 0 obj\n" % number + _written(made) + b"\nendobj\n")

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
        start = self._position
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
        self._put(b"startxref\n%d\n%%%%EOF\n" % start)


def _written(made: PdfObject) -> bytes:
    buffer = io.BytesIO()
    made.write_to_stream(buffer)
    return buffer.getvalue()


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
