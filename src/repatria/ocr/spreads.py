"""Double pages: where the gutter of a spread is, that two pages can be read where one picture was taken.

Two signs count. The fold of a book throws a shadow, a dark band from top to bottom; two sheets side by side leave a
band without ink between their texts. A page on which neither is found stays one.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from repatria.ocr.preparation import Grey, flattened

SHAPES = (1.15, 2.2)
"""Width over height of what may be a spread."""
_SIDE = 800
_MIDDLE = (0.40, 0.60)
"""Where a gutter may lie, in shares of the width."""
_BESIDE = ((0.12, 0.36), (0.64, 0.88))
_SHADOW = 0.88
"""Brightness of a fold, in shares of the paper beside it."""
_LEAST_SHADOW = 0.004
"""Its breadth, in shares of the width: a ruled line is thinner."""
_LEAST_BAND = 0.025
"""Breadth of a band without ink, in shares of the width: wider than between the columns of a page."""
_INK = 0.004
"""Share of a column of pixels that is ink, above which it is no empty one."""
_TEXT = 0.01
"""Share of ink that a page with text has."""

Profile = NDArray[np.floating]


def gutter_of(grey: Grey) -> float | None:
    """Return where a spread's gutter is, in shares of its width; None if the page is no spread."""
    height, width = grey.shape
    if not SHAPES[0] <= width / height <= SHAPES[1]:
        return None
    factor = min(1.0, _SIDE / width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))
    inner = small[small.shape[0] // 12 : small.shape[0] - small.shape[0] // 12]
    fold = _fold(np.median(inner, axis=0))
    if fold is not None:
        return fold
    flat = flattened(small)[small.shape[0] // 12 : small.shape[0] - small.shape[0] // 12]
    return _band(np.mean(flat < 140, axis=0))


def _fold(brightness: Profile) -> float | None:
    """Return the middle of the dark band between two bright ones, by the median brightness of each column."""
    beside = np.concatenate([_zone(brightness, zone) for zone in _BESIDE])
    dark = _zone(brightness, _MIDDLE) < _SHADOW * np.median(beside)
    start, length = _longest(dark)
    if length < max(2.0, _LEAST_SHADOW * len(brightness)) or length == len(dark):
        return None
    deepest = int(np.argmin(_zone(brightness, _MIDDLE)[start : start + length])) + start
    return (_MIDDLE[0] * len(brightness) + deepest + 0.5) / len(brightness)


def _band(ink: Profile) -> float | None:
    """Return the middle of the widest band without ink, if there is text on both sides of it."""
    if any(np.mean(_zone(ink, zone)) < _TEXT for zone in _BESIDE):
        return None
    start, length = _longest(_zone(ink, _MIDDLE) < _INK)
    if length < _LEAST_BAND * len(ink):
        return None
    return (int(_MIDDLE[0] * len(ink)) + start + length / 2) / len(ink)


def _zone(profile: Profile, zone: tuple[float, float]) -> Profile:
    return profile[int(zone[0] * len(profile)) : int(zone[1] * len(profile))]


def _longest(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Return where the longest run of True begins, and its length."""
    padded = np.concatenate([[False], flags, [False]]).astype(np.int8)
    changes = np.flatnonzero(np.diff(padded))
    begins, ends = changes[0::2], changes[1::2]
    if not len(begins):
        return 0, 0
    longest = int(np.argmax(ends - begins))
    return int(begins[longest]), int(ends[longest] - begins[longest])
