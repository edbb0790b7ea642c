"""Keeping a bordereau in the archive that it describes: the file as it was given, and its new or corrected rows.

A bordereau that comes after the scans, or is corrected, makes a bundle of the chain like any other: nothing is read
anew, and what was said before stays provable.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from repatria.bundle.rows import DescriptionRow
from repatria.crypt.keyed import KeyedHash
from repatria.model import Object
from repatria.ocr.bordereau import Bordereau, Entry
from repatria.ocr.description import described
from repatria.ocr.document_rows import description_row
from repatria.ocr.shelving import Shelving, version_of
from repatria.work.bundling import BundleRun
from repatria.work.journal import MARK_LENGTH
from repatria.work.state import write_whole

FOLDER = "bordereaux/"
"""Where bordereaux lie among an archive's objects."""
FILE_NAME = "rows.seen"
GIVEN_FILE = "rows.given"
_RECORD = 2 * MARK_LENGTH
_BEGUN = bytes(MARK_LENGTH)
"""In place of what a row says: the record names a bordereau that was begun."""


class SeenRows:
    """Which rows of bordereaux the archive holds, as they are now: keyed hashes in the dataset's state folder.

    While a bundle with rows is in the making, the file tells of none, only which bordereaux were begun: a run that is
    cut off leaves nothing that could be wrong. A row that is wrongly missed here goes into the archive once more.
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self._file = folder / FILE_NAME
        self._mark = KeyedHash(key, b"bordereau row", MARK_LENGTH)
        kept = b""
        with suppress(FileNotFoundError):
            kept = self._file.read_bytes()
        records = {
            kept[start : start + MARK_LENGTH]: kept[start + MARK_LENGTH : start + _RECORD]
            for start in range(0, len(kept), _RECORD)
        }
        self._begun = {mark for mark, said in records.items() if said == _BEGUN}
        self._rows = {folder: said for folder, said in records.items() if said != _BEGUN}

    @staticmethod
    def forget(folder: Path) -> None:
        """Take nothing for known any more: other machines may have said something else since."""
        (folder / FILE_NAME).unlink(missing_ok=True)

    def holds(self, entry: Entry) -> bool:
        """Tell whether the archive says of a folder what this row says."""
        folder, said = self._record(entry)
        return self._rows.get(folder) == said

    def begin(self, told: Object) -> bool:
        """Note, before any row is sent, that a bordereau goes into the bundle in the making.

        Return whether it is the only one that was begun since a bundle was finished, by this run or earlier ones.
        """
        mark = self._mark(f"begun\x00{told.path}\x00{told.version}".encode("utf-8", "surrogatepass"))
        is_alone = self._begun == {mark}
        self._begun.add(mark)
        self._write(dict.fromkeys(sorted(self._begun), _BEGUN))
        return is_alone

    def add(self, entries: Sequence[Entry]) -> None:
        """Remember rows that stand in a finished bundle."""
        self._rows |= dict(map(self._record, entries))
        self._begun.clear()
        self._write(self._rows)

    def _write(self, records: Mapping[bytes, bytes]) -> None:
        write_whole(self._file, b"".join(mark + said for mark, said in records.items()))

    def _record(self, entry: Entry) -> tuple[bytes, bytes]:
        said = f"said\x00{described(entry.description)}"
        return self._mark(entry.key.encode()), self._mark(said.encode("utf-8", "surrogatepass"))


class GivenRows:
    """Which rows a bordereau had when it was given last, by its name: keyed hashes in the dataset's state folder.

    A row that is no longer there is counted, not named: its cote is in the archive, and not on this machine.
    """

    def __init__(self, folder: Path, key: bytes, name: str) -> None:
        self._file = folder / GIVEN_FILE
        self._mark = KeyedHash(key, b"bordereau given", MARK_LENGTH)
        self._name = self._mark(f"name\x00{name}".encode("utf-8", "surrogatepass"))
        kept = b""
        with suppress(FileNotFoundError):
            kept = self._file.read_bytes()
        self._others = [
            kept[start : start + _RECORD]
            for start in range(0, len(kept), _RECORD)
            if not kept.startswith(self._name, start)
        ]
        self._rows = {
            kept[start + MARK_LENGTH : start + _RECORD]
            for start in range(0, len(kept), _RECORD)
            if kept.startswith(self._name, start)
        }

    def left_out(self, entries: Sequence[Entry]) -> int:
        """Return how many rows it had and has no more."""
        return len(self._rows - self._marks(entries))

    def keep(self, entries: Sequence[Entry]) -> None:
        """Remember the rows that it has."""
        rows = self._marks(entries)
        if rows != self._rows:
            write_whole(self._file, b"".join([*self._others, *(self._name + row for row in sorted(rows))]))

    def _marks(self, entries: Sequence[Entry]) -> set[bytes]:
        return {self._mark(entry.key.encode()) for entry in entries}


@dataclass(slots=True)
class BordereauKeeper:
    """Brings a bordereau into the bundle in the making, if it says anything that the archive does not hold yet."""

    run: BundleRun
    bordereau: Bordereau | None
    seen: SeenRows
    given: GivenRows | None = None
    fresh: tuple[Entry, ...] = field(init=False)
    """The rows that are new, or were corrected."""
    left_out: int = field(init=False)
    """How many rows it had when it was given before, and has no more."""

    def __post_init__(self) -> None:
        """Compare the bordereau with what the archive holds."""
        entries = self.bordereau.entries if self.bordereau is not None else ()
        is_known = self.bordereau is not None and self.run.known(self._path) is not None
        self.left_out = self.given.left_out(entries) if self.given is not None else 0
        self.fresh = tuple(entry for entry in entries if not (is_known and self.seen.holds(entry)))

    def keep(self, shelving: Shelving) -> None:
        """Put the file and its fresh rows into a volume, unless they are what the bundle in the making says last."""
        if self.bordereau is None or not self.fresh:
            return
        data, catalogue = self.bordereau.data, self.run.catalogue
        version = version_of(hashlib.sha256(data).digest())
        told = Object(self._path, len(data), version=version, mode=0o644, content_type="text/csv")
        is_alone = self.seen.begin(told)
        if not is_alone or catalogue.taken(told.path) is None or not catalogue.unchanged(told):
            shelving.describe(told, data, list(self._rows()))

    def finished(self) -> None:
        """Note that the bundle is finished."""
        if self.fresh:
            self.seen.add(self.fresh)
        if self.given is not None and self.bordereau is not None:
            self.given.keep(self.bordereau.entries)

    @property
    def _path(self) -> str:
        return f"{FOLDER}{self.bordereau.name}" if self.bordereau is not None else ""

    def _rows(self) -> Iterator[DescriptionRow]:
        for entry in self.fresh:
            yield description_row(self.run.next_document_number(), entry)
