"""The table of objects that are not at their own path: `_names/table.tsv` at a restore's destination."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from repatria.bundle.rows import ObjectRow
from repatria.errors import NotFoundError
from repatria.migrate.placing import NAMES
from repatria.store.base import Store

TABLE = f"{NAMES}/table.tsv"
HEADER = "stored\tkind\tnumber\tpath\tlink target\n"


@dataclass(frozen=True, slots=True)
class TableRow:
    """What `_names/table*.tsv` tells of one object that is not at its own path."""

    stored: str
    """Where its bytes are, empty if it was not made."""
    row: ObjectRow

    def line(self) -> str:
        """Return the line of the table; tabs, line feeds and bytes that are not UTF-8 are escaped."""
        fields = (self.stored, self.row.kind, str(self.row.number), self.row.path, self.row.link_target or "")
        return "\t".join(escaped(field) for field in fields) + "\n"


def write_table(destination: Store, table: Sequence[TableRow]) -> None:
    """Put the rows that no table of an earlier run has into a new one: `table.tsv`, `table-2.tsv` ..."""
    ordered = sorted(table, key=lambda row: row.row.number)
    for number in itertools.count(1):
        path = TABLE if number == 1 else f"{NAMES}/table-{number}.tsv"
        try:
            with destination.read(path) as reading:
                existing = b"".join(reading.chunks).decode("utf-8", "replace")
        except NotFoundError:
            break
        lines = missing_lines(ordered, existing)
        ordered = [row for row in ordered if row.line() in lines]
    if ordered:
        data = (HEADER + "".join(row.line() for row in ordered)).encode()
        destination.put(path, [data], len(data))


def missing_lines(rows: Iterable[TableRow], existing: str) -> list[str]:
    """Return the lines of a table that an existing one does not have, in their order."""
    there = set(existing.splitlines(keepends=True))
    return [line for row in rows if (line := row.line()) not in there]


def escaped(text: str) -> str:
    """Return text that is one field of one line, whatever bytes a name holds."""
    return "".join(
        character
        if character.isprintable() and character != "\\"
        else f"\\x{ord(character) - 0xDC00:02x}"
        if 0xDC80 <= ord(character) <= 0xDCFF
        else character.encode("unicode_escape").decode()
        for character in text
    )
