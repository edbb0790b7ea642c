"""Reading order: tables are read row by row, whatever blocks an engine saw in them.

Engines take the columns of a register or a list for columns of text and give one after the other: a patient's name then
stands far from the date beside it. A table is told from text in columns by its many short pieces side by side.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median
from unicodedata import bidirectional

from repatria.ocr.words import Box, Word, hull

LEAST_COLUMNS = 3
SHORT_PIECE = 3.0
"""Words; text in columns has more to a line."""
ENOUGH_OF_THE_PAGE = 0.25
"""Share of the pieces that must stand in such rows; on pages of text, columns and letters it is about 0."""
_SAME_ROW = 0.5


@dataclass(frozen=True, slots=True)
class _Piece:
    """A line as the engine saw it: in a table, one cell's."""

    words: tuple[Word, ...]
    box: Box

    @property
    def middle(self) -> float:
        return (self.box.top + self.box.bottom) / 2


def in_reading_order(words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the words as a person reads them: a table's row by row, in one block; all others as the engine did."""
    pieces = [_piece(line) for _number, line in groupby(words, key=lambda word: word.line)]
    if not is_table(pieces):
        return tuple(words)
    rightwards = not _is_leftwards(words)
    ordered: list[Word] = []
    for number, row in enumerate(_rows(pieces)):
        for piece in sorted(row, key=lambda piece: piece.box.left if rightwards else -piece.box.right):
            ordered += [replace(word, line=number, block=0) for word in piece.words]
    return tuple(ordered)


def is_table(pieces: Sequence[_Piece]) -> bool:
    """Tell whether much of a page stands in rows of at least LEAST_COLUMNS short pieces."""
    if len(pieces) < 2 * LEAST_COLUMNS or median(len(piece.words) for piece in pieces) > SHORT_PIECE:
        return False
    in_rows = sum(_neighbours(piece, pieces) >= LEAST_COLUMNS - 1 for piece in pieces)
    return in_rows > ENOUGH_OF_THE_PAGE * len(pieces)


def _piece(line: Iterator[Word]) -> _Piece:
    words = tuple(line)
    return _Piece(words, hull(word.box for word in words))


def _neighbours(piece: _Piece, pieces: Sequence[_Piece]) -> int:
    return sum(other is not piece and _shares_row(piece.box, other.box) for other in pieces)


def _shares_row(one: Box, other: Box) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    beside = one.right <= other.left + 1 or other.right <= one.left + 1
    return beside and shared > _SAME_ROW * min(one.height, other.height)


def _rows(pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
    """Yield the pieces row by row, from the top: a piece whose middle is within the row's first one belongs to it."""
    row: list[_Piece] = []
    for piece in sorted(pieces, key=lambda piece: piece.middle):
        if row and piece.middle > row[0].middle + 0.6 * median(each.box.height for each in row):
            yield row
            row = []
        row.append(piece)
    if row:
        yield row


def _is_leftwards(words: Sequence[Word]) -> bool:
    strong = [kind for word in words for kind in map(bidirectional, word.text) if kind in ("L", "R", "AL")]
    return sum(kind != "L" for kind in strong) > len(strong) / 2
