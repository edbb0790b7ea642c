"""One page, from its file's bytes to its words: decode, read, and keep the picture that its PDF will show.

`read_page` is the unit of work: a plain function of a plain value, run in a child process (`isolation`) or wherever an
executor puts it. What it finds may be two sides: a spread is split where that is wished. A separator sheet is one side
that nobody reads.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from repatria.ocr.encoding import Picture
from repatria.ocr.engine import Engine, EngineChoice
from repatria.ocr.looks import Sheet, read_sheet
from repatria.ocr.memory import SharedBytes
from repatria.ocr.pdf_input import TEXT_LAYER_DPI, PageFacts, PdfPage, opened_page, text_is_good
from repatria.ocr.picture import decoded, grey_of, picture_of, placed
from repatria.ocr.separators import QR_DPI, separator_of
from repatria.ocr.spreads import gutter_of
from repatria.ocr.words import PageText, Word
from repatria.paper.separator_code import SeparatorCode

WHOLE = (0.0, 1.0)
_SCANNED = 0.5
"""Share of a PDF's page that pictures cover, from which it may be a separator sheet or a spread."""


class Form(StrEnum):
    """How a scan's pages are got at."""

    IMAGE = "image"
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class Side:
    """What was read on one side of paper."""

    text: PageText
    part: tuple[float, float] = WHOLE
    """From where to where it lies in the frame as shown, in shares of its width: a half of a spread, or all."""
    separator: SeparatorCode | None = None
    """What it tells if it is a separator sheet."""


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
    split: bool = False
    """Read a spread as two pages."""
    known: tuple[Side, ...] = ()
    """What an earlier run read here: only the pictures are wanted."""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A worked side."""

    side: Side
    picture: Picture | None
    """What its PDF shows; None where the scan is a PDF itself, whose pages stay as they are."""
    frame: int = 0
    """Where its page lies in the scan, from 0."""

    @property
    def text(self) -> PageText:
        """What was read on it."""
        return self.side.text


def read_page(task: PageTask) -> tuple[ReadPage, ...]:
    """Work one page and return its sides in reading order; UnreadablePageError if it cannot be decoded."""
    if task.form is Form.PDF:
        return tuple(ReadPage(side, None, task.frame) for side in task.known or _read_pdf_page(task))
    frame = decoded(task.scan.source, task.frame)
    sheet = None if task.known else Sheet(grey_of(frame.image), frame.dpi, frame.dpi_known)
    code = separator_of(sheet.grey, sheet.dpi, dpi_known=sheet.dpi_known) if sheet is not None else None
    if sheet is not None and code is not None:
        return (
            ReadPage(_separator(task, sheet, code), None, task.frame),
        )  # it is in the original, and needs no picture
    picture = picture_of(frame)
    del frame  # the engine needs the memory
    sides = _read_sides(task, sheet) if sheet is not None else task.known
    return tuple(_pictured(picture, side, task.frame) for side in sides)


def picture_page(task: PageTask) -> tuple[ReadPage, ...]:
    """Decode one page and leave its words: for a page that ended the engine."""
    if task.form is Form.PDF:
        with opened_page(task.scan.source, task.frame) as page:
            return (ReadPage(Side(_drawn_text(task.number, page.facts, (), "failed")), None, task.frame),)
    frame = decoded(task.scan.source, task.frame)
    text = PageText(task.number, *frame.image.size, frame.dpi, flags=("failed",))
    return (_pictured(picture_of(frame), Side(text), task.frame),)


def _read_pdf_page(task: PageTask) -> tuple[Side, ...]:
    with opened_page(task.scan.source, task.frame) as page:
        code = _code_of(page) if page.facts.image_share > _SCANNED else None
        if code is not None:
            return (Side(_drawn_text(task.number, page.facts, (), "separator"), separator=code),)
        own = () if task.again else page.words()
        if text_is_good(own, page.facts.image_share):
            return (Side(_drawn_text(task.number, page.facts, own, "text-layer")),)
        sheet = _sheet_of(page)
    return _read_sides(task, sheet)


def _code_of(page: PdfPage) -> SeparatorCode | None:
    dpi = min(QR_DPI, page.facts.rendering_dpi)
    return separator_of(page.rendered(dpi), dpi, dpi_known=True)


def _read_sides(task: PageTask, sheet: Sheet) -> tuple[Side, ...]:
    engine = _engine(task.engine)
    gutter = gutter_of(sheet.grey) if task.split else None
    if gutter is not None:
        sides = [_read_half(task, sheet, part, engine) for part in ((0.0, gutter), (gutter, 1.0))]
        rotations = {side.text.rotation for side in sides if side.text.words}
        if rotations <= {0, 180}:  # else it is one page that lies on its side
            return tuple(reversed(sides) if rotations == {180} else sides)
    return (Side(read_sheet(sheet, task.number, engine)),)


def _read_half(task: PageTask, sheet: Sheet, part: tuple[float, float], engine: Engine) -> Side:
    left, right = (round(share * sheet.grey.shape[1]) for share in part)
    half = replace(sheet, grey=np.ascontiguousarray(sheet.grey[:, left:right]))
    text = read_sheet(half, task.number, engine)
    return Side(replace(text, flags=(*text.flags, "split")), part)


def _separator(task: PageTask, sheet: Sheet, code: SeparatorCode) -> Side:
    height, width = sheet.grey.shape
    return Side(PageText(task.number, width, height, sheet.dpi, flags=("separator",)), separator=code)


def _pictured(picture: Picture, side: Side, number: int) -> ReadPage:
    """Return a side with its picture; a separator sheet needs none."""
    shown = None if side.separator else placed(picture, side.text.rotation, side.part)
    return ReadPage(side, shown, number)


def _sheet_of(page: PdfPage) -> Sheet:
    dpi = page.facts.rendering_dpi
    return Sheet(page.rendered(dpi), dpi, dpi_known=True)


def _drawn_text(number: int, facts: PageFacts, words: Sequence[Word], flag: str) -> PageText:
    """Return the text of a page that was not drawn."""
    width, height = (max(1, round(points * TEXT_LAYER_DPI / 72)) for points in (facts.width, facts.height))
    return PageText(number, width, height, TEXT_LAYER_DPI, words=tuple(words), flags=(flag,))


@functools.lru_cache(maxsize=2)
def _engine(choice: EngineChoice) -> Engine:
    """Open an engine once in a process: loading models costs as much as reading a page."""
    return choice.open()
