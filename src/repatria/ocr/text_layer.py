"""The invisible words over a page: PDF operators that put each word where its picture is."""

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from repatria.ocr.invisible_font import ADVANCE, ASCENT, DESCENT, UNITS, CharacterCodes
from repatria.ocr.words import Box, PageText, Word, hull

FONT_NAME = "RepatriaInvisible"
"""Under which page resources hold the font."""
_TALLEST = 1.8
_NEAR = 0.5
"""Points: a word that begins so near to where the one before it ended needs no operator of its own to be placed."""
_LIKE = 0.04
"""By how much of its width a word may be shown too wide or too narrow, to save an operator."""
_SNUG = 0.15
"""The same, where the space behind the word then ends where the next word begins."""
_LEAST = 0.06
"""Points of width and height below which nothing is shown: its size would be written as 0."""
_DECIMALS = 1
"""Of points: a tenth is a pixel at 720 dpi."""
_INVISIBLE = 3

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ToUserSpace:
    """From pixels of the page as shown (y downwards) to user space: (a x + c y + e, b x + d y + f)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def __call__(self, point: Point) -> Point:
        """Map one point."""
        x, y = point
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    @classmethod
    def of_image(cls, height: int, dpi: float) -> "ToUserSpace":
        """Return the map of a page that is an image: its corner is the origin, 72 points an inch."""
        scale = 72 / dpi
        return cls(scale, 0, 0, -scale, 0, height * scale)

    @classmethod
    def of_page(cls, page: PageText, crop: tuple[float, float, float, float], rotation: int) -> "ToUserSpace":
        """Return the map of a page of a PDF, shown cut to `crop` (left, bottom, right, top) and turned by /Rotate."""
        left, bottom, right, top = crop
        across, up = (right - left), (top - bottom)
        if rotation % 180:
            x, y = up / page.width, across / page.height
        else:
            x, y = across / page.width, up / page.height
        return {
            0: cls(x, 0, 0, -y, left, top),
            90: cls(0, x, y, 0, left, bottom),
            180: cls(-x, 0, 0, y, right, bottom),
            270: cls(0, -x, -y, 0, right, top),
        }[rotation % 360]


def operators(page: PageText, to_user: ToUserSpace, codes: CharacterCodes) -> bytes:
    """Return the content stream of a page's words; empty if it has none."""
    runs = [run for block in page.blocks() for line in block for run in _line_runs(page, line, to_user, codes)]
    if not runs:
        return b""
    pen = _Pen()
    return b"\n".join([b"q BT %d Tr" % _INVISIBLE, *map(pen.show, runs), b"ET Q", b""])


@dataclass(frozen=True, slots=True)
class _Run:
    """A word and the space behind it, shown with one operator."""

    encoded: bytes
    count: int
    """Characters of the word."""
    size: float
    """Of the font, in user space."""
    width: float
    """Of the word, in user space."""
    room: float | None
    """From where the word begins to where the next of its line does; None behind the last, where there is no space."""
    matrix: tuple[float, float, float, float]
    """Where the text runs, and where it stands up, as unit vectors."""
    origin: Point
    """Where its baseline begins, in user space."""


class _Pen:
    """Writes runs with as few operators as they need: the layer of a page of fax shall not weigh what its picture does.

    It knows where viewers stand after each operator, from the numbers as they were written: rounding adds up nowhere.
    """

    def __init__(self) -> None:
        self._matrix: tuple[float, float, float, float] | None = None
        self._line: Point = (0.0, 0.0)
        self._end: Point = (0.0, 0.0)
        self._size = 0.0
        self._stretch = 0

    def show(self, run: _Run) -> bytes:
        """Return the operators that show a run."""
        written: list[str] = []
        size = round(run.size, _DECIMALS)
        if size != self._size:
            self._size = size
            written.append(f"/{FONT_NAME} {_figure(size, _DECIMALS)} Tf")
        stretch = self._stretch_of(run)
        if stretch != self._stretch:
            self._stretch = stretch
            written.append(f"{stretch} Tz")
        matrix = (round(run.matrix[0], 5), round(run.matrix[1], 5), round(run.matrix[2], 5), round(run.matrix[3], 5))
        if matrix != self._matrix:
            self._matrix = matrix
            self._line = self._end = round(run.origin[0], _DECIMALS), round(run.origin[1], _DECIMALS)
            figures = (*(_figure(value, 5) for value in matrix), *(_figure(value, _DECIMALS) for value in self._line))
            written.append(f"{' '.join(figures)} Tm")
        elif math.dist(self._end, run.origin) > _NEAR:
            written.append(self._move(run.origin, matrix))
        characters = run.count + (run.room is not None)
        advance = characters * self._advance(stretch)
        self._end = self._end[0] + advance * matrix[0], self._end[1] + advance * matrix[1]
        return " ".join(written).encode("ascii") + _literal(run.encoded) + b"Tj"

    def _advance(self, stretch: float) -> float:
        """Return the points that a character takes."""
        return stretch / 100 * self._size * ADVANCE / UNITS

    def _stretch_of(self, run: _Run) -> int:
        """Return the per cent by which to stretch a run: as the one before it where that does."""
        unit = self._advance(100) / 100
        wanted = run.width / run.count / unit
        if run.room is not None:
            snug = run.room / (run.count + 1) / unit
            if abs(snug - wanted) <= _SNUG * wanted:
                stays = (run.count + 1) * unit * abs(self._stretch - snug) <= _NEAR
                return self._stretch if stays else max(1, round(snug))
        return self._stretch if abs(self._stretch - wanted) <= _LIKE * wanted else max(1, round(wanted))

    def _move(self, origin: Point, matrix: tuple[float, float, float, float]) -> str:
        """Return the operator that begins a line elsewhere: by how far, along the text and across it."""
        a, b, c, d = matrix
        x, y = _between(self._line, origin)
        determinant = a * d - b * c
        along, across = (d * x - c * y) / determinant, (a * y - b * x) / determinant
        along, across = round(along, _DECIMALS), round(across, _DECIMALS)
        self._line = self._line[0] + along * a + across * c, self._line[1] + along * b + across * d
        self._end = self._line
        return f"{_figure(along, _DECIMALS)} {_figure(across, _DECIMALS)} Td"


