"""The stretch of a text that shows why it was found."""

import re
from collections.abc import Sequence

from repatria.ocr.folding import Token

SNIPPET_LENGTH = 160
"""Characters of a snippet."""
MARKS = ("[", "]")
"""Before and after each word found, in a snippet."""
_SPACES = re.compile(r"\s+")


def snippet(text: str, found: Sequence[Token], length: int = SNIPPET_LENGTH) -> str:
    """Return the stretch of a text that holds most of what was found, on one line, each find between MARKS."""
    start, end = _stretch(text, found, length)
    pieces: list[str] = []
    position = start
    for token in found:
        if start <= token.start and token.end <= end:
            pieces += [text[position : token.start], MARKS[0], text[token.start : token.end], MARKS[1]]
            position = token.end
    line = _SPACES.sub(" ", "".join([*pieces, text[position:end]])).strip()
    return f"{'… ' if start else ''}{line}{' …' if end < len(text.rstrip()) else ''}"


def _stretch(text: str, found: Sequence[Token], length: int) -> tuple[int, int]:
    """Return where the snippet begins and ends: between words, around the finds that lie closest together."""
    groups = [[other for other in found if token.start <= other.start < token.start + length] for token in found]
    densest = max(groups, key=len, default=[])
    first, last = (densest[0].start, densest[-1].end) if densest else (0, 0)
    spare = max(0, length - (last - first)) // 2
    start, end = max(0, first - spare), min(len(text), last + spare)
    while 0 < start < first and not text[start - 1].isspace():
        start += 1
    while last < end < len(text) and not text[end].isspace():
        end -= 1
    return start, end
