"""A font that draws nothing and says everything: what makes the words over a scanned page selectable.

One TrueType glyph, half as wide as high, stands for every character; a document's own table maps character codes to
Unicode (ToUnicode), so that any script, and any character beyond the basic plane, can be selected and searched. The
glyph is a line there and back: it has no area, so nothing is drawn, but extents, without which PDFium skips words.
PDF/A-2 (ISO 19005-2, 6.2.11) wants the font embedded, widths that agree, and no reference to glyph 0.
"""

import struct
from collections.abc import Iterable, Sequence

UNITS = 1000
ADVANCE = 500
ASCENT, DESCENT = 800, -200
NAME = "RepatriaInvisible"
CODE_MAP_NAME = "RepatriaCodes"
_TABLE_VERSION = 0x00010000
_GLYPHS = 2
_FIRST_ASCII, _LAST_ASCII = 0x20, 0x7E
_FIRST_BYTE, _BYTES = 0x7F, 0xE0 - 0x7F
_FIRST_PAIR, _PAIRS = 0xE000, 0x2000
_FIRST_PAIR_GLYPH = 0x100


class CharacterCodes:
    """Codes for the characters of one document: a byte for each as far as they reach, two bytes for the others.

    ASCII stands for itself, the next characters have a byte in order of first use; so a word of French or Arabic takes
    about what it takes in a text file, and deflates as well.
    """

    def __init__(self) -> None:
        self._codes: dict[str, bytes] = {}

    def __len__(self) -> int:
        """Return how many have a code, ASCII aside."""
        return len(self._codes)

    def encode(self, text: str) -> bytes:
        """Return the codes of a text; a character that comes when all codes are taken is left out."""
        return b"".join(map(self._code, text))

    def code_map(self) -> bytes:
        """Return the CMap from codes to glyphs' numbers in the font (PDF 32000-1, 9.7.5): each code is its own."""
        last = min(len(self._codes), _BYTES) + _FIRST_BYTE - 1
        ranges = [
            f"<{_FIRST_ASCII:02x}> <{_LAST_ASCII:02x}> {_FIRST_ASCII}",
            f"<{_FIRST_BYTE:02x}> <{last:02x}> {_FIRST_BYTE}",
        ]
        pairs = len(self._codes) - _BYTES
        # The last byte of a range may not pass 255 (Adobe TN 5014, 7.5): one range for each first byte.
        for first in range(0, pairs, 256):
            begin, end = _FIRST_PAIR + first, _FIRST_PAIR + min(first + 256, pairs) - 1
            ranges.append(f"<{begin:04x}> <{end:04x}> {_FIRST_PAIR_GLYPH + first}")
        if not self._codes:
            del ranges[1]
        return _character_map(CODE_MAP_NAME, "Identity", _sections("cidrange", ranges))

    def to_unicode(self) -> bytes:
        """Return the ToUnicode map (PDF 32000-1, 9.10.3)."""
        ascii_range = _sections("bfrange", [f"<{_FIRST_ASCII:02x}> <{_LAST_ASCII:02x}> <{_FIRST_ASCII:04x}>"])
        entries = [
            f"<{code.hex()}> <{character.encode('utf-16-be', 'replace').hex()}>"
            for character, code in self._codes.items()
        ]
        return _character_map("Adobe-Identity-UCS", "UCS", ascii_range + _sections("bfchar", entries))

    def glyph_map(self) -> bytes:
        """Return the CIDToGIDMap: 0 is nothing, every other is the one empty glyph."""
        pairs = max(0, len(self._codes) - _BYTES)
        return bytes(2) + (1).to_bytes(2) * (_FIRST_PAIR_GLYPH + pairs - 1)

    def _code(self, character: str) -> bytes:
        if _FIRST_ASCII <= ord(character) <= _LAST_ASCII:
            return character.encode("ascii")
        known = self._codes.get(character)
        if known is None:
            number = len(self._codes)
            if number >= _BYTES + _PAIRS:
                return b""
            known = bytes([_FIRST_BYTE + number]) if number < _BYTES else (_FIRST_PAIR + number - _BYTES).to_bytes(2)
            self._codes[character] = known
        return known


def _sections(kind: str, entries: Sequence[str]) -> str:
    """Return entries in sections of at most 100, as CMaps hold them."""
    blocks = [entries[start : start + 100] for start in range(0, len(entries), 100)]
    return "".join(f"{len(block)} begin{kind}\n" + "\n".join(block) + f"\nend{kind}\n" for block in blocks)


def _character_map(name: str, ordering: str, sections: str) -> bytes:
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        f"/CIDSystemInfo << /Registry (Adobe) /Ordering ({ordering}) /Supplement 0 >> def\n"
        f"/CMapName /{name} def\n/CMapType {2 if ordering == 'UCS' else 1} def\n"
        "2 begincodespacerange\n<20> <df>\n<e000> <ffff>\nendcodespacerange\n"
        f"{sections}endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode("ascii")


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