def _literal(encoded: bytes) -> bytes:
    """Return a string of a content stream (PDF 32000-1, 7.3.4.2)."""
    return b"(" + re.sub(rb"([()\\])", rb"\\\1", encoded) + b")"


def _figure(value: float, decimals: int) -> str:
    """Return a number as short as it can be written."""
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:.0f}"
    return "0" if text in ("", "-0") else text


def _line_runs(page: PageText, line: Sequence[Word], to_user: ToUserSpace, codes: CharacterCodes) -> Iterator[_Run]:
    """Yield the words of a line: they share top and bottom, so that selecting runs on."""
    whole = hull(word.box for word in line)
    usual = median(word.box.height for word in line)
    for word, after in pairwise([*line, None]):
        assert word is not None  # noqa: S101 -- None stands after the last only
        # A speck read as a tall letter must not stretch its whole line.
        box = Box(word.box.left, whole.top, word.box.right, whole.bottom)
        if whole.height > _TALLEST * usual:
            box = word.box
        run = _run(page, word.text, box, to_user, codes, _gap(word.box, after.box) if after else None)
        if run is not None:
            yield run


def _run(
    page: PageText, text: str, box: Box, to_user: ToUserSpace, codes: CharacterCodes, gap: float | None
) -> _Run | None:
    """Return the run that stretches a word over a box of the straight page, None where there is no room.

    `gap` are the pixels to the next word. On a skewed page each word stays level and only its place follows the slope:
    readers (poppler) break a word whose baseline moves by more than half a point. Arabic is shown from right to left by
    a mirrored matrix, characters in logical order, as Tesseract's own PDFs do.
    """
    shown = [code for code in map(codes.encode, text) if code]
    middle_x, middle_y = page.shown_point((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    baseline = middle_y + box.height * (0.5 + DESCENT / (ASCENT - DESCENT))
    half = -box.width / 2 if _is_leftwards(text) else box.width / 2
    origin = to_user((middle_x - half, baseline))
    along = _between(origin, to_user((middle_x + half, baseline)))
    upward = _between(origin, to_user((middle_x - half, baseline - box.height)))
    width, size = math.hypot(*along), math.hypot(*upward)
    if not shown or width <= _LEAST or size <= _LEAST:
        return None
    matrix = along[0] / width, along[1] / width, upward[0] / size, upward[1] / size
    room = None if gap is None else width * (1 + gap / box.width)
    encoded = b"".join([*shown, b"" if room is None else codes.encode(" ")])
    return _Run(encoded, len(shown), size, width, room, matrix, origin)


def _between(start: Point, end: Point) -> Point:
    return end[0] - start[0], end[1] - start[1]


def _gap(word: Box, after: Box) -> float:
    """Return the pixels from a word to the next, whichever way the line runs; 0 where they touch."""
    left, right = (word.right, after.left) if after.left >= word.left else (after.right, word.left)
    return max(0.0, right - left)


def _is_leftwards(text: str) -> bool:
    """Tell whether a word is written from right to left: by its first strong character."""
    strong = (unicodedata.bidirectional(character) for character in text)
    return next((kind for kind in strong if kind in ("L", "R", "AL")), "L") != "L"
