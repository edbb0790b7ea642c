"""What is kept of a scan beside its own bytes: searchable PDF, plain text, ALTO."""

from dataclasses import dataclass, field
from datetime import datetime

from repatria.ocr.alto import alto, language_tag
from repatria.ocr.memory import SharedBytes
from repatria.ocr.page import Form, ReadPage
from repatria.ocr.pdf_archival import image_pdf
from repatria.ocr.pdf_layered import layered_pdf, taken_pdf

PAGE_BREAK = "\f"


@dataclass(frozen=True, slots=True)
class DocumentTask:
    """All that is needed to make a scan's documents anywhere."""

    scan: SharedBytes
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

    pdf: bytes | None = field(repr=False)
    """None where a part of a PDF could not be taken out of it."""
    text: bytes = field(repr=False)
    alto: bytes = field(repr=False)
    layered: bool = True
    """False if a PDF's words could not be laid into it: then it is the original, if that is the document."""


def derive(task: DocumentTask) -> Derived:
    """Make the documents; a plain function of a plain value, like `page.read_page`."""
    texts = [page.text for page in task.pages]
    pdf: bytes | None
    if task.form is Form.PDF:
        original = task.scan.read()
        if task.whole:
            layered = layered_pdf(original, texts)
            pdf = layered or original
        else:
            pdf = layered = taken_pdf(original, [(page.frame, page.side.part, page.text) for page in task.pages])
    else:
        pictures = [(page.text, page.picture) for page in task.pages]
        pdf = layered = image_pdf(pictures, task.title, language_tag(task.languages), task.made)
    plain = PAGE_BREAK.join(text.text for text in texts)
    words = alto(texts, task.file_name, task.engine, task.languages, task.made)
    return Derived(pdf, plain.encode("utf-8"), words, layered is not None)
