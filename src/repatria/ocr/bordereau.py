"""The archivist's bordereau: a CSV table with a row for each dossier or document, and which scans a row is about.

Spreadsheets write CSV in many ways. What cannot be told for certain (encoding, delimiter, where the header is) is
refused with its line, never guessed; what was read is said.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import splitext

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.ocr.bordereau_columns import Column, columns_of
from repatria.ocr.cotes import SCAN_ENDING, RowsAbove, key_of, words_of
from repatria.ocr.description import ELEMENTS, Description
from repatria.reasons import reason_of

DELIMITERS = (";", ",", "\t")
LARGEST = 64 << 20
"""Bytes of a bordereau."""
HEADER_WITHIN = 30
"""Lines: a spreadsheet may have titles above its header."""
CONTEXT_LEVELS = frozenset({"fonds", "sous fonds", "serie", "sous serie", "series", "subfonds", "subseries"})
"""Levels whose rows describe what dossiers belong to: no folder of scans is expected for them."""

_MARKED = (("utf-16", "UTF-16"),)
_UNMARKED = (("utf-8-sig", "UTF-8"), ("windows-1252", "Windows-1252"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One row."""

    line: int
    """Where it begins in the file, from 1."""
    description: Description
    place: str = ""
    """The file or folder of scans that it names, if the bordereau has a column for that."""

    @property
    def key(self) -> str:
        """What the name of its folder or file amounts to."""
        return key_of(SCAN_ENDING.sub("", self.place) or self.description.reference)

    @property
    def is_context(self) -> bool:
        """Whether it describes what dossiers belong to, rather than a dossier."""
        return is_context_level(self.description.level)


