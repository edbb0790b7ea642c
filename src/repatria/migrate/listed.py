"""A listing made elsewhere, in place of a source that cannot be reached from here, or takes long to list.

Two forms are read: the CSV that `inventory --export-csv` writes, and what `rclone lsjson --recursive` prints.
"""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.migrate.object_table import COLUMNS, shown_path
from repatria.model import Object, ObjectKind
from repatria.reasons import reason_of
from repatria.source.objects import Selection
from repatria.store.base import Reading
from repatria.store.registry import public_uri

if TYPE_CHECKING:
    from repatria.manifest import Manifest, SourceTable


@dataclass(slots=True)
class ListedSource:
    """An `ObjectSource` of which only the listing is at hand."""

    file: Path
    dataset: str
    name: str
    public_uri: str
    selection: Selection
    is_only: bool
    """Whether the dataset has no other source, so that a listing need not say which it is of."""
    reads_at_once: int = 1

    def list(self) -> Iterator[Object]:
        """Yield the objects of the listing that are this source's; UsageError for a file that is no listing."""
        with self._opened() as stream:
            first = stream.readline()
            stream.seek(0)
            if first.startswith("["):
                yield from self._of_rclone(stream)
            elif first.rstrip("\r\n") == ",".join(COLUMNS):
                yield from self._of_table(stream)
            else:
                raise self._no_listing(1)

    def read(self, object: Object, start: int = 0, length: int | None = None) -> Reading:
        """Refuse: nothing but names and sizes is at hand."""
        raise NotImplementedError

    def close(self) -> None:
        """Hold nothing."""

    @contextmanager
    def _opened(self) -> Iterator[TextIO]:
        try:
            with self.file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
                yield stream
        except OSError as error:
            raise UsageError(
                _("{file} cannot be read: {reason}.").format(file=self.file, reason=reason_of(error))
            ) from error

    def _of_table(self, stream: TextIO) -> Iterator[Object]:
        """Yield the rows of `object_table`; their paths are those in the dataset, and were selected before."""
        rows = csv.reader(stream)
        next(rows)
        for values in rows:
            try:
                dataset, source, path, kind, size, modified, _recognised, _sensitivity = values
                told = Object(_true_path(path), int(size), _nanoseconds(modified), kind=ObjectKind(kind))
            except ValueError as error:
                raise self._no_listing(rows.line_num) from error
            if (dataset, source) == (self.dataset, self.name):
                yield told

    def _of_rclone(self, stream: TextIO) -> Iterator[Object]:
        """Yield what `rclone lsjson` tells of: one object a line, between two brackets."""
        if not self.is_only:
            raise UsageError(
                _("{file} does not say of which source of {dataset} it is.").format(
                    file=self.file, dataset=self.dataset
                ),
                advice=_("Give a listing that `repatria inventory --export-csv` wrote."),
            )
        for number, line in enumerate(stream, 1):
            text = line.strip().rstrip(",")
            if text in {"", "[", "]"}:
                continue
            try:
                facts = json.loads(text)
                told = Object(str(facts["Path"]), int(facts["Size"]), _nanoseconds(str(facts.get("ModTime", ""))))
            except (ValueError, KeyError, TypeError) as error:
                raise self._no_listing(number) from error
            if not facts.get("IsDir") and self.selection.takes(told):
                yield told

    def _no_listing(self, line: int) -> UsageError:
        return UsageError(
            _("Line {line} of {file} is not that of a listing.").format(line=line, file=self.file),
            advice=_("Give what `repatria inventory --export-csv` wrote, or `rclone lsjson --recursive` printed."),
        )


def listed_sources(manifest: "Manifest", file: Path) -> list[ListedSource]:
    """Return a manifest's sources as a listing tells of them; nothing is connected."""
    return [_listed(manifest, table, file) for table in manifest.sources]


def _listed(manifest: "Manifest", table: "SourceTable", file: Path) -> ListedSource:
    return ListedSource(
        file,
        manifest.id,
        table.name,
        public_uri(table.uri),
        Selection(table.include, table.exclude),
        is_only=len(manifest.sources) == 1,
    )


def _true_path(shown: str) -> str:
    """Return the path that the table shows so."""
    return shown[1:] if shown.startswith("'") and shown_path(shown[1:]) == shown else shown


def _nanoseconds(moment: str) -> int | None:
    """Return an RFC 3339 time, whole seconds; None for none."""
    return int(datetime.fromisoformat(moment).timestamp()) * 1_000_000_000 if moment else None
