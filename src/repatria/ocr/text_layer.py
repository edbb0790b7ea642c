"""The invisible words over a page: PDF operators that put each word where its picture is."""

import math
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
    lines = [
        operator
        for block in page.blocks()
        for line in block
        for operator in _line_operators(page, line, to_user, codes)
    ]
    if not lines:
        return b""
    return b"\n".join([b"q BT %d Tr" % _INVISIBLE, *lines, b"ET Q", b""])


def _line_operators(
    page: PageText, line: Sequence[Word], to_user: ToUserSpace, codes: CharacterCodes
) -> Iterator[bytes]:
    """Yield one operator a word: words of a line share top and bottom, so that selecting runs along the line."""
    whole = hull(word.box for word in line)
    usual = median(word.box.height for word in line)
    for word, after in pairwise([*line, None]):
        assert word is not None  # noqa: S101 -- None stands after the last only
        # A speck read as a tall letter must not stretch its whole line.
        box = Box(word.box.left, whole.top, word.box.right, whole.bottom)
        if whole.height > _TALLEST * usual:
            box = word.box
        leftwards = _is_leftwards(word.text)
        yield from _shown(page, word.text, box, to_user, codes, leftwards=leftwards)
        gap = _gap(word.box, after.box, box) if after else None
        if gap:
            yield from _shown(page, " ", gap, to_user, codes, leftwards=leftwards)


def _shown(
    page: PageText, text: str, box: Box, to_user: ToUserSpace, codes: CharacterCodes, *, leftwards: bool
) -> Iterator[bytes]:
    """Yield the operators that stretch a text over a box of the straight page.

    On a skewed page each word stays level and only its place follows the slope: readers (poppler) break a word whose
    baseline moves by more than half a point. Arabic is shown from right to left by a mirrored matrix, characters in
    logical order, as Tesseract's own PDFs do.
    """
    encoded = codes.encode(text)
    middle_x, middle_y = page.shown_point((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    baseline = middle_y + box.height * (0.5 + DESCENT / (ASCENT - DESCENT))
    half = -box.width / 2 if leftwards else box.width / 2
    origin = to_user((middle_x - half, baseline))
    along = _between(origin, to_user((middle_x + half, baseline)))
    upward = _between(origin, to_user((middle_x - half, baseline - box.height)))
    width, size = math.hypot(*along), math.hypot(*upward)
    if not encoded or not width or not size:
        return
    stretch = width / (len(encoded) // 2 * size * ADVANCE / UNITS) * 100
    x, y = along[0] / width, along[1] / width
    matrix = f"{x:.5f} {y:.5f} {upward[0] / size:.5f} {upward[1] / size:.5f} {origin[0]:.3f} {origin[1]:.3f} Tm"
    yield f"/{FONT_NAME} {size:.3f} Tf {stretch:.3f} Tz {matrix} <{encoded.hex()}> Tj".encode("ascii")


def _between(start: Point, end: Point) -> Point:
    return end[0] - start[0], end[1] - start[1]


def _gap(word: Box, after: Box, line: Box) -> Box | None:
    """Return the box of the space before the next word, None where words touch or the line turns back."""
    left, right = (word.right, after.left) if after.left >= word.left else (after.right, word.left)
    return Box(left, line.top, right, line.bottom) if right - left > 0.5 else None


def _is_leftwards(text: str) -> bool:
    """Tell whether a word is written from right to left: by its first strong character."""
    strong = (unicodedata.bidirectional(character) for character in text)
    return next((kind for kind in strong if kind in ("L", "R", "AL")), "L") != "L"
