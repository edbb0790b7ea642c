"""Making a page ready for an engine: pure functions from grey pixels to grey pixels (uint8, 0 black, 255 paper).

No preparation wins everywhere: flattening the background saves a dark note and is nearly free on a clean page, yet on
some microfilm the plain grey reads better. So each has a name, and `looks` decides which are tried.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Grey = NDArray[np.uint8]
Preparation = Callable[[Grey], Grey]

SKEW_LIMIT = 6.0
"""Degrees either way within which a skew is looked for."""
_SKEW_ROWS = 1000
_SKEW_POINTS = 60_000
_ENOUGH_INK = 500


def plain(grey: Grey) -> Grey:
    """Return the page as it is."""
    return grey


def flattened(grey: Grey) -> Grey:
    """Return the page with its paper made white: each pixel over the brightness of the paper around it.

    The paper is what stays when ink is wiped out of a small copy of the page (brightest, then median of a
    neighbourhood), smoothed and enlarged again.
    """
    image = Image.fromarray(grey)
    step = max(1, min(image.size) // 400)
    small = image.resize((max(1, image.width // step), max(1, image.height // step)), Image.Resampling.BOX)
    small = small.filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.MedianFilter(9))
    small = small.filter(ImageFilter.GaussianBlur(8))
    paper = np.asarray(small.resize(image.size, Image.Resampling.BICUBIC), dtype=np.float32)
    flat = grey / np.maximum(paper, 1.0) * 255.0
    white: Grey = np.clip(flat, 0, 255).astype(np.uint8)
    return white


def stretched(grey: Grey) -> Grey:
    """Return the page flattened, with its ink drawn out to black: for faint copies and pencil."""
    flat = flattened(grey)
    dark, light = np.percentile(flat, (1, 60))
    scaled = (flat.astype(np.float32) - dark) / max(1.0, float(light - dark)) * 255.0
    drawn: Grey = np.clip(scaled, 0, 255).astype(np.uint8)
    return drawn


def softened(grey: Grey) -> Grey:
    """Return the page smoothed, then flattened: for dithered pictures, half-tone and rough photocopies."""
    return flattened(np.asarray(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(1.5))))


def inverted(grey: Grey) -> Grey:
    """Return the page with light and dark exchanged, flattened: for negatives and white on black."""
    return flattened(255 - grey)


PREPARATIONS: Mapping[str, Preparation] = MappingProxyType(
    {"plain": plain, "flattened": flattened, "softened": softened, "stretched": stretched, "inverted": inverted}
)


def resized(grey: Grey, factor: float) -> Grey:
    """Return the page `factor` times as large."""
    height, width = grey.shape
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if size == (width, height):
        return grey
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.LANCZOS))


def turned(grey: Grey, degrees: float) -> Grey:
    """Return the page turned counter-clockwise about its middle, size kept, corners filled with its paper."""
    paper = int(np.percentile(grey, 75))
    image = Image.fromarray(grey).rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=paper)
    return np.asarray(image)


def skew_of(flat: Grey) -> float:
    """Return the clockwise degrees by which text lines of a flattened page slope; 0 if nothing can be told.

    The slope at which the ink, projected along it, falls into the sharpest rows (Postl 1986: the energy of the
    projection profile's differences), searched coarsely and then in tenths of a degree.
    """
    down, across = _ink(flat)
    if len(down) < _ENOUGH_INK:
        return 0.0

    def sharpness(degrees: float) -> float:
        rows = np.rint(down - across * np.tan(np.radians(degrees))).astype(np.int64)
        profile = np.bincount(rows - rows.min()).astype(np.float64)
        return float(np.square(np.diff(profile)).sum())

    coarse = np.arange(-SKEW_LIMIT, SKEW_LIMIT + 0.01, 0.5)
    best = max(coarse, key=sharpness)
    fine = np.arange(best - 0.5, best + 0.51, 0.1)
    return round(float(max(fine, key=sharpness)), 1)


def ink_share(flat: Grey) -> float:
    """Return the share of a flattened page's inner part that is ink: about 0 for a blank page."""
    height, width = flat.shape
    inner = flat[height // 20 : height - height // 20, width // 20 : width - width // 20]
    return float(np.mean(inner < 128)) if inner.size else 0.0


def _ink(flat: Grey) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of ink on a small copy, without its margins, where scanners leave black edges."""
    factor = min(1.0, _SKEW_ROWS / max(flat.shape))
    small = resized(flat, factor)
    height, width = small.shape
    darkness = 255 - small.astype(np.int16)
    paper, ink = np.percentile(darkness, (50, 99.5))
    mask = np.zeros(small.shape, dtype=bool)
    inner = (slice(height // 25, height - height // 25), slice(width // 25, width - width // 25))
    mask[inner] = darkness[inner] > max(30.0, paper + (ink - paper) * 0.4)
    down, across = np.nonzero(mask)
    step = len(down) // _SKEW_POINTS + 1
    return down[::step], across[::step]
