"""One page, from its file's bytes to its words: decode, read, and keep the picture that its PDF will show.

`read_page` is the unit of work: a plain function of a plain value, run in a child process (`isolation`) or wherever an
executor puts it.
"""

import functools
from dataclasses import dataclass
from enum import StrEnum

from repatria.ocr.engine import Engine, EngineChoice
from repatria.ocr.looks import Sheet, read_sheet
from repatria.ocr.memory import SharedBytes
from repatria.ocr.pdf_input import TEXT_LAYER_DPI, PageFacts, PdfPage, opened_page, text_is_good
from repatria.ocr.picture import Picture, decoded, grey_of, picture_of
from repatria.ocr.words import PageText, Word


class Form(StrEnum):
    """How a scan's pages are got at."""

    IMAGE = "image"
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class PageTask:
    """All that is needed to work one page anywhere."""

    scan: SharedBytes
    form: Form
    number: int
    """From 1, within the scan."""
    frame: int
    """Where the page lies in the file, from 0."""
    engine: EngineChoice
    again: bool = False
    """Read the page though the file has a good text of its own."""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A worked page."""

    text: PageText
    picture: Picture | None
    """What its PDF shows; None where the scan is a PDF itself, whose pages stay as they are."""


def read_page(task: PageTask) -> ReadPage:
    """Work one page; UnreadablePageError if it cannot be decoded."""
    if task.form is Form.PDF:
        return _read_pdf_page(task)
    frame = decoded(task.scan.read(), task.frame)
    sheet = Sheet(grey_of(frame.image), frame.dpi, frame.dpi_known)
    text = read_sheet(sheet, task.number, _engine(task.engine))
    return ReadPage(text, picture_of(frame, text.rotation))


def picture_page(task: PageTask) -> ReadPage:
    """Decode one page and leave its words: for a page that ended the engine."""
    if task.form is Form.PDF:
        with opened_page(task.scan.read(), task.frame) as page:
            return ReadPage(_drawn_text(task.number, page.facts, (), "failed"), None)
    frame = decoded(task.scan.read(), task.frame)
    return ReadPage(PageText(task.number, *frame.image.size, frame.dpi, flags=("failed",)), picture_of(frame, 0))


def _read_pdf_page(task: PageTask) -> ReadPage:
    with opened_page(task.scan.read(), task.frame) as page:
        own = () if task.again else page.words()
        if text_is_good(own, page.facts.image_share):
            return ReadPage(_drawn_text(task.number, page.facts, own, "text-layer"), None)
        sheet = _sheet_of(page)
    return ReadPage(read_sheet(sheet, task.number, _engine(task.engine)), None)


def _sheet_of(page: PdfPage) -> Sheet:
    dpi = page.facts.rendering_dpi
    return Sheet(page.rendered(dpi), dpi, dpi_known=True)


def _drawn_text(number: int, facts: PageFacts, words: tuple[Word, ...], flag: str) -> PageText:
    """Return the text of a page that was not drawn."""
    width, height = (max(1, round(points * TEXT_LAYER_DPI / 72)) for points in (facts.width, facts.height))
    return PageText(number, width, height, TEXT_LAYER_DPI, words=words, flags=(flag,))


@functools.lru_cache(maxsize=2)
def _engine(choice: EngineChoice) -> Engine:
    """Open an engine once in a process: loading models costs as much as reading a page."""
    return choice.open()
