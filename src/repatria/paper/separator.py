"""Separator sheets to print; what they tell is `separator_code`."""

from collections.abc import Sequence
from datetime import datetime

from fpdf import FPDF

from repatria import __version__
from repatria.i18n import speaker
from repatria.paper.qr import qr_modules
from repatria.paper.separator_code import NARROW, PATCH_T, SeparatorCode
from repatria.paper.sheet import printable

_WIDTH, _HEIGHT = 210.0, 297.0
_FROM_EDGE = 8.0
_ACROSS = (35.0, 175.0)
"""From where to where the bars run along the short edges, and along the long ones."""
_DOWN = (60.0, 237.0)
_QR_SIDE = 62.0
_SANS = "helvetica"


def draw_separators(codes: Sequence[SeparatorCode], made: datetime) -> bytes:
    """Return a PDF with an A4 sheet for each code, in French: who feeds the scanner reads it."""
    _ = speaker("fr")
    pdf = FPDF(orientation="portrait", unit="mm", format="A4")
    pdf.core_fonts_encoding = "windows-1252"
    pdf.set_margin(0)
    pdf.set_auto_page_break(False)
    pdf.set_title(printable(_("Separator sheets")))
    pdf.set_lang("fr")
    pdf.set_creator(f"Repatria {__version__}")
    pdf.set_creation_date(made)
    for code in codes:
        pdf.add_page()
        _draw_patches(pdf)
        _draw_code(pdf, code)
        _draw_words(pdf, code)
    return bytes(pdf.output())


def _draw_patches(pdf: FPDF) -> None:
    """Draw Patch T along all four edges, so that the sheet may be fed either way round."""
    place = _FROM_EDGE
    for bar in PATCH_T:
        left, right = _ACROSS
        pdf.rect(left, place, right - left, bar, style="F")
        pdf.rect(left, _HEIGHT - place - bar, right - left, bar, style="F")
        top, bottom = _DOWN
        pdf.rect(place, top, bar, bottom - top, style="F")
        pdf.rect(_WIDTH - place - bar, top, bar, bottom - top, style="F")
        place += bar + NARROW


def _draw_code(pdf: FPDF, code: SeparatorCode) -> None:
    modules = qr_modules(code.payload)
    side = _QR_SIDE / len(modules)
    left, top = (_WIDTH - _QR_SIDE) / 2, 60.0
    for row, values in enumerate(modules):
        column = 0
        while column < len(values):
            end = column
            while end < len(values) and values[end] == values[column]:
                end += 1
            if values[column]:
                pdf.rect(left + column * side, top + row * side, (end - column) * side, side * 1.01, style="F")
            column = end


def _draw_words(pdf: FPDF, code: SeparatorCode) -> None:
    _ = speaker("fr")
    pdf.set_xy(40, 134)
    pdf.set_font(_SANS, "B", 22)
    pdf.multi_cell(130, 10, printable(_("SEPARATOR SHEET")), align="C", new_x="LEFT", new_y="NEXT")
    if code.cote:
        pdf.set_font(_SANS, "B", 30 if len(code.cote) <= 24 else 14)
        pdf.multi_cell(130, 13, printable(code.cote), align="C", new_x="LEFT", new_y="NEXT")
    pdf.set_font(_SANS, "", 12)
    for sentence in (
        _("Lay this sheet before the first page of each document, then scan the stack in one go."),
        _("Print it at its real size (100 %), in black on white, on one side. Do not fold, staple or photocopy it."),
        _("A new document begins behind it. It stays in the scans that are kept, and is no page of a document."),
        _("It can be used again as long as its bars are clean."),
    ):
        pdf.set_y(pdf.get_y() + 3)
        pdf.set_x(40)
        pdf.multi_cell(130, 6, printable(sentence), align="C", new_x="LEFT", new_y="NEXT")
