"""How a PDF stores a picture: a file's own compressed pixels where PDF knows their coding, else encoded without loss.

What came in is embedded as it came: nothing is lost, and the PDF is no larger than the scan. Which files can be is
decided from their structure alone, after they were decoded whole.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from repatria.ocr.colour_profiles import is_of_cmyk, plain_cmyk
from repatria.ocr.encoding_jpeg import put_together, without_profile
from repatria.ocr.memory import SharedBytes, Source, content_of

Placement = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): the stored picture's point (u, v) is shown at (a u + c v + e, b u + d v + f); all are shares of
the picture's sides, v downwards."""

IDENTITY: Placement = (1, 0, 0, 1, 0, 0)
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_COLOURS = {0: "DeviceGray", 2: "DeviceRGB", 3: "Indexed"}
"""By PNG's colour types (PNG 1.2, 4.1.1); those with alpha are not kept."""
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_JP2_SPACES = {16: "DeviceRGB", 17: "DeviceGray"}
"""Enumerated colour spaces (ISO 15444-1, I.5.3.3) that PDF/A-2 allows as they are."""
_TWO_COLOURS = frozenset({0, 255})
_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 259, 262, 266
_STRIP_OFFSETS, _STRIP_LENGTHS, _JPEG_TABLES = 273, 279, 347
_GROUP4, _JPEG = 4, 7
_RGB = 2
_JPEG_COLOURS = frozenset({("L", 1), ("RGB", _RGB), ("RGB", 6), ("CMYK", 5)})
"""Modes and TIFF's photometric interpretations that JPEG has in PDF, too."""
_COLOURS = {"L": "DeviceGray", "RGB": "DeviceRGB", "CMYK": "CMYK"}
_FILTER_NONE, _FILTER_UP = 0, 2
_ROWS = 256
_DEFLATE_LEVEL = 4
"""On grey and coloured scans 6 takes two to three times as long for a tenth less."""
_carried = SharedBytes.carried
_LASTING_DEFLATE_LEVEL = 9
"""Of fax coding, which is small."""
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as a PDF stores it: one encoded stream and how it lies on the page."""

    data: SharedBytes
    width: int
    height: int
    filter: str
    """DCTDecode, JPXDecode, CCITTFaxDecode or FlateDecode (PNG prediction)."""
    colours: str
    """DeviceGray, DeviceRGB, Indexed or CMYK."""
    bits: int
    placement: Placement = IDENTITY
    white_is_zero: bool = False
    """CCITT only: what a 0 bit means."""
    deflated: bool = False
    """Whether `data` was deflated over its own coding: fax coding knows no statistics, so that a typed page loses a
    fifth, a noisy one little."""
    palette: bytes = field(repr=False, default=b"")
    """Indexed only: red, green, blue of each colour."""
    profile: bytes = field(repr=False, default=b"")
    """CMYK only: what the inks mean (ICC)."""
    inverted: bool = False
    """CMYK only: whether 255 is no ink, as in JPEG files of Adobe's kind."""


def kept(source: Source, form: str | None, mode: str, tags: Mapping[int, Any] | None = None) -> Picture | None:
    """Return the picture of a frame as it came in its file; None if a PDF cannot show its coding.

    `form` and `mode` are Pillow's names, `tags` those of a TIFF's frame, of an image that was decoded whole.
    """
    if form == "TIFF":
        return _kept_strips(source, mode, tags or {})
    if form in ("JPEG", "MPO") and mode in ("L", "RGB", "CMYK"):
        return _kept_jpeg(content_of(source), mode)
    if form == "PNG":
        return _kept_png(content_of(source))
    if form == "JPEG2000" and mode in ("L", "RGB"):
        return _kept_jp2(content_of(source), mode)
    return None


def deflated(picture: Picture) -> Picture:
    """Return a picture deflated over its coding where that saves something."""
    data = zlib.compress(picture.data.read(), _LASTING_DEFLATE_LEVEL)
    return replace(picture, data=_carried(data), deflated=True) if len(data) < picture.data.size else picture


