"""What on a page asks for a person's eye, beside words of little confidence: faint ink, letters that hang together.

Pure measures of a straight page and its words, and where they become a suspicion (docs/adr/reviewing.md). They
are suspicions: who looks at the page decides.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from repatria.ocr.preparation import Grey
from repatria.ocr.words import Box, Word

FAINT_INK = 170.0
"""Brightness, on a page whose paper was made white (255), from which the darkest ink of most words is faint."""
JOINED_SHARE = 0.6
"""Share of the longer words whose letters hang together, from which a badly read page may be handwritten."""
ASKEW = 2.0
"""Degrees of slope from which a page is better laid again."""
HANDWRITTEN_BELOW = 60.0
"""Mean confidence below which a page may be handwritten: type is read better, or not at all."""
_INK_PERCENTILE = 10
_LEAST_LETTERS = 4
_LEAST_WORDS = 5
_LETTER_GAPS = 0.4
"""Gaps a letter boundary: type has about one, cursive nearly none."""
_STROKE = 0.3
"""How far from paper to ink a pixel must be to belong to a stroke: what joins two letters is drawn lightly."""
_LEAST_SIDE = 6
_LEAST_CONTRAST = 16
"""Between ink and paper; less is a word that the engine saw on bare paper."""


def ink_brightness(flat: Grey, words: Sequence[Word]) -> float | None:
    """Return how bright the ink is, 0 black to 255 white: the median over words; None without words that show any."""
    found = [float(np.percentile(piece, _INK_PERCENTILE)) for piece in _pieces(flat, words)]
    return float(np.median(found)) if found else None


def joined_share(flat: Grey, words: Sequence[Word]) -> float | None:
    """Return the share of the longer words with hardly a white column between letters; None where too few are long.

    Typed and printed letters stand apart, cursive ones hang together.
    """
    long = [word for word in words if sum(character.isalpha() for character in word.text) >= _LEAST_LETTERS]
    if len(long) < _LEAST_WORDS:
        return None
    joined = [_gaps(piece) < _LETTER_GAPS * (len(word.text) - 1) for word in long for piece in _pieces(flat, [word])]
    return float(np.mean(joined)) if joined else None


def condition_flags(flat: Grey, words: Sequence[Word], confidence: float, skew: float) -> Iterator[str]:
    """Yield the flags `faint`, `handwriting`, `askew` of a page; `flat` is straight, boxes are in its pixels."""
    brightness = ink_brightness(flat, words)
    if brightness is not None and brightness > FAINT_INK:
        yield "faint"
    if words and confidence < HANDWRITTEN_BELOW and (joined_share(flat, words) or 0.0) >= JOINED_SHARE:
        yield "handwriting"
    if abs(skew) >= ASKEW:
        yield "askew"


def _pieces(flat: Grey, words: Sequence[Word]) -> Iterator[Grey]:
    for word in words:
        piece = _cut(flat, word.box)
        if min(piece.shape) >= _LEAST_SIDE and int(piece.max()) - int(piece.min()) >= _LEAST_CONTRAST:
            yield piece


def _cut(flat: Grey, box: Box) -> Grey:
    top, bottom = max(0, round(box.top)), max(0, round(box.bottom))
    left, right = max(0, round(box.left)), max(0, round(box.right))
    return flat[top:bottom, left:right]


def _gaps(piece: Grey) -> int:
    """Return how many runs of columns without ink stand between columns with ink."""
    dark, light = np.percentile(piece, (2, 90))
    inked: NDArray[np.bool_] = (piece < light - _STROKE * (light - dark)).any(axis=0)
    edges = np.flatnonzero(np.diff(inked.astype(np.int8)) == 1)  # where ink begins again
    return max(0, len(edges) + int(inked[0]) - 1)
