"""What is read on a page: words, where they stand, how sure the engine is."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels down."""
        return self.bottom - self.top

    def around(self, other: "Box") -> "Box":
        """Return the smallest box that holds both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


def hull(boxes: Iterable[Box]) -> Box:
    """Return the smallest box that holds all of `boxes`; there is at least one."""
    remaining = iter(boxes)
    whole = next(remaining)
    for box in remaining:
        whole = whole.around(box)
    return whole


@dataclass(frozen=True, slots=True)
class Word:
    """One word in the engine's reading order, its characters in logical order."""

    text: str
    box: Box
    """On the straight page."""
    confidence: float | None
    """0..100; None where the text was in the file already."""
    line: int
    """Number of the line on the page, from 0; words of a line follow each other."""
    block: int
    """Number of the block on the page, from 0; lines of a block follow each other."""


@dataclass(frozen=True, slots=True)
class PageText:
    """What is known of one page once it was read."""

    number: int
    """From 1, within its document; within its scan until that is known."""
    width: int
    height: int
    """Pixels of the page as shown."""
    dpi: float
    rotation: int = 0
    """Clockwise degrees that turned the scan upright: 0, 90, 180, 270."""
    skew: float = 0.0
    """Clockwise degrees by which text lines on the shown page slope; the straight page has none."""
    words: tuple[Word, ...] = ()
    flags: tuple[str, ...] = ()
    """`blank`, `failed`, `low-confidence`, `rotated`, `skewed`, `text-layer`, `second-look`, `split`, `separator`;
    suspected: `faint`, `handwriting`, `askew`, `sideways` (docs/formats/index.md)."""

    @property
    def confidence(self) -> float | None:
        """Mean over the words that have one; None without any."""
        known = [word.confidence for word in self.words if word.confidence is not None]
        return sum(known) / len(known) if known else None

    @property
    def text(self) -> str:
        """Plain text: a line feed after each line, an empty line between blocks."""
        blocks = ("\n".join(" ".join(word.text for word in line) for line in block) for block in self.blocks())
        return "\n\n".join(blocks) + ("\n" if self.words else "")

    def blocks(self) -> Iterator[list[list[Word]]]:
        """Yield blocks, each a list of lines, each a list of words."""
        for _number, words in groupby(self.words, key=lambda word: word.block):
            yield [list(line) for _line, line in groupby(words, key=lambda word: word.line)]

    def shown_box(self, box: Box) -> Box:
        """Return the box, upright on the shown page and cut to it, around a box on the straight page."""
        corners = [
            self.shown_point(x, y)
            for x, y in (
                (box.left, box.top),
                (box.right, box.top),
                (box.right, box.bottom),
                (box.left, box.bottom),
            )
        ]
        across = [min(max(x, 0.0), float(self.width)) for x, _y in corners]
        down = [min(max(y, 0.0), float(self.height)) for _x, y in corners]
        return Box(min(across), min(down), max(across), max(down))

    def shown_point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the straight page lies on the shown page: turned by the skew about the middle."""
        angle = math.radians(self.skew)
        middle_x, middle_y = self.width / 2, self.height / 2
        right, down = x - middle_x, y - middle_y
        return (
            middle_x + right * math.cos(angle) - down * math.sin(angle),
            middle_y + right * math.sin(angle) + down * math.cos(angle),
        )
