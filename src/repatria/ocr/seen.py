"""Which files this machine need not read again: those that it digitised as they are now.

A file of keyed hashes in the dataset's state folder, appended to. It saves time only: what it wrongly lacks is read and
then known by its digest; what it holds counts only while the archive still has the scan. It also knows which cotes of a
bordereau have documents.
"""

from contextlib import suppress
from pathlib import Path

from repatria.model import Object
from repatria.work.catalogue import Catalogue
from repatria.work.journal import MARK_LENGTH
from repatria.work.state import unusable

FILE_NAME = "scans.seen"
_RECORD = 2 * MARK_LENGTH


class SeenScans:
    """The memory of files; for use by one run at a time, from any of its threads."""

    def __init__(self, file: Path, catalogue: Catalogue) -> None:
        self._file = file
        self._catalogue = catalogue
        kept = b""
        with suppress(FileNotFoundError):
            kept = file.read_bytes()
        whole = len(kept) - len(kept) % _RECORD  # a power cut may have torn the last record
        self._records = {kept[start : start + _RECORD] for start in range(0, whole, _RECORD)}
        self._torn = whole != len(kept)

    def holds(self, told: Object, original: str) -> bool:
        """Return whether a file, unchanged since, stands in the archive as the object `original`."""
        return self._record(told) in self._records and self._catalogue.known(original) is not None

    def add(self, told: Object) -> None:
        """Remember a file whose documents are stored."""
        self._keep(self._record(told))

    def holds_reference(self, reference: str) -> bool:
        """Return whether documents of an archivist's reference were stored."""
        return self._reference(reference) in self._records

    def add_reference(self, reference: str) -> None:
        """Remember that a document of an archivist's reference is stored."""
        self._keep(self._reference(reference))

    def is_described(self, path: str) -> bool:
        """Return whether separator sheets in a stored scan told cotes of the bordereau for all of it."""
        return self._described(path) in self._records

    def add_described(self, path: str) -> None:
        """Remember that separator sheets in a stored scan told cotes of the bordereau for all of it."""
        self._keep(self._described(path))

    def _keep(self, record: bytes) -> None:
        if len(record) != _RECORD or record in self._records:
            return
        try:
            if self._torn:
                self._file.write_bytes(b"".join(sorted(self._records)))
                self._torn = False
            self._records.add(record)
            with self._file.open("ab") as stream:
                stream.write(record)
        except OSError as error:
            raise unusable(self._file, error) from error

    def _record(self, told: Object) -> bytes:
        return self._catalogue.path_mark(told.path) + self._catalogue.fingerprint(told)

    def _reference(self, reference: str) -> bytes:
        # No path holds a NUL, so that no file is taken for a reference.
        return self._catalogue.path_mark(f"reference\x00{reference}") + self._catalogue.path_mark("reference\x00")

    def _described(self, path: str) -> bytes:
        return self._catalogue.path_mark(path) + self._catalogue.path_mark("described\x00")
