"""A table for people: ids, dates and paths stand in one piece; sentences are broken between words."""

import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from repatria.cli.terminal import columns as columns_of
from repatria.cli.terminal import columns_wished_for

if TYPE_CHECKING:
    from repatria.cli.output import Column

BETWEEN = 2
"""Spaces between two columns of a table."""
UNBOUNDED = 4096
WIDEST_PIPED = 120
"""Columns of a table that no terminal shows, if its sentences can be broken to that: a mail, a pager, a report.
COLUMNS says another number."""
NARROWEST_SENTENCE = 32
"""What a sentence is left there, however wide the rest."""
_RULE = "─"


def print_table(stream: TextIO, columns: "Sequence[Column]", rows: Sequence[Sequence[str]]) -> None:
    """Write rows in columns; one below the other on a terminal too narrow for the columns."""
    if not stream.isatty():
        _print_piped(stream, columns, rows)
        return
    room, needed = columns_of(stream), _needed(columns, rows)
    if needed[-1] > room - sum(needed[:-1]):
        if sum(needed[:-1]) > room // 2:
            _print_blocks(stream, columns, rows)
        else:  # only the last column is too wide: the terminal itself wraps it, in one piece for who copies it
            _print_columns(stream, columns, rows, width=UNBOUNDED, folded=False, ruled=True)
        return
    _print_columns(stream, columns, rows, width=room, folded=True, ruled=True)


def _print_piped(stream: TextIO, columns: "Sequence[Column]", rows: Sequence[Sequence[str]]) -> None:
    whole = least = -BETWEEN
    for place, column in enumerate(columns):
        widest = max(len(column.title), *(len(row[place]) for row in rows))
        whole += widest + BETWEEN
        least += (min(widest, NARROWEST_SENTENCE) if column.wraps else widest) + BETWEEN
    widest_piped = columns_wished_for() or WIDEST_PIPED
    folded = whole > widest_piped
    _print_columns(stream, columns, rows, width=max(widest_piped, least) if folded else UNBOUNDED, folded=folded)


def _needed(columns: "Sequence[Column]", rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the least width of each column, the space after it included."""
    needed = []
    for place, column in enumerate(columns):
        cells = [row[place] for row in rows]
        words = [word for cell in cells for word in cell.split(" ")] if column.wraps else cells
        needed.append(max(len(word) for word in (*words, *column.title.split(" "))) + BETWEEN)
    needed[-1] -= BETWEEN
    return needed


def _print_columns(
    stream: TextIO,
    columns: "Sequence[Column]",
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    folded: bool,
    ruled: bool = False,
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # With rules, rich puts one of the spaces where the line between two columns would be.
    padding = (0, 1, 0, 0) if ruled else (0, 1)
    shown = Table(box=box.SIMPLE_HEAD if ruled else None, pad_edge=False, show_edge=False, padding=padding)
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
    whole = sum(max(widest, len(column.title)) + BETWEEN for widest, column in zip(widths, columns, strict=True))
    for column, widest in zip(columns, widths, strict=True):
        title = _folded_title(column.title, widest) if ruled and folded and whole - BETWEEN > width else column.title
        shown.add_column(title, justify=column.justify, overflow="fold", no_wrap=not (folded and column.wraps))
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))

    drawn = io.StringIO()
    Console(file=drawn, width=width, highlight=False, soft_wrap=not folded).print(shown)
    room = columns_of(stream) if ruled else UNBOUNDED
    for line in drawn.getvalue().splitlines():
        # rich fills the last column up with spaces, which a terminal that is too narrow would show as empty lines
        print(line[:room] if line.startswith(_RULE) else line.rstrip(), file=stream)


def _folded_title(title: str, widest: int) -> str:
    """Return a title in lines no wider than what stands below it, where its words allow."""
    return "\n".join(textwrap.wrap(title, max(widest, 1), break_long_words=False, break_on_hyphens=False))


def _print_blocks(stream: TextIO, columns: "Sequence[Column]", rows: Sequence[Sequence[str]]) -> None:
    widest = max(len(column.title) for column in columns)
    for place, row in enumerate(rows):
        if place:
            print(file=stream)
        for column, cell in zip(columns, row, strict=True):
            if cell:
                print(f"{column.title:<{widest}}  {cell}", file=stream)
