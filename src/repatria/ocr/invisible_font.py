"""A font that draws nothing and says everything: what makes the words over a scanned page selectable.

One TrueType glyph, half as wide as high, stands for every character; a document's own table maps character codes to
Unicode (ToUnicode), so that any script, and any character beyond the basic plane, can be selected and searched. The
glyph is a line there and back: it has no area, so nothing is drawn, but extents, without which PDFium skips words.
PDF/A-2 (ISO 19005-2, 6.2.11) wants the font embedded, widths that agree, and no reference to glyph 0.
"""

import struct
from collections.abc import Iterable

UNITS = 1000
ADVANCE = 500
ASCENT, DESCENT = 800, -200
NAME = "RepatriaInvisible"
_TABLE_VERSION = 0x00010000
_GLYPHS = 2


class CharacterCodes:
    """Two-byte codes for the characters of one document, from 1 in order of first use."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def encode(self, text: str) -> bytes:
        """Return the codes of a text; a 65,536th different character has no code and is left out."""
        codes = (self._codes.setdefault(character, len(self._codes) + 1) for character in text if self._fits(character))
        return b"".join(code.to_bytes(2) for code in codes)

    def to_unicode(self) -> bytes:
        """Return the ToUnicode map (PDF 32000-1, 9.10.3)."""
        entries = [
            f"<{code:04x}> <{character.encode('utf-16-be', 'replace').hex()}>"
            for character, code in self._codes.items()
        ]
        blocks = [entries[start : start + 100] for start in range(0, len(entries), 100)]
        body = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
        return (
            "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
            "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
            "1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n"
            f"{body}\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
        ).encode("ascii")

    def glyph_map(self) -> bytes:
        """Return the CIDToGIDMap: code 0 is nothing, every other is the one empty glyph."""
        return bytes(2) + (1).to_bytes(2) * len(self._codes)

    def _fits(self, character: str) -> bool:
        return character in self._codes or len(self._codes) < 0xFFFF


def font_program() -> bytes:
    """Return the TrueType font: an empty glyph 0 (.notdef) and glyph 1 (https://learn.microsoft.com/typography/opentype)."""
    tables = {
        b"cmap": struct.pack(">HHHHL", 0, 1, 3, 1, 12) + struct.pack(">HHHHHHH", 4, 24, 0, 2, 2, 0, 0) + _NO_CHARACTERS,
        b"glyf": _GLYPH,
        b"head": struct.pack(
            ">LLLLHHQQhhhhHHhhh",
            _TABLE_VERSION,
            _TABLE_VERSION,
            0,
            0x5F0F3CF5,
            0b1011,
            UNITS,
            0,
            0,
            0,
            DESCENT,
            ADVANCE,
            ASCENT,
            0,
            8,
            2,
            0,
            0,
        ),
        b"hhea": struct.pack(
            ">LhhhHhhhhhhhhhhhH",
            _TABLE_VERSION,
            ASCENT,
            DESCENT,
            0,
            ADVANCE,
            *(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0),
            _GLYPHS,
        ),
        b"hmtx": struct.pack(">HhHh", ADVANCE, 0, ADVANCE, 0),
        b"loca": struct.pack(">HHH", 0, 0, len(_GLYPH) // 2),
        b"maxp": struct.pack(">LHHHHHHHHHHHHHH", _TABLE_VERSION, _GLYPHS, *(2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)),
        b"post": struct.pack(">LLhhLLLLL", 0x00030000, 0, -100, 50, 1, 0, 0, 0, 0),
    }
    return _assembled(tables)


_GLYPH = struct.pack(
    ">hhhhhHHBBhhhh", 1, 0, DESCENT, ADVANCE, ASCENT, 1, 0, 1, 1, 0, ADVANCE, DESCENT, ASCENT - DESCENT
)
"""One contour of two points: from the lower left to the upper right corner, and back."""
_NO_CHARACTERS = struct.pack(">HHHHH", 0xFFFF, 0, 0xFFFF, 1, 0)
"""The one segment that every cmap of format 4 ends with: our characters are reached by glyph number only."""


def _assembled(tables: dict[bytes, bytes]) -> bytes:
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    header = struct.pack(">LHHHH", _TABLE_VERSION, count, power * 16, power.bit_length() - 1, (count - power) * 16)
    offset = len(header) + 16 * count
    directory, body, head_at = b"", b"", 0
    for tag, data in sorted(tables.items()):
        head_at = offset if tag == b"head" else head_at
        directory += tag + struct.pack(">LLL", _checksum(data), offset, len(data))
        padded = data + bytes(-len(data) % 4)
        body += padded
        offset += len(padded)
    font = bytearray(header + directory + body)
    font[head_at + 8 : head_at + 12] = ((0xB1B0AFBA - _checksum(bytes(font))) & 0xFFFFFFFF).to_bytes(4)
    return bytes(font)


def _checksum(data: bytes) -> int:
    padded = data + bytes(-len(data) % 4)
    return sum(_words(padded)) & 0xFFFFFFFF


def _words(data: bytes) -> Iterable[int]:
    return (value for (value,) in struct.iter_unpack(">L", data))
