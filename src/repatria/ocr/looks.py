"""Reading a decoded page: which looks to take at it.

No preparation wins everywhere, so a page that the first look read badly gets others; what they say together is kept
(`readings`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from PIL import Image

from repatria.ocr.condition import condition_flags
from repatria.ocr.engine import Engine, Layout
from repatria.ocr.lexicon import misread_share
from repatria.ocr.order import in_reading_order
from repatria.ocr.preparation import PREPARATIONS, Grey, flattened, ink_share, resized, skew_of, turned
from repatria.ocr.readings import Look, Reading, agreed, best_of, without_noise
from repatria.ocr.words import Box, PageText, Word

READING_DPI = 240.0
"""What pages with a known resolution are brought to: printed and typed letters are then 20 to 35 pixels high, which is
what Tesseract's models were trained on."""
READING_SIDE = 2600
"""Pixels of the long side where the resolution is not known."""
WORD_HEIGHT = 27.0
"""Pixels that a second look brings words to."""
MOST_READING_PIXELS = 50_000_000
MOST_ENLARGED = 2.0
SURE = 90.0
"""Mean confidence of a page that needs no second look, unless it has too many words that are none."""
MISREAD = 0.08
"""Share of words, one letter off from another word, above which a page was misread however sure the engine is."""
DOUBTFUL = 85.0
"""Mean confidence below which every look is taken, and any may be the best. Above it two more looks put single words
right: the first one's blocks and lines stand."""
UNSURE = 70.0
"""Mean confidence below which a page is flagged."""
PERHAPS_TURNED = 75.0
"""Mean confidence below which a page may lie on its side or head."""
_ENOUGH_TO_TURN = 1.0
_LEAST_SKEW = 0.3
_BLANK_INK = 0.0005
_BLANK_SIDE = 1200
_DARK = 110


