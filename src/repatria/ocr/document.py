"""What is kept of a scan beside its own bytes: searchable PDF, plain text, ALTO."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from repatria.ocr.alto import alto, language_tag
from repatria.ocr.memory import Piece, SharedBytes, SharedSpace
from repatria.ocr.page import Form, ReadPage
from repatria.ocr.pdf_archival import image_pdf
from repatria.ocr.pdf_layered import layered_pdf, taken_pdf
from repatria.ocr.words import PageText

PAGE_BREAK = "\f"


@dataclass(frozen=True, slots=True)
class DocumentTask:
    """All that is needed to make a scan's documents anywhere."""

    scan: SharedBytes
    space: SharedSpace
    """Where the PDF is laid."""
    form: Form
    pages: tuple[ReadPage, ...]
    """In order, numbered from 1; of a scan that holds several documents, those of this one."""
    whole: bool
    """Whether the document is the scan: each page once, none left out."""
    file_name: str
    """The scan's own name, with its extension."""
    title: str
    """Of a PDF that is made of pictures; one that came in keeps its own."""
    languages: tuple[str, ...]
    engine: str
    """Name of what read the pages."""
    made: datetime
    """With a time zone."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A scan's documents."""

    pdf: SharedBytes | None
    """None where a part of a PDF could not be taken out of it."""
    text: bytes = field(repr=False)
    alto: bytes = field(repr=False)
    layered: bool = True
    """False if a PDF's words could not be laid into it: then it is the original, if that is the document."""


def derive(task: DocumentTask) -> Derived:
    """Make the documents; a plain function of a plain value, like `page.read_page`."""
    texts = [page.text for page in task.pages]
    pieces, layered = _pdf(task, texts)
    pdf = task.space.gather(pieces) if pieces is not None else None
    plain = PAGE_BREAK.join(text.text for text in texts)
    words = alto(texts, task.file_name, task.engine, task.languages, task.made)
    return Derived(pdf, plain.encode("utf-8"), words, layered)


def _pdf(task: DocumentTask, texts: Sequence[PageText]) -> tuple[list[Piece] | None, bool]:
    """Return the PDF in pieces, if there is one, and whether it has its words."""
    if task.form is not Form.PDF:
        pictures = [(page.text, page.picture) for page in task.pages]
        return image_pdf(pictures, task.title, language_tag(task.languages), task.made), True
    original = task.scan.read()
    if task.whole:
        layered = layered_pdf(original, texts)
        return layered or [original], layered is not None
    taken = taken_pdf(original, [(page.frame, page.side.part, page.text) for page in task.pages])
    return taken, taken is not None
