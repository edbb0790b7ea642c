"""What a separator sheet tells, and its bars: docs/formats/separator.md.

Apart from the drawing of sheets: who reads scans needs no library that writes PDF.
"""

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, quote

SCHEME = "repatria:separator/1"
LONGEST_COTE = 200
"""Characters."""
INCH = 25.4
NARROW, WIDE = 0.08 * INCH, 0.20 * INCH
"""Millimetres of the bars of a patch code; the spaces between them are narrow."""
PATCH_T = (NARROW, WIDE, NARROW, WIDE)
"""Its bars, from the edge of the sheet inwards: narrow, wide, narrow, wide."""


@dataclass(frozen=True, slots=True)
class SeparatorCode:
    """What a separator sheet tells: another document begins behind it."""

    cote: str = ""
    """The archivist's reference of what follows; empty: not told."""

    @property
    def payload(self) -> str:
        """The text of the QR code."""
        return f"{SCHEME}?cote={quote(self.cote, safe='')}" if self.cote else SCHEME

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a QR code; None if it is no separator's. What a stranger printed is cut to what a cote may be."""
        scheme, _mark, query = text.partition("?")
        if scheme != SCHEME:
            return None
        told = parse_qs(query, errors="replace", max_num_fields=16).get("cote", [""])[0]
        cote = "".join(character for character in told if character.isprintable()).strip()
        return cls(cote[:LONGEST_COTE])
