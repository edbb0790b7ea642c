"""Which pages are separator sheets: by the QR code of our own, else by a Patch T along an edge.

A patch code is four bars across the way of the paper, 0.8 inches in all (Kodak A-61599): narrow bars and spaces of
0.08 inches, wide bars of 0.20. Patch T is narrow, wide, narrow, wide from the edge inwards. The same bars from the
other end are Patch 3, so the edge that they lie at decides.
"""

import numpy as np
import zxingcpp
from numpy.typing import NDArray
from PIL import Image

from repatria.ocr.preparation import Grey
from repatria.paper.separator_code import PATCH_T, SeparatorCode

QR_DPI = 150.0
PATCH_DPI = 100.0
PATCH_INCHES = 0.80
"""Four bars and three spaces."""
LEAST_LENGTH = 1.6
"""Inches over which the bars must run side by side; they are printed 2 inches long at the least."""
FARTHEST = 3.75
"""Inches from an edge within which a patch code ends."""
_QR_ONLY = zxingcpp.barcode_formats_from_str("QRCode")
_A4_INCHES = 11.69
_SIZES = (0.75, 1.3)
"""How much smaller or larger than it should be a patch may be: printers and copiers fit to the page."""
_NARROW = (0.55, 1.6)
"""In narrow bars, what a narrow bar or a space may measure; ink spreads, thresholds eat."""
_WIDE = (1.9, 3.2)
_STEP = 4
"""Columns of pixels between two that are looked at."""
_DRIFT = 2
"""Pixels by which the bars of one column may start higher or lower than those of the one before: a slope of 6
degrees, and a ragged edge."""


def separator_of(grey: Grey, dpi: float, *, dpi_known: bool) -> SeparatorCode | None:
    """Return what a separator sheet tells; None if the page is none. `dpi` counts only if the file told it."""
    inches = max(grey.shape) / dpi if dpi_known else _A4_INCHES
    code = _qr_code(_at(grey, QR_DPI, inches))
    if code is not None:
        return code
    return SeparatorCode() if has_patch_t(_at(grey, PATCH_DPI, inches)) else None


def has_patch_t(grey: Grey) -> bool:
    """Tell whether a page of PATCH_DPI has a Patch T along one of its edges."""
    dark = grey < 0.55 * float(np.percentile(grey, 80))
    return any(_at_top(np.rot90(dark, quarter)) for quarter in range(4))


def _qr_code(grey: Grey) -> SeparatorCode | None:
    for found in zxingcpp.read_barcodes(grey, formats=_QR_ONLY, try_invert=False):
        code = SeparatorCode.parse(found.text)
        if code is not None:
            return code
    return None


def _at(grey: Grey, dpi: float, inches: float) -> Grey:
    """Return the page so that its long side has `dpi` pixels an inch; it is never enlarged."""
    factor = dpi * inches / max(grey.shape)
    if factor >= 1.0:
        return grey
    height, width = grey.shape
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))


def _at_top(dark: NDArray[np.bool_]) -> bool:
    """Tell whether Patch T lies along the upper edge: in enough columns side by side, at about the same height."""
    strip = _without_specks(dark[: int(FARTHEST * PATCH_DPI), ::_STEP])
    needed = int(LEAST_LENGTH * PATCH_DPI / _STEP)
    lines: list[tuple[int, int, int]] = []  # patches found: column, where it begins, over how many columns until here
    for column, start in _patches(strip):
        lines = [line for line in lines if line[0] >= column - 1]
        beside = (count for at, place, count in lines if at == column - 1 and abs(place - start) <= _DRIFT)
        count = max(beside, default=0) + 1
        if count >= needed:
            return True
        lines.append((column, start, count))
    return False


def _without_specks(strip: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Let each pixel be what most of three are, itself and those above and below."""
    above, itself, below = strip[:-2], strip[1:-1], strip[2:]
    return (above & itself) | (itself & below) | (above & below)


def _patches(strip: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where the bars of a Patch T begin: (column, pixels from above), column by column."""
    height, width = strip.shape
    columns = np.zeros((width, height + 2), dtype=np.int8)  # a column a row, light at both ends: bars do not run on
    columns[:, 1:-1] = strip.T
    edges = np.flatnonzero(np.diff(columns.ravel()))
    begins, ends = edges[0::2], edges[1::2]
    if len(begins) < len(PATCH_T):
        return []
    bars = np.stack([(ends - begins)[bar : len(begins) - 3 + bar] for bar in range(4)])
    spaces = np.stack([(begins[1:] - ends[:-1])[space : len(begins) - 3 + space] for space in range(3)])
    total = ends[3:] - begins[:-3]
    unit = total / 10
    fits = (total >= _SIZES[0] * PATCH_INCHES * PATCH_DPI) & (total <= _SIZES[1] * PATCH_INCHES * PATCH_DPI)
    for runs in (bars[0], bars[2], *spaces):
        fits &= (runs >= _NARROW[0] * unit) & (runs <= _NARROW[1] * unit)
    for runs in (bars[1], bars[3]):
        fits &= (runs >= _WIDE[0] * unit) & (runs <= _WIDE[1] * unit)
    fits &= begins[:-3] // (height + 2) == begins[3:] // (height + 2)
    return [divmod(int(begin), height + 2) for begin in begins[:-3][fits]]