def encoded(image: Image.Image) -> Picture:
    """Return a picture of mode 1, L or RGB without loss, as the smaller of what PDF offers for it."""
    if image.mode == "L" and {colour for _count, colour in image.getcolors(2) or [(0, 1)]} <= _TWO_COLOURS:
        image = image.convert("1", dither=Image.Dither.NONE)
    if image.mode != "1":
        return _png_picture(image)
    # Dithered pictures are what fax coding is worst at.
    return min(deflated(_group4_picture(image)), _png_picture(image), key=lambda picture: picture.data.size)


def _kept_jpeg(file: bytes, mode: str) -> Picture | None:
    with Image.open(io.BytesIO(file)) as image:
        size, is_adobes = image.size, "adobe" in image.info
    if mode != "CMYK":
        return Picture(_carried(file), *size, "DCTDecode", _COLOURS[mode], 8)
    if not is_adobes:
        return None  # nothing tells whether 0 or 255 is no ink
    plain, profile = without_profile(file)
    known = profile if is_of_cmyk(profile) else plain_cmyk()
    return Picture(_carried(plain), *size, "DCTDecode", "CMYK", 8, profile=known, inverted=True)


def _kept_png(file: bytes) -> Picture | None:
    """Return a PNG's image data, which is PDF's Flate filter with PNG prediction; None with alpha or interlacing."""
    chunks = list(_png_chunks(file))
    kinds = {kind for kind, _data in chunks}
    width, height, bits, colours, _deflate, _filter, interlaced = struct.unpack(">IIBBBBB", chunks[0][1][:13])
    if colours not in _PNG_COLOURS or bits > 8 or interlaced or b"tRNS" in kinds:
        return None
    data = b"".join(data for kind, data in chunks if kind == b"IDAT")
    palette = next((data for kind, data in chunks if kind == b"PLTE"), b"") if colours == 3 else b""
    return Picture(_carried(data), width, height, "FlateDecode", _PNG_COLOURS[colours], bits, palette=palette)


