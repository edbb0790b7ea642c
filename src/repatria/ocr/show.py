"""Giving a page back: from its reference to its picture, text or document."""

import io
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from repatria.bundle.chain import Chain
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import DocumentRow, ObjectRow, PageRow
from repatria.errors import UsageError
from repatria.i18n import _
from repatria.ocr.descriptions import Descriptions
from repatria.ocr.memory import SharedBytes
from repatria.ocr.standing import StandingDocument, documents_referred, newest_document

SCREEN_DPI = 200.0
"""At most, for a page's picture."""
PICTURE_SECONDS = 120.0


class Form(StrEnum):
    """In which form a page is given back."""

    PNG = "png"
    PDF = "pdf"
    TXT = "txt"
    ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class Reference:
    """What `search` prints and `show` takes: DATASET#COTE/PAGE."""

    bundle: str
    """DATASET, or anything that means a bundle."""
    cote: str
    """With the page, if there is one: only the archive tells whether a last number is a page."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference; UsageError if it is none."""
        bundle, mark, cote = text.partition("#")
        if not (bundle and mark and cote):
            raise UsageError(
                _("That is no reference to a page."),
                advice=_("Give one as `repatria search` prints it: DATASET#COTE/PAGE, in quotes."),
            )
        return cls(bundle, cote)

    def readings(self) -> list[tuple[str, int]]:
        """Return the cotes and pages that are meant, the likelier first."""
        cote, _slash, page = self.cote.rpartition("/")
        whole = (self.cote, 1)
        return [(cote, int(page)), whole] if cote and page.isascii() and page.isdigit() else [whole]


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page of an archive."""

    bundle: Bundle
    document: DocumentRow
    page: PageRow

    def object(self, form: Form) -> ObjectRow:
        """Return the object that holds the document in a form (a picture is drawn from the PDF)."""
        number = {
            Form.ORIGINAL: self.document.original,
            Form.TXT: self.document.text,
        }.get(form, self.document.pdf)
        row = self.bundle.object(number) if number is not None else None
        if row is None:
            raise UsageError(
                _("The archive holds no such form of this document."),
                advice=_("Try another: --format original."),
            )
        return row

    def read(self, form: Form) -> bytes:
        """Return the document in a form."""
        return b"".join(self.bundle.read_object(self.object(form)))


def find_page(chain: Chain, reference: Reference) -> FoundPage:
    """Return the page that a reference means, its document described as it is now; UsageError if there is none.

    A cote is the name of a document, of which the newest counts; else the archivist's own reference, whose documents
    have one page after the other.
    """
    descriptions = Descriptions(chain)
    for cote, number in reference.readings():
        found = newest_document(chain, cote)
        if found is not None:
            page = _page(found, number, descriptions)
            if page is not None:
                return page
    for cote, number in reference.readings():
        page = _page_of_dossier(chain, cote, number, descriptions)
        if page is not None:
            return page
    if descriptions.referred(reference.cote) is not None:
        raise UsageError(
            _("The archive describes {reference} and holds no scan of it.").format(reference=reference.cote),
            advice=_("`repatria search` says what is described; the paper itself was not digitised."),
        )
    raise UsageError(
        _("The archive holds no such page."),
        advice=_("`repatria search` prints references; quote them whole."),
    )


@dataclass(frozen=True, slots=True)
class PictureTask:
    """A page of a PDF to be drawn."""

    pdf: SharedBytes
    page: int
    """From 1."""
    dpi: float


def draw(task: PictureTask) -> bytes:
    """Return a page as PNG; runs in a child process, because a PDF that came in may be hostile."""
    from repatria.ocr.pdf_input import opened_page

    with opened_page(task.pdf.read(), task.page - 1) as page:
        dpi = min(task.dpi, SCREEN_DPI, page.facts.rendering_dpi)
        picture = page.picture(dpi)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", dpi=(dpi, dpi))
    return buffer.getvalue()


def _page(found: StandingDocument, number: int, descriptions: Descriptions) -> FoundPage | None:
    for page in found.pages():
        if page.page == number:
            return FoundPage(found.bundle, descriptions.newest(found.row), page)
    return None


def _page_of_dossier(chain: Chain, reference: str, number: int, descriptions: Descriptions) -> FoundPage | None:
    """Return a page by its place among all pages that stand under an archivist's reference."""
    for found in documents_referred(chain, reference, descriptions):
        if number <= found.row.pages:
            return _page(found, number, descriptions)
        number -= found.row.pages
    return None
