"""Image files: decoding one frame from memory, and which picture of it a PDF carries.

Runs in a child process (`isolation`): it changes Pillow's process-global limits, and hostile files may end it.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from repatria.errors import FindingsError
from repatria.i18n import _
from repatria.ocr.encoding import IDENTITY, Picture, Placement, encoded, kept
from repatria.ocr.memory import Source
from repatria.ocr.preparation import Grey

FORMATS = ("JPEG", "PNG", "TIFF", "JPEG2000")
MAX_PIXELS = 300_000_000
"""Of one page: an A0 plan at 400 dpi."""
MAX_FRAMES = 20_000
A4_INCHES = 11.69
"""The long side that a page without a resolution is taken to have."""
_SCREEN_DPI = 100
_TOO_FINE_DPI = 2400
_REDUCED_COPY = 1  # bit 0 of TIFF's NewSubfileType

_NOT_TRANSFORMED = 0
"""Of Adobe's marker in a JPEG: its channels are red, green and blue."""
_LOSSLESS = frozenset({"FlateDecode", "CCITTFaxDecode"})
_BY_ORIENTATION: dict[int, Placement] = {
    1: IDENTITY,
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, 1, 1, 0, 0, 0),
    6: (0, 1, -1, 0, 1, 0),
    7: (0, -1, -1, 0, 1, 1),
    8: (0, -1, 1, 0, 0, 1),
}


class UnreadablePageError(FindingsError):
    """A page, or a whole scan, cannot be read; the message says why and holds no name."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame of an image file."""

    image: Image.Image
    """Upright by its tags, square pixels; colours as stored, or grey where `kept` has them."""
    dpi: float
    dpi_known: bool
    """Whether the file told it; else it is that of an A4 sheet of this size."""
    orientation: int = 1
    """The EXIF or TIFF orientation that was applied, 1..8."""
    kept: Picture | None = None
    """The file's own picture, where a PDF can show it as it is."""
    upright: Image.Image | None = None
    """Like `image`, but with pixels of the shape that the file has; None: `image` itself."""


@contextmanager
def opened(source: Source) -> Iterator[Image.Image]:
    """Open an image file in memory; whatever a decoder finds wrong with it is UnreadablePageError."""
    Image.MAX_IMAGE_PIXELS = None  # `_refuse_bomb` is exact where Pillow's limit only warns
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
                yield image
    except UnidentifiedImageError as error:
        raise UnreadablePageError(_("It is not a whole image of a known kind.")) from error
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, IndexError, EOFError, OverflowError) as error:
        # Pillow's plugins raise all of these on broken files.
        raise UnreadablePageError(_damage(error)) from error


def frames_of(source: Source) -> list[int]:
    """Return the numbers of the frames that are pages: every frame but reduced copies (thumbnails)."""
    with opened(source) as image:
        if image.format != "TIFF":
            return [0]
        count = min(getattr(image, "n_frames", 1), MAX_FRAMES)
        pages = []
        for number in range(count):
            image.seek(number)
            kind = image.tag_v2.get(254, 0) if isinstance(image, TiffImagePlugin.TiffImageFile) else 0
            if not (isinstance(kind, int) and kind & _REDUCED_COPY):
                pages.append(number)
        return pages or [0]


def decoded(source: Source, number: int) -> Frame:
    """Decode frame `number`, whole or not at all."""
    with opened(source) as image:
        image.seek(number)
        _refuse_bomb(image.width, image.height)
        orientation = int(image.getexif().get(ExifTags.Base.Orientation) or 1)
        across, down = _resolution(image)
        tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else None
        mode = image.mode
        if image.format == "JPEG" and image.info.get("adobe_transform") != _NOT_TRANSFORMED:
            image.draft("L", None)  # a quarter of the memory: the colours are in what is kept
        image.load()
        stored = kept(source, image.format, mode, tags)
        upright = ImageOps.exif_transpose(image) if orientation in _BY_ORIENTATION and orientation > 1 else image
    if orientation > 4:
        across, down = down, across
    square, dpi = _squared(upright, across, down)
    applied = orientation if orientation in _BY_ORIENTATION else 1
    if stored is not None:
        stored = replace(stored, placement=_BY_ORIENTATION[applied])
    return Frame(square, dpi, across > 0, applied, kept=stored, upright=upright if square is not upright else None)