def _png_chunks(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(_PNG_SIGNATURE)
    while position + 8 <= len(file):
        length = int.from_bytes(file[position : position + 4])
        yield file[position + 4 : position + 8], file[position + 8 : position + 8 + length]
        position += length + 12


def _kept_strips(source: Source, mode: str, tags: Mapping[int, Any]) -> Picture | None:
    """Return a TIFF's frame that is one strip of fax coding, or strips of JPEG (TIFF 6.0; TechNote 2); None if not."""
    offsets, lengths = tags.get(_STRIP_OFFSETS, ()), tags.get(_STRIP_LENGTHS, ())
    if not offsets or len(offsets) != len(lengths):
        return None
    size = int(tags[_WIDTH]), int(tags[_HEIGHT])
    compression, photometric = tags.get(_COMPRESSION), tags.get(_PHOTOMETRIC)
    if compression == _GROUP4 and mode == "1" and photometric in (0, 1) and len(offsets) == 1:
        data = content_of(source, offsets[0], lengths[0])
        data = data.translate(_MIRRORED) if tags.get(_FILL_ORDER) == 2 else data
        fax = Picture(_carried(data), *size, "CCITTFaxDecode", "DeviceGray", 1, white_is_zero=photometric == 0)
        return deflated(fax)
    if compression == _JPEG and (mode, photometric) in _JPEG_COLOURS:
        strips = [content_of(source, *strip) for strip in zip(offsets, lengths, strict=True)]
        tables = bytes(tags.get(_JPEG_TABLES, b""))
        whole = put_together(tables, strips, size[1], rgb=photometric == _RGB)
        return None if whole is None else _kept_jpeg_of_tiff(whole, size, mode)
    return None


def _kept_jpeg_of_tiff(whole: bytes, size: tuple[int, int], mode: str) -> Picture:
    profile = plain_cmyk() if mode == "CMYK" else b""
    return Picture(_carried(whole), *size, "DCTDecode", _COLOURS[mode], 8, profile=profile)


def _kept_jp2(file: bytes, mode: str) -> Picture | None:
    """Return a JPEG 2000 file as it is, if all its boxes say what PDF/A-2 (6.2.8.3) allows; None if not."""
    boxes = dict(_jp2_boxes(file)) if file.startswith(_JP2_SIGNATURE) else {}
    header = dict(_jp2_boxes(boxes.get(b"jp2h", b"")))
    spaces = [data for kind, data in _jp2_boxes(boxes.get(b"jp2h", b"")) if kind == b"colr"]
    plain = set(header) <= {b"ihdr", b"colr", b"res "} and len(spaces) == 1 and len(header.get(b"ihdr", b"")) == 14
    if not plain or spaces[0][:1] != b"\x01":
        return None
    height, width, channels, depth = struct.unpack(">IIHB", header[b"ihdr"][:11])
    colours = _JP2_SPACES.get(int.from_bytes(spaces[0][3:7]))
    if colours is None or depth != 7 or (colours, channels) != (("DeviceGray", 1) if mode == "L" else ("DeviceRGB", 3)):
        return None
    return Picture(_carried(file), width, height, "JPXDecode", colours, 8)


def _jp2_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position + 8 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        start = position + 8
        if length == 1:
            length, start = int.from_bytes(data[start : start + 8]), start + 8
        end = len(data) if length == 0 else position + length
        if end < start:
            return
        yield kind, data[start:end]
        position = end


def _group4_picture(image: Image.Image) -> Picture:
    buffer = io.BytesIO()
    rows_per_strip = 278
    bare = image.copy()  # Pillow would write tags of the file that an image came from: its order of bits
    bare.save(buffer, "TIFF", compression="group4", tiffinfo={rows_per_strip: image.height})
    file = buffer.getvalue()
    with Image.open(io.BytesIO(file)) as written:
        tags = written.tag_v2  # type: ignore[attr-defined]  # a TIFF image, as it was just written
        (start,), (length,) = tags[273], tags[279]
        white_is_zero = tags[262] == 0
    return Picture(
        _carried(file[start : start + length]),
        image.width,
        image.height,
        "CCITTFaxDecode",
        "DeviceGray",
        1,
        white_is_zero=white_is_zero,
    )


def _png_picture(image: Image.Image) -> Picture:
    """Encode as PNG does (its specification 1.2, chapter 6): rows as differences to the one above, deflated.

    Scans differ little from what PNG encoders reach who try every filter, which takes most of their time.
    """
    bits = 1 if image.mode == "1" else 8
    deflate = zlib.compressobj(_DEFLATE_LEVEL, strategy=zlib.Z_FILTERED if bits == 8 else zlib.Z_DEFAULT_STRATEGY)
    data = b"".join([*map(deflate.compress, _filtered(image, bits)), deflate.flush()])
    colours = "DeviceRGB" if image.mode == "RGB" else "DeviceGray"
    return Picture(_carried(data), *image.size, "FlateDecode", colours, bits)


def _filtered(image: Image.Image, bits: int) -> Iterator[memoryview]:
    """Yield the rows of a picture as PNG filters them, some at a time: another copy of it would be large."""
    above: NDArray[np.uint8] | None = None
    for top in range(0, image.height, _ROWS):
        bottom = min(top + _ROWS, image.height)
        rows = np.frombuffer(image.crop((0, top, image.width, bottom)).tobytes(), np.uint8).reshape(bottom - top, -1)
        filtered = np.empty((rows.shape[0], rows.shape[1] + 1), dtype=np.uint8)
        filtered[:, 0] = _FILTER_NONE if bits == 1 else _FILTER_UP
        filtered[:, 1:] = rows
        if bits == 8:
            filtered[1:, 1:] -= rows[:-1]
            if above is not None:
                filtered[0, 1:] -= above
            above = rows[-1]
        yield filtered.data
