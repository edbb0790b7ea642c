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
_PAPER_SIDE = 400
_INK_REACH = 4
"""Pixels of the small copy, to each side: more than half the breadth of a stroke of headline type."""
_PAPER_BLUR = 8
_WHITENING = (255.0 / np.maximum(np.arange(256), 1)).astype(np.float32)
_ROWS = 256
"""Rows that are worked at once where numbers take more room than pixels."""
_SKEW_ROWS = 1000
_SKEW_POINTS = 60_000
_ENOUGH_INK = 500


def plain(grey: Grey) -> Grey:
    """Return the page as it is."""
    return grey


def flattened(grey: Grey) -> Grey:
    """Return the page with its paper made white: each pixel over the brightness of the paper around it.

    The paper is what stays when ink is wiped out of a small copy of the page (a morphological closing), smoothed and
    enlarged again.
    """
    image = Image.fromarray(grey)
    step = max(1, min(image.size) // _PAPER_SIDE)
    small = image.resize((max(1, image.width // step), max(1, image.height // step)), Image.Resampling.BOX)
    wiped = _lowest(_highest(np.asarray(small), _INK_REACH), _INK_REACH)
    paper = Image.fromarray(wiped).filter(ImageFilter.GaussianBlur(_PAPER_BLUR))
    around = np.asarray(paper.resize(image.size, Image.Resampling.BICUBIC))
    flat: Grey = np.empty_like(grey)
    for top in range(0, len(grey), _ROWS):
        rows = slice(top, top + _ROWS)
        flat[rows] = np.minimum(_WHITENING[around[rows]] * grey[rows], 255.0)
    return flat


def stretched(grey: Grey) -> Grey:
    """Return the page flattened, with its ink drawn out to black: for faint copies and pencil."""
    flat = flattened(grey)
    dark, light = np.percentile(flat, (1, 60))
    scaled = (np.arange(256, dtype=np.float32) - dark) / max(1.0, float(light - dark)) * 255.0
    drawn: Grey = np.clip(scaled, 0, 255).astype(np.uint8)[flat]
    return drawn


def softened(grey: Grey) -> Grey:
    """Return the page smoothed, then flattened: for dithered pictures, half-tone and rough photocopies."""
    return flattened(np.asarray(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(1.5))))


def despeckled(grey: Grey) -> Grey:
    """Return the page without what is smaller than a stroke, flattened: for the dust and grain of films and faxes."""
    return flattened(np.asarray(Image.fromarray(grey).filter(ImageFilter.MedianFilter(3))))


PREPARATIONS: Mapping[str, Preparation] = MappingProxyType(
    {"plain": plain, "flattened": flattened, "softened": softened, "stretched": stretched, "despeckled": despeckled}
)


def resized(grey: Grey, factor: float) -> Grey:
    """Return the page `factor` times as large; bicubic, as sharper filters put halos around typed letters."""
    height, width = grey.shape
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if size == (width, height):
        return grey
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC))


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


def _highest(grey: Grey, reach: int) -> Grey:
    """Return for each pixel the brightest within `reach` across and down."""
    padded = np.pad(grey, reach, mode="edge")
    height, width = grey.shape
    across = padded[:, :width].copy()
    for shift in range(1, 2 * reach + 1):
        np.maximum(across, padded[:, shift : shift + width], out=across)
    found = across[:height].copy()
    for shift in range(1, 2 * reach + 1):
        np.maximum(found, across[shift : shift + height], out=found)
    return found


def _lowest(grey: Grey, reach: int) -> Grey:
    """Return for each pixel the darkest within `reach` across and down."""
    return 255 - _highest(255 - grey, reach)


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