@dataclass(frozen=True, slots=True)
class Sheet:
    """A decoded page."""

    grey: Grey
    dpi: float
    dpi_known: bool
    """Whether the file told it; else it was guessed from the size."""

    def negative(self) -> "Sheet":
        """Return the page with light and dark exchanged."""
        return replace(self, grey=255 - self.grey)

    def rotated(self, clockwise: int) -> "Sheet":
        """Return the page turned by quarters."""
        return replace(self, grey=np.ascontiguousarray(np.rot90(self.grey, -clockwise // 90)))


def read_sheet(sheet: Sheet, number: int, engine: Engine) -> PageText:
    """Return page `number`'s words on the straight page, as the best look read them and others agree."""
    sheet, tried = _positive(sheet, engine)
    sheet, rotation, tried = _upright(sheet, tried, engine)
    first = tried[-1]
    readings = [first]
    blank = not first.words and _is_blank(sheet)
    if not blank and (first.confidence < SURE or _misread(first, engine) > MISREAD):
        readings += [take(sheet, look, engine) for look in more_looks(sheet, first)]
    best = first if first.confidence >= DOUBTFUL else best_of(readings)
    words = agreed(best, [reading for reading in readings if reading is not best], engine.lexicon)
    kept = replace(best, words=without_noise(in_reading_order(words)))
    flags = _flags(rotation, kept, again=len(tried) + len(readings) > 2, blank=blank)
    height, width = sheet.grey.shape
    return PageText(
        number, width, height, sheet.dpi, rotation, kept.skew, kept.words, (*flags, *_suspicions(sheet, best))
    )


def first_look(sheet: Sheet) -> Look:
    """Return the look that every page gets: background flattened, letters brought to the size engines read best."""
    wanted = READING_DPI / sheet.dpi if sheet.dpi_known else READING_SIDE / max(sheet.grey.shape)
    return Look("flattened", _bounded(sheet, wanted))


def more_looks(sheet: Sheet, first: Reading) -> Iterator[Look]:
    """Yield further looks for a page that the first read badly."""
    factor = first.look.factor
    heights = sorted(word.box.height for word in first.words)
    if heights:
        measured = heights[len(heights) // 2] * factor
        if not 0.8 * WORD_HEIGHT <= measured <= 1.2 * WORD_HEIGHT:
            factor = _bounded(sheet, factor * min(max(WORD_HEIGHT / measured, 0.5), 2.0))
    yield Look("stretched", 0.8 * factor)
    yield Look("softened", factor)
    if first.confidence >= DOUBTFUL:
        return
    yield Look("flattened", factor, Layout.COLUMN)
    yield Look("plain", factor)
    yield Look("despeckled", factor)


def take(sheet: Sheet, look: Look, engine: Engine) -> Reading:
    """Prepare and read: resized first, so that what follows costs the same whatever the scanner gave."""
    small = resized(sheet.grey, look.factor)
    prepared = PREPARATIONS[look.preparation](small)
    skew = skew_of(prepared if look.preparation != "plain" else flattened(small))
    if abs(skew) < _LEAST_SKEW:
        skew = 0.0
    else:
        prepared = turned(prepared, skew)
    words = engine.read(Image.fromarray(prepared), READING_DPI, look.layout)
    across = prepared.shape[1] / sheet.grey.shape[1]
    down = prepared.shape[0] / sheet.grey.shape[0]
    return Reading(look, tuple(_scaled(word, across, down) for word in words), skew, prepared)


def _positive(sheet: Sheet, engine: Engine) -> tuple[Sheet, list[Reading]]:
    """Read once, a dark page as a negative, too: the words that are seen on one by mistake may be sure ones.

    Return the page in the way that it is read best, and what was read; the last reading is to be kept.
    """
    first = take(sheet, first_look(sheet), engine)
    if sheet.grey.mean() >= _DARK:
        return sheet, [first]
    negative = sheet.negative()
    other = take(negative, first.look, engine)
    return (negative, [first, other]) if best_of([first, other]) is other else (sheet, [other, first])


def _upright(sheet: Sheet, tried: list[Reading], engine: Engine) -> tuple[Sheet, int, list[Reading]]:
    """Read once more where the page seems to lie on its side or head; the last reading is to be kept."""
    first = tried[-1]
    if first.confidence >= PERHAPS_TURNED and not _runs_downwards(first.words):
        return sheet, 0, tried
    rotation = _rotation_of(sheet, engine)
    if rotation:
        turned_sheet = sheet.rotated(rotation)
        again = take(turned_sheet, first.look, engine)
        if best_of([first, again]) is again or _runs_downwards(first.words):
            return turned_sheet, rotation, [*tried, again]
    return sheet, 0, tried


def _runs_downwards(words: Sequence[Word]) -> bool:
    """Tell whether most words stand upright on end: Tesseract reads a page that lies on its side, and says nothing."""
    long = [word for word in words if len(word.text) > 2]
    return sum(word.box.height > word.box.width for word in long) > len(long) / 2


def _rotation_of(sheet: Sheet, engine: Engine) -> int:
    small = resized(sheet.grey, _bounded(sheet, READING_SIDE / max(sheet.grey.shape)))
    upright = engine.upright(Image.fromarray(flattened(small)))
    return upright.rotation if upright and upright.confidence >= _ENOUGH_TO_TURN else 0


def _misread(reading: Reading, engine: Engine) -> float:
    """Return the share of misread words; the halves of words that lines break are no words."""
    words = in_reading_order(reading.words)
    whole = [
        word.text
        for before, word in pairwise([None, *words])
        if word is not None and not word.text.endswith("-") and not (before and before.text.endswith("-"))
    ]
    return misread_share(whole, engine.lexicon)


def _flags(rotation: int, best: Reading, *, again: bool, blank: bool) -> Iterator[str]:
    if rotation:
        yield "rotated"
    if best.skew:
        yield "skewed"
    if again:
        yield "second-look"
    if blank:
        yield "blank"
    elif best.confidence < UNSURE:
        yield "low-confidence"


def _suspicions(sheet: Sheet, best: Reading) -> Iterator[str]:
    """Yield what a person should look at on a page that was read, beside how sure the engine is of its words."""
    if not best.words:
        return
    if _runs_downwards(best.words):
        yield "sideways"
    straight = _straight(sheet, best)
    across, down = sheet.grey.shape[1] / straight.shape[1], sheet.grey.shape[0] / straight.shape[0]
    words = [_scaled(word, across, down) for word in best.words]
    yield from condition_flags(straight, words, best.confidence, best.skew)


def _straight(sheet: Sheet, reading: Reading) -> Grey:
    """Return the page as `reading` saw it, flattened."""
    if reading.look.preparation == "flattened":
        return reading.prepared
    flat = flattened(resized(sheet.grey, reading.look.factor))
    return turned(flat, reading.skew) if reading.skew else flat


def _is_blank(sheet: Sheet) -> bool:
    small = resized(sheet.grey, min(1.0, _BLANK_SIDE / max(sheet.grey.shape)))
    return ink_share(flattened(small)) < _BLANK_INK


def _scaled(word: Word, across: float, down: float) -> Word:
    box = word.box
    return replace(word, box=Box(box.left / across, box.top / down, box.right / across, box.bottom / down))


def _bounded(sheet: Sheet, factor: float) -> float:
    """Keep a prepared page within memory and reason."""
    return min(factor, MOST_ENLARGED, math.sqrt(MOST_READING_PIXELS / sheet.grey.size))
