"""Giving a page back: from its reference to its picture, text or document."""

import io
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from repatria.bundle.chain import Chain
from repatria.bundle.index import Index
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import DocumentRow, ObjectRow, PageRow
from repatria.errors import UsageError
from repatria.i18n import _
from repatria.ocr.memory import SharedBytes

SCREEN_DPI = 200.0
"""At most, for a page's picture."""
PICTURE_SECONDS = 120.0
_COTE = (
    "SELECT number, cote, dossier, title, dates, description, original, pdf, text, alto, pages, languages, confidence"
    " FROM documents WHERE cote=? ORDER BY number DESC LIMIT 1"
)


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
    """Return the page that a reference means, of the newest document of its cote; UsageError if there is none."""
    for cote, number in reference.readings():
        found = _newest(chain, cote)
        if found is None:
            continue
        bundle, index, document = found
        for page in index.pages(document.number):
            if page.page == number:
                return FoundPage(bundle, document, page)
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


def _newest(chain: Chain, cote: str) -> tuple[Bundle, Index, DocumentRow] | None:
    for bundle in reversed(chain.bundles):
        for index in reversed(bundle.indexes()):
            for values in index.query(_COTE, (cote,)):
                return bundle, index, DocumentRow(*values)  # type: ignore[arg-type]  # the columns of the row, in order
    return None