def grey_of(image: Image.Image) -> Grey:
    """Return the picture in grey, alpha laid on white, more than 8 bits brought down to 8 without clipping."""
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(np.asarray(image))
    return np.asarray(image if image.mode == "L" else _opaque(image).convert("L"))


def picture_of(frame: Frame) -> Picture:
    """Return the picture that a PDF carries: the file's own where that can be shown and is smallest, else without loss.

    Its placement shows it upright by its tags; `placed` turns it further.
    """
    as_it_came = frame.kept
    if as_it_came is not None and (as_it_came.filter not in _LOSSLESS or not _may_be_bitonal(as_it_came)):
        return as_it_came
    made = encoded(_plain(frame.image if frame.upright is None else frame.upright))
    return as_it_came if as_it_came is not None and as_it_came.data.size <= made.data.size else made


def placed(picture: Picture, rotation: int, part: tuple[float, float] = (0.0, 1.0)) -> Picture:
    """Return a picture of which a part is shown, turned: shares of its width, then clockwise degrees.

    What lies outside the part is shown outside the page.
    """
    a, b, c, d, e, f = picture.placement
    left, width = part[0], part[1] - part[0]
    if width != 1.0:
        a, c, e = a / width, c / width, (e - left) / width
    for _quarter in range(rotation // 90 % 4):
        a, b, c, d, e, f = -b, a, -d, c, 1 - f, e  # (x, y) -> (1 - y, x)
    return replace(picture, placement=(a, b, c, d, e, f))


def _refuse_bomb(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnreadablePageError(
            _("It claims {width} x {height} pixels; at most {limit} million are read.").format(
                width=width, height=height, limit=MAX_PIXELS // 1_000_000
            )
        )


def _resolution(image: Image.Image) -> tuple[float, float]:
    """Return dots an inch across and down; 0, 0 where the file tells nothing that can be believed."""
    told = image.info.get("dpi")
    try:
        across, down = (float(value) for value in told) if told else (0.0, 0.0)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0, 0.0
    fine, coarse = max(across, down), min(across, down)
    believed = _SCREEN_DPI <= fine <= _TOO_FINE_DPI and coarse >= fine / 3  # a fax has 204 x 98
    return (across, down) if believed else (0.0, 0.0)


def _squared(image: Image.Image, across: float, down: float) -> tuple[Image.Image, float]:
    """Return the image with square pixels, and its resolution: the finer of the two, else as if it were A4."""
    if not across or not down:
        return image, min(max(max(image.size) / A4_INCHES, 70.0), 600.0)
    dpi = max(across, down)
    if abs(across - down) < 0.02 * dpi:
        return image, dpi
    size = (round(image.width * dpi / across), round(image.height * dpi / down))
    _refuse_bomb(*size)
    return image.resize(size, Image.Resampling.NEAREST if image.mode == "1" else Image.Resampling.BICUBIC), dpi


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or (image.mode == "P" and "transparency" in image.info):
        coloured = image.convert("RGBA")
        paper = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(paper, coloured).convert("L" if image.mode in ("LA", "La") else "RGB")
    return image


def _eight_bits(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Grey:
    """Bring deep grey down to 8 bits: 12-bit scanners store theirs in 16, so the range in use decides the divisor."""
    numbers = values.astype(np.float32)
    top = float(numbers.max(initial=0.0))
    full = next((limit for limit in (1.0, 255.0, 4095.0, 65535.0) if top <= limit), top)
    grey: Grey = np.clip(numbers / full * 255.0, 0, 255).astype(np.uint8)
    return grey


def _plain(image: Image.Image) -> Image.Image:
    """Return the picture in mode 1, L or RGB: alpha on white, 8 bits, a palette of greys as grey."""
    if image.mode == "1":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image)))
    image = _opaque(image)
    if image.mode == "P" and all(red == green == blue for red, green, blue in _colours(image)):
        return image.convert("L")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _colours(image: Image.Image) -> Iterator[tuple[int, int, int]]:
    palette = image.getpalette("RGB") or []
    return zip(palette[::3], palette[1::3], palette[2::3], strict=True)


def _may_be_bitonal(picture: Picture) -> bool:
    """Tell whether a picture may have two colours, which fax coding stores in less: not where it has three channels."""
    return picture.colours != "DeviceRGB"


def _damage(error: BaseException) -> str:
    """Return what is wrong, in words of ours: who reads it beside a scan knows nothing of decoders, or of English."""
    if isinstance(error, EOFError) or "truncated" in str(error):
        return _("The image is cut off: its end is missing.")
    return _("The image is damaged inside.")
