"""A glimpse of pages: a thumbnail of each, and the lines that were read with the least confidence.

Runs in a child process, like everything that opens what came from outside: a PDF may be the archivist's own.
"""

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from xml.etree import ElementTree

from PIL import Image

from repatria.ocr.alto import NAMESPACE
from repatria.ocr.memory import SharedBytes
from repatria.ocr.pdf_input import opened_page
from repatria.ocr.picture import UnreadablePageError

THUMBNAIL_SIDE = 420
"""Pixels of the long side."""
MOST_LINES = 4
SURE_LINE = 85.0
"""Mean confidence of a line that need not be looked at."""
GLIMPSE_SECONDS = 120.0
_JPEG_QUALITY = 60
_LEAST_DPI = 4.0
_IN_ALTO = f"{{{NAMESPACE}}}"


@dataclass(frozen=True, slots=True)
class ReadWord:
    """One word of a line, as ALTO holds it."""

    text: str
    confidence: float
    """0..100."""


@dataclass(frozen=True, slots=True)
class ReadLine:
    """One line, its words in order."""

    words: tuple[ReadWord, ...]

    @property
    def text(self) -> str:
        """The words in one string."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Mean over the words, 0..100."""
        return sum(word.confidence for word in self.words) / len(self.words)


@dataclass(frozen=True, slots=True)
class GlimpseTask:
    """Pages of one document to be glimpsed at."""

    alto: SharedBytes
    pages: tuple[int, ...]
    """From 1."""
    pdf: SharedBytes | None = None
    """None: no thumbnails are wanted."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What is shown of one page."""

    page: int
    lines: tuple[ReadLine, ...]
    """The least sure ones, in the order of the page."""
    thumbnail: bytes | None = field(repr=False, default=None)
    """JPEG; None if none was wanted or the page cannot be drawn."""
    width: int = 0
    """Pixels of the thumbnail, like `height`."""
    height: int = 0


def glimpses(task: GlimpseTask) -> tuple[Glimpse, ...]:
    """Return a glimpse of each page; a plain function of a plain value, like `page.read_page`."""
    lines = {number: read for number, read in _pages_of(task.alto.read()) if number in task.pages}
    return tuple(_glimpse(task, page, least_sure(lines.get(page, ()))) for page in task.pages)


def least_sure(lines: tuple[ReadLine, ...]) -> tuple[ReadLine, ...]:
    """Return the lines that were read worst, at most MOST_LINES, in their order."""
    unsure = [(line.confidence, place) for place, line in enumerate(lines) if line.confidence < SURE_LINE]
    return tuple(lines[place] for place in sorted(place for _confidence, place in sorted(unsure)[:MOST_LINES]))


def _glimpse(task: GlimpseTask, page: int, lines: tuple[ReadLine, ...]) -> Glimpse:
    if task.pdf is not None:
        with suppress(UnreadablePageError):
            picture = _drawn(task.pdf.read(), page)
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
            return Glimpse(page, lines, buffer.getvalue(), *picture.size)
    return Glimpse(page, lines)


def _drawn(pdf: bytes, page: int) -> Image.Image:
    with opened_page(pdf, page - 1) as opened:
        longest = max(opened.facts.width, opened.facts.height) / 72
        picture = opened.picture(max(2 * THUMBNAIL_SIDE / longest, _LEAST_DPI))
    picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return picture


def _pages_of(alto: bytes) -> Iterator[tuple[int, tuple[ReadLine, ...]]]:
    """Yield the lines of each page whose words have a confidence; a file of the bundle, by us, in a child."""
    stream = io.BytesIO(alto)
    for _event, element in ElementTree.iterparse(stream):  # noqa: S314 -- expat refuses entity bombs; a child besides
        if element.tag == f"{_IN_ALTO}Page":
            found = (_line_of(line) for line in element.iter(f"{_IN_ALTO}TextLine"))
            yield int(element.get("PHYSICAL_IMG_NR", "0")), tuple(line for line in found if line.words)
            element.clear()


def _line_of(line: ElementTree.Element) -> ReadLine:
    told = ((word.get("CONTENT", ""), word.get("WC")) for word in line.iter(f"{_IN_ALTO}String"))
    return ReadLine(tuple(ReadWord(text, 100 * float(sure)) for text, sure in told if sure is not None))