@dataclass(frozen=True, slots=True)
class Bordereau:
    """A bordereau as it was read."""

    encoding: str
    """`UTF-8`, `UTF-16` or `Windows-1252`."""
    delimiter: str
    entries: tuple[Entry, ...]
    unnamed: tuple[int, ...]
    """Lines of rows that say something and have no cote."""
    others: tuple[str, ...]
    """Headers of columns that are no element of ISAD(G); they are kept."""
    name: str
    """Of the file."""
    data: bytes = field(repr=False)
    """The file as it was given."""
    _by_key: dict[str, Entry] = field(default_factory=dict, compare=False, repr=False)
    _by_reference: dict[str, Entry] = field(default_factory=dict, compare=False, repr=False)
    _rows_above: RowsAbove[Entry] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Note which names mean which row; UsageError if one name means two."""
        for entry in self.entries:
            for names, key in ((self._by_key, entry.key), (self._by_reference, key_of(entry.description.reference))):
                earlier = names.setdefault(key, entry)
                if earlier is not entry:
                    raise _refused(
                        _("Lines {first} and {second} of the bordereau mean the same folder: {reference}.").format(
                            first=earlier.line, second=entry.line, reference=entry.description.reference
                        ),
                        _("Give each row a cote of its own; spaces and punctuation do not tell two apart."),
                    )
        object.__setattr__(self, "_rows_above", RowsAbove(self._by_key))

    def above(self, path: str) -> Sequence[Entry]:
        """Return the rows that a scan belongs to, the last the closest."""
        return self._rows_above.of(splitext(path)[0])

    def referred(self, reference: str) -> Entry | None:
        """Return the row of a cote, however it is punctuated."""
        return self._by_reference.get(key_of(reference))


def is_context_level(level: str) -> bool:
    """Tell whether a level is one to which dossiers belong."""
    return " ".join(words_of(level)) in CONTEXT_LEVELS


def load_bordereau(file: Path) -> Bordereau:
    """Read a bordereau; UsageError says what is wrong with it and where."""
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(
            _("The bordereau {file} cannot be read: {reason}. Nothing was done.").format(
                file=file, reason=reason_of(error)
            ),
            advice=_("Check the path and the rights; quote names with spaces."),
        ) from error
    return parse_bordereau(data, file.name)


def parse_bordereau(data: bytes, name: str = "bordereau.csv") -> Bordereau:
    """Return the rows of a bordereau; UsageError says what is wrong with it and where."""
    if len(data) > LARGEST:
        raise _refused(_("The bordereau is larger than 64 MiB."), _("Export one table as CSV, without pictures."))
    text, encoding = _decoded(data)
    delimiter, number, columns, body = _headed(text)
    entries: list[Entry] = []
    unnamed: list[int] = []
    for line, cells in body:
        if len(cells) > len(columns) and any(cells[len(columns) :]):
            raise _refused(
                _("Line {line} of the bordereau has {count} cells, its header in line {header} has {expected}.").format(
                    line=line, count=len(cells), header=number, expected=len(columns)
                ),
                _("A text that holds the delimiter must stand in quotes; a spreadsheet does that by itself."),
            )
        entry = _entry(line, columns, cells)
        if key_of(entry.description.reference):
            entries.append(entry)
        elif any(cells):
            unnamed.append(line)
    if not entries:
        raise _refused(_("The bordereau has a header and no rows."), _("Export it again, with its rows."))
    others = tuple(column.header for column in columns if column.element is None and column.header)
    return Bordereau(encoding, delimiter, tuple(entries), tuple(unnamed), others, name, data)


_Rows = list[tuple[int, list[str]]]


def _decoded(data: bytes) -> tuple[str, str]:
    """Return the text and its encoding; what is neither is refused."""
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for codec, name in _MARKED if marked else _UNMARKED:
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text, name
    raise _refused(
        _("The bordereau is neither UTF-8 nor Windows-1252 text."),
        _("In the spreadsheet, choose Save as, CSV UTF-8."),
    )


def _headed(text: str) -> tuple[str, int, list[Column], _Rows]:
    """Return the delimiter, the line of the header, its columns and the rows below.

    The delimiter is the one by which a header is understood; by which most of its columns are, where several do.
    """
    found: list[tuple[int, str, int, list[Column], _Rows]] = []
    told, rest = _told_delimiter(text)
    fault: UsageError | None = None
    for delimiter in (told,) if told else DELIMITERS:
        try:
            rows = list(_rows(rest, delimiter, 2 if told else 1))
        except csv.Error as error:
            fault = fault or _refused(
                _("The bordereau is no CSV table: {reason}.").format(reason=error),
                _("A quote opens a text and another one ends it; export the table again from the spreadsheet."),
            )
            continue
        for place, (line, cells) in enumerate(rows[:HEADER_WITHIN]):
            columns = columns_of(cells)
            known = sum(column.element is not None for column in columns)
            if any(column.element == "reference" for column in columns) and known > 1:
                found.append((known, delimiter, line, columns, rows[place + 1 :]))
                break
    if not found:
        raise fault or _refused(
            _("The bordereau has no header that names a cote and what is said of it."),
            _("Its first line must name the columns: Cote;Intitulé;Dates extrêmes;Communicabilité ..."),
        )
    _known, delimiter, line, columns, body = max(found, key=lambda each: each[0])
    return delimiter, line, columns, body


def _told_delimiter(text: str) -> tuple[str, str]:
    """Return the delimiter that a first line `sep=;` tells, as Excel writes it, and the rest; else nothing, and all."""
    first, _end, rest = text.partition("\n")
    match = re.fullmatch(r"sep=([;,\t])", first.strip("\r"))
    return (match[1], rest) if match else ("", text)


def _rows(text: str, delimiter: str, first: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with the lines on which they begin; empty ones are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 0
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        if any(stripped):
            yield line + first, stripped
        line = reader.line_num


def _entry(line: int, columns: Sequence[Column], cells: Sequence[str]) -> Entry:
    told: dict[str, str] = {}
    other: dict[str, str] = {}
    for column, cell in zip(columns, cells, strict=False):
        if not cell:
            continue
        if column.element is not None:
            told[column.element] = cell
        else:
            other[column.header or _("without a title")] = cell
    begin, end = told.pop("begin", ""), told.pop("end", "")
    if "dates" not in told and (begin or end):
        told["dates"] = begin if begin == end else "-".join(filter(None, (begin, end)))
    place = told.pop("place", "").replace("\\", "/").strip("/").removeprefix("./")
    elements = {name: told.get(name, "") for name in ELEMENTS}
    return Entry(line, Description(**elements, other=other), place)


def _refused(message: str, advice: str) -> UsageError:
    return UsageError(f"{message} {_('Nothing was done.')}", advice=advice)
