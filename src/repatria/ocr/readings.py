"""What a look at a page gave, and what several together say: the surest reading, its words put right by the others.

Two readings of a page seldom go wrong at the same word, so where others agree on another word at the same place than
the surest reading has, theirs is kept (Fiscus 1997, ROVER: votes weighed by confidence), and a word that a lexicon
knows before one that it does not: an engine is often sure of a letter that makes no word.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from repatria.ocr.engine import Layout
from repatria.ocr.lexicon import Lexicon, is_lexical
from repatria.ocr.preparation import Grey
from repatria.ocr.words import Word

NOISE = 70.0
"""Confidence at which a word is as likely noise as text, on a page that is read well."""
_BELOW_MEAN = 15.0
SAME_PLACE = 0.5
"""Share that two boxes have in common of what they cover together, from which they hold the same word."""
KNOWN_WORD = 3.0
"""Votes of a word that a lexicon knows, for one of a word that it does not."""
NOISE_LINE = 50.0
"""Mean confidence of a line below which it is noise, if it has no word of LETTERS_OF_TEXT letters."""
LETTERS_OF_TEXT = 4
NOISE_SIGN = 60.0
"""Confidence below which a word without letters and digits is noise: specks, folds, edges of the paper."""
LETTERS_OF_NOISE = 2
"""Letters of a word that is as likely noise, where text ends and margins begin."""


@dataclass(frozen=True, slots=True)
class Look:
    """One way to read a page."""

    preparation: str
    factor: float
    """Pixels of the prepared page for one of the sheet."""
    layout: Layout = Layout.AUTOMATIC


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look gave."""

    look: Look
    words: tuple[Word, ...]
    skew: float
    prepared: Grey = field(repr=False, compare=False)
    """The straight page as the engine was given it."""

    @property
    def confidence(self) -> float:
        """Mean over the words, 0 without any."""
        return sum(word.confidence or 0.0 for word in self.words) / len(self.words) if self.words else 0.0

    def worth(self, noise: float) -> float:
        """Characters read, each weighed by how far its word's confidence is above (or below) that of noise.

        A mean alone would prefer one sure word to a page of good ones. Anything is worth more than nothing.
        """
        if not self.words:
            return -math.inf
        return sum(len(word.text) * ((word.confidence or 0.0) - noise) for word in self.words)


def best_of(readings: Sequence[Reading]) -> Reading:
    """Return the reading that is worth most; what counts as noise is lower where no reading is sure of much."""
    confidences = [word.confidence or 0.0 for reading in readings for word in reading.words]
    mean = sum(confidences) / len(confidences) if confidences else 0.0
    noise = min(NOISE, mean - _BELOW_MEAN)
    return max(readings, key=lambda reading: reading.worth(noise))


def agreed(best: Reading, others: Sequence[Reading], lexicon: Lexicon) -> tuple[Word, ...]:
    """Return the words of `best`, each as most of the readings have it, votes weighed by confidence and lexicon."""
    beside = [list(_at_same_places(best.words, other.words)) for other in others]
    return tuple(_voted(word, [found[place] for found in beside], lexicon) for place, word in enumerate(best.words))


def without_noise(words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the words, in reading order, without what an engine sees in specks, folds, edges and strokes of a pencil.

    Unsure signs go, unsure lines of nothing but a few letters, and unsure words of a letter or two where a line begins
    or ends; within a line of text such a word stays, and so do figures.
    """
    lines = (tuple(line) for _number, line in groupby(words, key=lambda word: word.line))
    return tuple(word for line in lines if not _is_noise(line) for word in _trimmed(line))


def _voted(word: Word, others: Sequence[Word | None], lexicon: Lexicon) -> Word:
    votes: defaultdict[str, float] = defaultdict(float)
    surest: dict[str, float] = {}
    for each in (word, *others):
        if each is not None:
            votes[each.text] += each.confidence or 0.0
            surest[each.text] = max(surest.get(each.text, 0.0), each.confidence or 0.0)
    if len(votes) == 1:
        return replace(word, confidence=surest[word.text])
    text = max(votes, key=lambda said: votes[said] * (KNOWN_WORD if is_lexical(said, lexicon) else 1.0))
    return replace(word, text=text, confidence=surest[text])


def _at_same_places(words: Sequence[Word], others: Sequence[Word]) -> Iterator[Word | None]:
    """Yield for each word the one of `others` at the same place, None if there is none."""
    if not others:
        yield from (None for _word in words)
        return
    boxes = np.array([(each.box.left, each.box.top, each.box.right, each.box.bottom) for each in others])
    areas = _areas(boxes)
    for word in words:
        box = np.array((word.box.left, word.box.top, word.box.right, word.box.bottom))
        common = _areas(np.hstack((np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:]))))
        together = areas + word.box.width * word.box.height - common
        shares = common / np.maximum(together, 1e-9)
        nearest = int(shares.argmax())
        yield others[nearest] if shares[nearest] >= SAME_PLACE else None


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    areas: NDArray[np.float64] = sides[:, 0] * sides[:, 1]
    return areas


def _is_noise(line: Sequence[Word]) -> bool:
    if any(sum(map(str.isalnum, word.text)) >= LETTERS_OF_TEXT for word in line):
        return False
    characters = sum(len(word.text) for word in line)
    return sum(len(word.text) * _sureness(word) for word in line) < NOISE_LINE * characters


def _is_noisy_sign(word: Word) -> bool:
    return not any(map(str.isalnum, word.text)) and _sureness(word) < NOISE_SIGN


def _trimmed(line: Sequence[Word]) -> Sequence[Word]:
    words = [word for word in line if not _is_noisy_sign(word)]
    while words and _is_noisy_end(words[-1]):
        words.pop()
    while words and _is_noisy_end(words[0]):
        words.pop(0)
    return words


def _is_noisy_end(word: Word) -> bool:
    letters = sum(map(str.isalnum, word.text))
    return letters <= LETTERS_OF_NOISE and not any(map(str.isdigit, word.text)) and _sureness(word) < NOISE_SIGN


def _sureness(word: Word) -> float:
    return 100.0 if word.confidence is None else word.confidence
