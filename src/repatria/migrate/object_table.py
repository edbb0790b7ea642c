"""Every object of an inventory as a line of CSV, for whoever asks for it: it holds names, in clear."""

import csv
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.migrate.classify import Recognition
from repatria.model import Object
from repatria.reasons import reason_of

COLUMNS = ("dataset", "source", "path", "kind", "size", "modified", "recognised", "sensitivity")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""What a spreadsheet would run when it opens the file; and the sign that keeps it from that."""


class ObjectTable:
    """A CSV file being written."""

    def __init__(self, stream: TextIO) -> None:
        self._rows = csv.writer(stream)
        self._rows.writerow(COLUMNS)

    def adder(self, dataset: str, source: str) -> Callable[[Object, Recognition | None], None]:
        """Return the function that adds one object of a source."""

        def add(told: Object, found: Recognition | None) -> None:
            modified = "" if told.mtime_ns is None else _rfc3339(told.mtime_ns)
            recognised, sensitivity = (found.kind, found.sensitivity) if found else ("", "")
            path = shown_path(told.path)
            self._rows.writerow((dataset, source, path, told.kind, told.size, modified, recognised, sensitivity))

        return add


@contextmanager
def object_table(file: Path | None) -> Iterator[ObjectTable | None]:
    """Write a new CSV file, which appears whole or not at all; None without one. Never over another file."""
    if file is None:
        yield None
        return
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        if file.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:  # noqa: PTH123
                yield ObjectTable(stream)
            os.link(aside, file)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            _("{file} cannot be written: {reason}.").format(file=file, reason=reason_of(error)),
            advice=_("Give the name of a new file in a folder that you may write to."),
        ) from error


def shown_path(path: str) -> str:
    """Return a path as a cell that no spreadsheet takes for a formula."""
    return f"'{path}" if path.startswith(_FORMULA) else path


def _rfc3339(nanoseconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
