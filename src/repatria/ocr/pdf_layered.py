"""A PDF that came in, its pages as they were, with the words that were read laid under them.

It keeps its fonts, colours and whatever else it holds; it is not called PDF/A, because that would have to be proved of
what others wrote.
"""

import io
import warnings
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    NullObject,
    NumberObject,
    RectangleObject,
    StreamObject,
)

from repatria.ocr.invisible_font import CharacterCodes
from repatria.ocr.memory import Piece
from repatria.ocr.pdf_objects import add, fill_font, name, new_font, stream, written
from repatria.ocr.text_layer import FONT_NAME, ToUserSpace, operators
from repatria.ocr.words import PageText

Part = tuple[float, float]
Corners = tuple[float, float, float, float]
"""Left, bottom, right, top."""
_DEEPEST_TREE = 100
_DEFLATE_LEVEL = 9


def layered_pdf(original: bytes, pages: Sequence[PageText]) -> list[Piece] | None:
    """Return the PDF with the words of `pages` (one for each of its pages) under its own; None if pypdf cannot.

    Pages that lay on their side or head are turned upright. Those whose own text was kept get nothing, and a file that
    needs nothing stays as it is. One that is locked against change only (owner password) is opened.
    """
    if not any(_needs_layer(page) for page in pages):
        return [original]
    return _attempted(lambda: _layered(original, pages))


def taken_pdf(original: bytes, pages: Sequence[tuple[int, Part, PageText]]) -> list[Piece] | None:
    """Return some pages of a PDF, each with its words; None if pypdf cannot.

    A page is named by its place (from 0), the part of it that is shown (shares of its width), and its words; it may
    come twice, as the two halves of a spread.
    """
    return _attempted(lambda: _taken(original, pages))


def _attempted(make: Callable[[], list[Piece]]) -> list[Piece] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make()
    except (PyPdfError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RuntimeError):
        # pypdf meets malformed files with all of these; PDFium, which showed the pages, mends more than pypdf does.
        return None


def _needs_layer(page: PageText) -> bool:
    return bool(page.words) and "text-layer" not in page.flags


def _layered(original: bytes, pages: Sequence[PageText]) -> list[Piece]:
    reader = _opened(original)
    writer = PdfWriter(clone_from=reader)
    writer.pdf_header = max(reader.pdf_header, "%PDF-1.4")
    return _with_words(writer, pages)


def _taken(original: bytes, pages: Sequence[tuple[int, Part, PageText]]) -> list[Piece]:
    reader = _opened(original)
    writer = PdfWriter()
    writer.pdf_header = max(reader.pdf_header, "%PDF-1.4")
    for place, part, _text in pages:
        page = writer.add_page(reader.pages[place])
        if part != (0.0, 1.0):
            page.mediabox = page.cropbox = RectangleObject(_part_of(_crop(page), page.rotation, part))
    return _with_words(writer, [text for _place, _part, text in pages])


def _opened(original: bytes) -> PdfReader:
    reader = PdfReader(io.BytesIO(original))
    if reader.is_encrypted:
        reader.decrypt("")
    return reader


def _with_words(writer: PdfWriter, pages: Sequence[PageText]) -> list[Piece]:
    codes = CharacterCodes()
    font = new_font(writer)
    for text, page in zip(pages, writer.pages, strict=True):
        if _needs_layer(text):
            rotation = (page.rotation + text.rotation) % 360
            _lay_under(writer, page, operators(text, ToUserSpace.of_page(text, _crop(page), rotation), codes), font)
            if text.rotation:
                page[name("Rotate")] = NumberObject(rotation)
    fill_font(writer, font, codes)
    _deflate_faxes(writer)
    return written(writer)


def _deflate_faxes(writer: PdfWriter) -> None:
    """Deflate pictures over their fax coding, as `encoding.deflated` does: it pays for the words."""
    for made in writer._objects:  # it has no public name
        if not isinstance(made, StreamObject) or made.get("/Filter") != "/CCITTFaxDecode":
            continue
        data = zlib.compress(
            made._data, _DEFLATE_LEVEL
        )  # as it is coded: pypdf's public names decode it, and encode it otherwise
        if len(data) < len(made._data):
            parameters = made.get("/DecodeParms") or NullObject()
            made[name("Filter")] = ArrayObject([name("FlateDecode"), name("CCITTFaxDecode")])
            made[name("DecodeParms")] = ArrayObject([NullObject(), parameters])
            made._data = data


def _crop(page: PageObject) -> Corners:
    crop = page.cropbox
    return float(crop.left), float(crop.bottom), float(crop.right), float(crop.top)


def _part_of(crop: Corners, rotation: int, part: Part) -> Corners:
    """Return the corners of a part of a page, told by shares of its width as it is shown, turned by /Rotate."""
    left, bottom, right, top = crop
    across, up = right - left, top - bottom
    begin, end = part
    return {
        0: (left + begin * across, bottom, left + end * across, top),
        90: (left, bottom + begin * up, right, bottom + end * up),
        180: (right - end * across, bottom, right - begin * across, top),
        270: (left, top - end * up, right, top - begin * up),
    }[rotation % 360]


def _lay_under(writer: PdfWriter, page: PageObject, content: bytes, font: IndirectObject) -> None:
    """Put the words before the page's own content: there the coordinate system is the page's, whatever follows."""
    resources = DictionaryObject(_resolved(_inherited(page, "/Resources")) or {})  # a copy: pages may share theirs
    fonts = DictionaryObject(_resolved(resources.get("/Font")) or {})
    fonts[name(FONT_NAME)] = font
    resources[name("Font")] = fonts
    page[name("Resources")] = resources
    layer = add(writer, stream(content, compress=True))
    present = _resolved(page.get("/Contents"))
    one = [] if present is None else [page.raw_get("/Contents")]
    page[name("Contents")] = ArrayObject([layer, *(present if isinstance(present, ArrayObject) else one)])


def _inherited(page: PageObject, key: str) -> Any:
    """Return what a page has, or inherits, under a key; None if nothing."""
    node: Any = page
    for _level in range(_DEEPEST_TREE):
        if key in node:
            return node[key]
        node = _resolved(node.get("/Parent"))
        if node is None:
            return None
    return None


def _resolved(value: Any) -> Any:
    found = value.get_object() if value is not None else None
    return None if isinstance(found, NullObject) else found
