"""JPEG as files hold it (ITU-T T.81): what of it a PDF can show as it is, and the strips of a TIFF put together.

A TIFF's strips are JPEG pictures of their own, one below the other, which share their tables. Each begins anew what
decoders carry from block to block; so does a picture after a restart marker. Put between the strips, these markers make
one picture of them without a pixel decoded.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

START, END = b"\xff\xd8", b"\xff\xd9"
_QUANTISATION, _HUFFMAN, _RESTART_INTERVAL, _SCAN = 0xDB, 0xC4, 0xDD, 0xDA
_SEQUENTIAL = frozenset({0xC0, 0xC1})
"""Frames of one scan from top to bottom, Huffman coded."""
_TABLES = frozenset({_QUANTISATION, _HUFFMAN})
_PROFILE_MARKER, _PROFILE_NAME = 0xE2, b"ICC_PROFILE\x00"
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
"""Adobe's marker of version 100, transform 0: three channels are red, green and blue."""
_BLOCK = 8
_MOST_BLOCKS = 0xFFFF


@dataclass(frozen=True, slots=True)
class _Strip:
    """The parts of a JPEG picture of one scan."""

    tables: bytes
    frame: bytes
    """Of its header, what follows height and width."""
    height: int
    width: int
    scan: bytes
    """The header of the scan, marker included."""
    coded: bytes

    @property
    def blocks(self) -> tuple[int, int]:
        """Pixels across and down of what is coded together (T.81, A.2): a channel alone is coded block by block."""
        factors = self.frame[2::3] if self.frame[0] > 1 else b"\x11"
        return _BLOCK * max(each >> 4 for each in factors), _BLOCK * max(each & 15 for each in factors)


def put_together(tables: bytes, strips: Sequence[bytes], height: int, *, rgb: bool) -> bytes | None:
    """Return one picture of a TIFF's strips; None where they are not of a kind that can be.

    `tables` is the value of JPEGTables (TIFF Technical Note 2), empty without; `rgb`: channels are colours as they are.
    """
    parts = [_parts(strip) for strip in strips]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts) or not _fit(known, height):
        return None
    first = known[0]
    across, down = first.blocks
    interval = -(-first.width // across) * (first.height // down)
    several = len(known) > 1
    if several and interval > _MOST_BLOCKS:
        return None
    head = [START, _ADOBE_RGB if rgb else b"", tables.removeprefix(START).removesuffix(END), first.tables]
    if several:
        head.append(struct.pack(">BBHH", 0xFF, _RESTART_INTERVAL, 4, interval))
    size = len(first.frame) + 7
    head.append(struct.pack(">BBHBHH", 0xFF, 0xC1, size, _BLOCK, height, first.width) + first.frame)
    coded = [known[0].coded]
    for number, part in enumerate(known[1:]):
        coded += [bytes([0xFF, 0xD0 + number % 8]), part.coded]
    return b"".join([*head, first.scan, *coded, END])


def without_profile(file: bytes) -> tuple[bytes, bytes]:
    """Return a JPEG file without its colour profile, and that profile (ICC.1, B.4); empty if it has none whole."""
    kept, pieces = [START], []
    position = len(START)
    for marker, start, end in _segments(file):
        data = file[start + 4 : end]
        if marker == _PROFILE_MARKER and data.startswith(_PROFILE_NAME):
            pieces.append(data[len(_PROFILE_NAME) :])
        else:
            kept.append(file[start:end])
        position = end
    pieces.sort(key=lambda piece: piece[0])
    whole = (
        [piece[0] for piece in pieces] == list(range(1, len(pieces) + 1)) == [*range(1, (pieces or [b"  "])[0][1] + 1)]
    )
    if not pieces or not whole:
        return file, b""
    return b"".join([*kept, file[position:]]), b"".join(piece[2:] for piece in pieces)


def _fit(strips: Sequence[_Strip], height: int) -> bool:
    """Tell whether strips differ in nothing but what is coded, and the last one in its height."""
    first = strips[0]
    alike = all(
        (one.tables, one.frame, one.width, one.scan) == (other.tables, other.frame, other.width, other.scan)
        for one, other in pairwise(strips)
    )
    even = all(strip.height == first.height for strip in strips[:-1]) and strips[-1].height <= first.height
    ends_blocks = len(strips) == 1 or first.height % first.blocks[1] == 0
    return alike and even and ends_blocks and sum(strip.height for strip in strips) == height


def _parts(strip: bytes) -> _Strip | None:
    """Return the parts of a strip; None if it is no picture of one sequential scan without restarts."""
    tables, frame = b"", b""
    for marker, start, end in _segments(strip):
        if marker in _TABLES:
            tables += strip[start:end]
        elif marker in _SEQUENTIAL and not frame:
            frame = strip[start + 4 : end]
        elif marker == _SCAN and frame and strip.endswith(END):
            coded = strip[end : -len(END)]
            if _has_markers(coded) or len(frame) < 6 or frame[0] != _BLOCK:
                return None
            height, width = struct.unpack(">HH", frame[1:5])
            return _Strip(tables, frame[5:], height, width, strip[start:end], coded)
        elif marker < 0xE0:  # not what applications say of it
            return None
    return None


def _has_markers(coded: bytes) -> bool:
    return coded.count(b"\xff") != coded.count(b"\xff\x00")


def _segments(file: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, beginning and end of each segment, to the first scan's header."""
    position = len(START)
    while position + 4 <= len(file) and file[position] == 0xFF:
        marker = file[position + 1]
        end = position + 2 + int.from_bytes(file[position + 2 : position + 4])
        yield marker, position, end
        if marker == _SCAN:
            return
        position = end
