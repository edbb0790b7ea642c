"""The bordereau de versement: what a service hands over, dossier by dossier, to be signed by both sides. In French."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fpdf import FPDF
from fpdf.enums import Align, TableBordersLayout, TextEmphasis
from fpdf.fonts import FontFace

from repatria import __version__
from repatria.i18n import speaker
from repatria.paper.sheet import printable

_MARGIN = 18.0
_WIDTHS = (8, 28, 58, 26, 11, 13, 30)
"""Millimetres, of the columns: number, cote, title, dates, documents, pages, access."""
_SANS = "helvetica"
_FOOT = 20.0
_SIGNATURES = 60.0
"""Room for them, in millimetres."""


@dataclass(frozen=True, slots=True)
class SlipRow:
    """One dossier."""

    reference: str
    title: str
    dates: str
    documents: int
    pages: int
    access: str
    """Communicabilité, as the archivist wrote it."""


@dataclass(frozen=True, slots=True)
class TransferSlip:
    """What stands on the bordereau."""

    service: str
    """The service versant; empty: to be filled in by hand."""
    fonds: str
    dataset: str
    bundle: str
    statement_sha256: str
    made: datetime
    """With a time zone."""
    rows: Sequence[SlipRow]


class _Pages(FPDF):
    """A4 pages with their number at the foot."""

    def footer(self) -> None:
        _ = speaker("fr")
        self.set_y(-_FOOT + 6)
        self.set_font(_SANS, "", 8)
        self.set_text_color(80)
        told = _("Page {page} of {pages}").format(page=self.page_no(), pages="{nb}")
        self.cell(0, 5, printable(told), align=Align.R)


def draw_transfer_slip(slip: TransferSlip) -> bytes:
    """Return the bordereau as PDF, as many pages as its dossiers need."""
    _ = speaker("fr")
    pdf = _Pages(orientation="portrait", unit="mm", format="A4")
    pdf.core_fonts_encoding = "windows-1252"
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(True, _FOOT)
    pdf.set_title(printable(_("Transfer list")))
    pdf.set_lang("fr")
    pdf.set_creator(f"Repatria {__version__}")
    pdf.set_creation_date(slip.made)
    pdf.add_page()
    pdf.set_font(_SANS, "B", 20)
    pdf.cell(0, 12, printable(_("Transfer list")), new_x="LMARGIN", new_y="NEXT")
    _draw_facts(pdf, slip)
    _draw_dossiers(pdf, slip.rows)
    _draw_signatures(pdf, slip)
    return bytes(pdf.output())


def _draw_facts(pdf: FPDF, slip: TransferSlip) -> None:
    _ = speaker("fr")
    for name, value in (
        (_("Transferring service"), slip.service or "." * 60),
        (_("Fonds"), slip.fonds),
        (_("Extent"), _extent(slip)),
        (_("Digital archive"), slip.dataset),
        (_("Bundle"), slip.bundle),
        (_("SHA-256 of its statement"), slip.statement_sha256),
        (_("Drawn up on"), slip.made.strftime("%d/%m/%Y")),
    ):
        pdf.set_font(_SANS, "", 9)
        pdf.set_text_color(80)
        pdf.cell(48, 5.2, printable(name))
        pdf.set_text_color(0)
        pdf.set_font(_SANS, "B", 9)
        pdf.multi_cell(0, 5.2, printable(value), align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(4)


def _extent(slip: TransferSlip) -> str:
    documents, pages = sum(row.documents for row in slip.rows), sum(row.pages for row in slip.rows)
    _ = speaker("fr")
    return _("{dossiers} dossiers, {documents} documents, {pages} scanned pages").format(
        dossiers=len(slip.rows), documents=documents, pages=pages
    )


def _draw_dossiers(pdf: FPDF, rows: Sequence[SlipRow]) -> None:
    _ = speaker("fr")
    pdf.set_font(_SANS, "", 8)
    heading = FontFace(emphasis=TextEmphasis.B, fill_color=(230, 230, 230))
    left, right = Align.L, Align.R
    with pdf.table(
        width=sum(_WIDTHS),
        col_widths=_WIDTHS,
        text_align=(right, left, left, left, right, right, left),
        headings_style=heading,
        borders_layout=TableBordersLayout.ALL,
        line_height=4.2,
        padding=0.8,
    ) as table:
        titles = (_("No."), _("Cote"), _("Title"), _("Extreme dates"), _("Doc."), _("Pages"), _("Access"))
        table.row([printable(title) for title in titles])
        for number, row in enumerate(rows, 1):
            cells = (number, row.reference, row.title, row.dates, row.documents, row.pages, row.access)
            table.row([printable(str(cell)) for cell in cells])


def _draw_signatures(pdf: FPDF, slip: TransferSlip) -> None:
    """Leave room for two signatures, together on one page, below what they sign for."""
    _ = speaker("fr")
    if pdf.y + _SIGNATURES > pdf.h - _FOOT:
        pdf.add_page()
    pdf.ln(6)
    pdf.set_font(_SANS, "", 9)
    signed_for = f"{slip.fonds} : {_extent(slip)} ({slip.bundle})"
    pdf.multi_cell(0, 5, printable(signed_for), align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(4)
    top, half = pdf.y, pdf.epw / 2
    for place, party in enumerate((_("For the transferring service"), _("For the archives"))):
        left = pdf.l_margin + place * half
        pdf.set_xy(left, top)
        pdf.set_font(_SANS, "B", 10)
        pdf.cell(half, 6, printable(party))
        pdf.set_font(_SANS, "", 9)
        for line, label in enumerate((_("Name and capacity:"), _("Place and date:"), _("Signature and stamp:"))):
            pdf.set_xy(left, top + 9 + 9 * line)
            pdf.cell(half, 5, printable(label))
