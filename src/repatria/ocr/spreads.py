"""Double pages: where the gutter of a spread is, that two pages can be read where one picture was taken.

Two signs count. The fold of a book throws a shadow, a dark band from top to bottom; two sheets side by side leave a
band without ink between their texts. A page on which neither is found stays one.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from repatria.ocr.preparation import Grey, flattened

SHAPES = (1.15, 2.2)
"""Width over height of what may be a spread."""
_SIDE = 800
_LEAST_SIDE = 100
"""Pixels: nothing smaller is a spread."""
_MIDDLE = (0.40, 0.60)
"""Where a gutter may lie, in shares of the width."""
_BESIDE = ((0.12, 0.36), (0.64, 0.88))
_SHADOW = 0.88
"""Brightness of a fold, in shares of the paper beside it."""
_LEAST_SHADOW = 0.004
"""Its breadth, in shares of the width: a ruled line is thinner."""
_LEAST_BAND = 0.025
"""Breadth of a band without ink, in shares of the width: wider than between the columns of a page."""
_OTHER_BANDS = 0.3
"""How broad another band of the page may be, in shares of the gutter."""
_INK = 0.004
"""Share of a column of pixels that is ink, above which it is no empty one."""
_TEXT = 0.01
"""Share of ink that a page with text has."""

Kind = TypeVar("Kind", bound=np.generic)
Profile = NDArray[np.floating]


def gutter_of(grey: Grey) -> float | None:
    """Return where a spread's gutter is, in shares of its width; None if the page is no spread."""
    height, width = grey.shape
    if min(height, width) < _LEAST_SIDE or not SHAPES[0] <= width / height <= SHAPES[1]:
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
    """Return where the band without ink lies that parts two texts; None where a table has several like it.

    A page whose lines are short makes it broad on one side: its place nearest to the middle counts.
    """
    if any(np.mean(_zone(ink, zone)) < _TEXT for zone in _BESIDE):
        return None
    empty = ink < _INK
    inked = np.flatnonzero(~empty)
    first, last = inked[0], inked[-1]
    middle, reach = len(ink) / 2, (_MIDDLE[1] - _MIDDLE[0]) / 2 * len(ink)
    start, length = _longest(empty[first:last])
    start += int(first)
    others = np.concatenate([empty[first:start], [False], empty[start + length : last]])
    if length < _LEAST_BAND * len(ink) or _longest(others)[1] > _OTHER_BANDS * length:
        return None
    nearest = min(max(middle, start + 1.0), start + length - 1.0)
    return nearest / len(ink) if abs(nearest - middle) <= reach else None


def _zone(profile: NDArray[Kind], zone: tuple[float, float]) -> NDArray[Kind]:
    return profile[int(zone[0] * len(profile)) : int(zone[1] * len(profile))]


def _longest(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Return where the longest run of True begins, and its length."""
    return max(_runs(flags), key=lambda run: run[1], default=(0, 0))


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where each run of True begins, and its length."""
    padded = np.concatenate([[False], flags, [False]]).astype(np.int8)
    changes = np.flatnonzero(np.diff(padded))
    return [(int(begin), int(end - begin)) for begin, end in zip(changes[0::2], changes[1::2], strict=True)]
