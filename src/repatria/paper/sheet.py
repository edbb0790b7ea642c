"""One A4 page, drawn in memory with the core fonts of PDF: nothing is embedded, no font need be installed."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from fpdf import FPDF
from fpdf.enums import MethodReturnValue, XPos, YPos

from repatria import __version__
from repatria.errors import InternalError
from repatria.i18n import _

_ENCODING = "windows-1252"
_MARGIN = 18.0
_LINE = 1.25
"""Height of a line, in heights of its type."""
_POINT = 25.4 / 72
"""Millimetres."""
_SANS = "helvetica"
_MONO = "courier"


def printable(text: str) -> str:
    """Return the text in characters that the core fonts have: without an accent they lack, else `?`."""
    return "".join(map(_printable_character, unicodedata.normalize("NFC", text)))


def _printable_character(character: str) -> str:
    if character == "\N{NARROW NO-BREAK SPACE}":
        return "\N{NO-BREAK SPACE}"
    for candidate in (character, unicodedata.normalize("NFKD", character)[0]):
        if candidate.isprintable() or candidate == "\N{NO-BREAK SPACE}":
            try:
                candidate.encode(_ENCODING)
            except UnicodeEncodeError:
                continue
            return candidate
    return " " if character.isspace() else "?"


class Sheet:
    """One page from top to bottom: each method draws below what is there already. Lengths are millimetres."""

    def __init__(self, title: str, language: str, made: datetime) -> None:
        """Begin a page; the title goes into the file's metadata, where print queues show it: nothing secret."""
        self._pdf = FPDF(orientation="portrait", unit="mm", format="A4")
        self._pdf.core_fonts_encoding = _ENCODING
        self._pdf.set_margin(_MARGIN)
        self._pdf.set_auto_page_break(False)
        self._pdf.set_title(printable(title))
        self._pdf.set_lang(language)
        self._pdf.set_creator(f"Repatria {__version__}")
        self._pdf.set_creation_date(made)
        self._pdf.add_page()

    @property
    def room(self) -> float:
        """What is left above the lower margin."""
        return float(self._pdf.h - _MARGIN - self._pdf.y)

    def heading(self, text: str, size: float = 22) -> None:
        """Draw a heading."""
        self._write(printable(text), size, style="B")
        self.skip(1)

    def text(self, text: str, size: float = 10, *, bold: bool = False) -> None:
        """Draw a paragraph over the whole width."""
        self._write(printable(text), size, style="B" if bold else "")

    def facts(self, rows: Sequence[tuple[str, str]], size: float = 10) -> None:
        """Draw names with their values beside them, the names in a column as wide as the widest."""
        self._font(_SANS, size)
        width = max(self._pdf.get_string_width(printable(name)) for name, _value in rows) + 4
        for name, value in rows:
            self._pdf.set_text_color(90)
            self._font(_SANS, size)
            self._pdf.cell(width, size * _POINT * _LINE, printable(name))
            self._pdf.set_text_color(0)
            self._write(printable(value), size, style="B")
            self.skip(0.6)

    def numbered(self, words: Sequence[str], columns: int, size: float = 17) -> None:
        """Draw words in a frame, large, each with its number, down the columns."""
        rows = -(-len(words) // columns)
        height = size * _POINT * 1.5
        width = self._pdf.epw / columns
        top = self._pdf.y
        self._pdf.rect(self._pdf.l_margin, top, self._pdf.epw, rows * height + 4)
        for place, word in enumerate(words):
            column, row = divmod(place, rows)
            self._pdf.set_xy(self._pdf.l_margin + column * width, top + 2 + row * height)
            self._font(_SANS, size * 0.6)
            self._pdf.cell(11, height, str(place + 1), align="R")
            self._pdf.set_x(self._pdf.x + 2)
            self._font(_MONO, size, "B")
            self._pdf.cell(width - 13, height, printable(word))
        self._pdf.set_xy(self._pdf.l_margin, top + rows * height + 4)

    def blanks(self, labels: Sequence[str], size: float = 9) -> None:
        """Draw lines to be filled in by hand, side by side, at the foot of the page."""
        self._pdf.set_y(self._pdf.h - _MARGIN - 6)
        width = self._pdf.epw / len(labels)
        self._font(_SANS, size)
        for label in labels:
            x, y = self._pdf.x, self._pdf.y
            self._pdf.line(x, y, x + width - 5, y)
            self._pdf.cell(width, 6, printable(label))

    def skip(self, height: float) -> None:
        """Leave some room."""
        self._pdf.set_xy(self._pdf.l_margin, self._pdf.y + height)

    def fitting(self, paragraphs: Sequence[tuple[str, bool]], foot: float, largest: float = 10) -> None:
        """Draw paragraphs (text, bold) in the largest type with which they end above `foot`, down to 6 points."""
        sizes = [largest - step / 2 for step in range(int(largest * 2) - 11)]
        size = next((size for size in sizes if self._height(paragraphs, size) <= self.room - foot), None)
        if size is None:
            raise InternalError(_("The text of a page does not fit on it; nothing was written."))
        for text, bold in paragraphs:
            self.text(text, size, bold=bold)
            self.skip(size * _POINT * 0.25)

    def _height(self, paragraphs: Sequence[tuple[str, bool]], size: float) -> float:
        height = 0.0
        for text, bold in paragraphs:
            self._font(_SANS, size, "B" if bold else "")
            lines = self._pdf.multi_cell(0, 1, printable(text), align="L", dry_run=True, output=MethodReturnValue.LINES)
            height += len(cast("list[str]", lines)) * size * _POINT * _LINE + size * _POINT * 0.25
        return height

    def pdf(self) -> bytes:
        """Return the file; InternalError if something ran over the edge, because it would be lost in print."""
        if self._pdf.y > self._pdf.h or self._pdf.page_no() != 1:
            raise InternalError(_("The text of a page does not fit on it; nothing was written."))
        return bytes(self._pdf.output())

    def _write(self, text: str, size: float, style: str = "") -> None:
        self._font(_SANS, size, style)
        self._pdf.multi_cell(0, size * _POINT * _LINE, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _font(self, family: str, size: float, style: str = "") -> None:
        self._pdf.set_font(family, style, size)
