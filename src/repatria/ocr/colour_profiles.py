"""Colour profiles (ICC.1:2010) that a PDF/A needs to say what its colours mean."""

import functools
import itertools
import struct

from PIL import ImageCms

_VERSION = struct.pack(">L", 0x04200000)  # 4.2, the latest that PDF 1.7 knows
_SRGB_TO_XYZ = (
    *(0.4360747, 0.3850649, 0.1430804),
    *(0.2225045, 0.7168786, 0.0606169),
    *(0.0139322, 0.0971045, 0.7141733),
)
"""Linear sRGB to XYZ under D50 (Lindbloom)."""
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
"""IEC 61966-2-1 as ICC's parametric curve of type 3."""
_D50 = (0.9642, 1.0, 0.8249)
_XYZ_SCALE = 32768 / 65535
"""Profiles' tables hold XYZ from 0 to 1 + 32767/32768 as 0 to 1 (6.3.4.2)."""
_STEPS = 5
"""Of each ink in the lattice: two would do if all readers took black into account between them; lcms 2.17 does not."""
_MOST_BYTES = 4 << 20


@functools.cache
def srgb() -> bytes:
    """Return the profile of sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[8:12] = _VERSION
    return bytes(profile)


@functools.cache
def plain_cmyk() -> bytes:
    """Return a profile of four inks that multiply: red is (1 - cyan)(1 - black), and so on.

    It is how Pillow and most viewers show CMYK that comes without a profile, said in the form that PDF/A wants.
    """
    tags = {
        b"A2B0": _to_xyz(),
        b"cprt": _text("Public domain"),
        b"desc": _text("Plain CMYK"),
        b"wtpt": b"XYZ \x00\x00\x00\x00" + _fixed(*_D50),
    }
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">L", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">LL", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(
        ">L4x4s4s4s4s12s4s28x", offset + len(body), _VERSION, b"scnr", b"CMYK", b"XYZ ", bytes(12), b"acsp"
    )
    return (header + _fixed(*_D50)).ljust(128, b"\x00") + table + body


def is_of_cmyk(profile: bytes) -> bool:
    """Tell whether bytes look like a profile of CMYK that a PDF may hold."""
    return (
        128 < len(profile) <= _MOST_BYTES
        and int.from_bytes(profile[:4]) == len(profile)
        and profile[8] in (2, 4)
        and profile[12:16] in (b"prtr", b"scnr", b"spac")
        and (profile[16:20], profile[36:40]) == (b"CMYK", b"acsp")
    )


def _to_xyz() -> bytes:
    """Return the table from CMYK to XYZ (lutAToBType, 10.10): a lattice of inks, curves, matrix."""
    steps = [step / (_STEPS - 1) for step in range(_STEPS)]
    lattice = bytes(
        round(255 * (1 - ink) * (1 - black))
        for cyan, magenta, yellow, black in itertools.product(steps, repeat=4)
        for ink in (cyan, magenta, yellow)
    )
    straight = b"curv" + bytes(8)
    curve = b"para" + struct.pack(">LHH", 0, 3, 0) + _fixed(*_SRGB_CURVE)
    parts = [
        straight * 3,
        _fixed(*(value * _XYZ_SCALE for value in _SRGB_TO_XYZ), 0, 0, 0),
        curve * 3,
        bytes([_STEPS] * 4 + [0] * 12) + b"\x01\x00\x00\x00" + lattice + bytes(-len(lattice) % 4),
        straight * 4,
    ]
    offsets, position = [], 32
    for part in parts:
        offsets.append(position)
        position += len(part)
    return b"mAB " + struct.pack(">LBBH5L", 0, 4, 3, 0, *offsets) + b"".join(parts)


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">LLL2s2sLL", 0, 1, 12, b"en", b"US", len(data), 28) + data


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">l", round(value * 65536)) for value in values)
