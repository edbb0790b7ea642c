"""Restoring: objects of a chain in the clear, under their own names, in any store.

Nothing at the destination is ever replaced or removed, nothing is visible before its digest was found right, and no
name or symlink leads outside. Objects that cannot have their own name go to `_names/SHA256-OF-PATH`, and a table beside
them tells which is which. A run that was interrupted is run again: what is there and identical is left.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from repatria.bundle.chain import Chain
from repatria.bundle.pattern import path_filter
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import ObjectRow
from repatria.errors import AlreadyExistsError, ChangedError, CryptError, NotFoundError, RepatriaError, UsageError
from repatria.i18n import _
from repatria.migrate.names_table import TABLE, TableRow, write_table
from repatria.migrate.placing import likeness, marked_folder, natural_path, stays_inside, substitute_path
from repatria.model import Finding, FindingKind, Object, ObjectKind
from repatria.progress import SILENT, Progress, Unit
from repatria.store.base import Store
from repatria.store.paths import UnholdableNameError
from repatria.work.stop import StopSignal

WORKERS = 4
"""Objects restored at the same time."""
AHEAD = 64
"""Objects handed to the workers before the first of them is waited for."""

Entry = tuple[Bundle, ObjectRow]


class Fate(StrEnum):
    """What became of one object."""

    WRITTEN = "written"
    KEPT = "kept"
    """It was there already, and identical."""
    NOT_WRITTEN = "not written"
    """See its finding."""


@dataclass(frozen=True, slots=True)
class Restored:
    """One object's outcome."""

    row: ObjectRow
    fate: Fate
    stored: str = ""
    """Its path at the destination, empty if it was not written."""
    finding: Finding | None = None

    @property
    def renamed(self) -> bool:
        """Whether the table must tell of it: it is elsewhere than at its own path, or a link that was not made."""
        folder = marked_folder(self.row)
        return self.stored not in {self.row.path, folder} and (bool(self.stored) or self.row.kind == ObjectKind.SYMLINK)


class _SourceError(Exception):
    """The chain could not give an object's bytes while the destination was taking them."""

    def __init__(self, cause: RepatriaError) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


def restore_objects(
    chain: Chain,
    destination: Store,
    patterns: Sequence[str] = (),
    *,
    progress: Progress = SILENT,
    stop: StopSignal | None = None,
    workers: int = WORKERS,
) -> Iterator[Restored]:
    """Restore the objects that any of the gitignore patterns means, all without one, and yield each one's outcome.

    UsageError, before anything is written, for a pattern that means no object. What concerns single objects is a
    finding; a store that fails, or a stop, ends it with an error, and the same call goes on later.
    """
    refuse_unmatched(chain, patterns)
    wanted = _any_of(patterns, _sources(chain))
    totals = chain.head.statement.totals
    progress.start(_("Restoring"), None if patterns else totals.bytes, Unit.BYTES)
    restorer = _Restorer(destination, progress, stop or StopSignal(), resumes=_holds_something(destination))
    table: list[TableRow] = []
    entries = (entry for entry in chain.objects() if wanted(entry[1].path))
    for restored in _side_by_side(restorer.restore, entries, workers):
        if restored.renamed:
            table.append(TableRow(restored.stored, restored.row))
        yield restored
    write_table(destination, table)


def refuse_unmatched(chain: Chain, patterns: Sequence[str]) -> None:
    """Raise UsageError if a pattern means no object of the chain."""
    waiting = {number: path_filter(pattern, _sources(chain)) for number, pattern in enumerate(patterns, 1)}
    for _bundle, row in chain.objects() if waiting else ():
        waiting = {number: matches for number, matches in waiting.items() if not matches(row.path)}
        if not waiting:
            return
    for number in waiting:
        raise UsageError(
            _("No object of this bundle is meant by pattern {number}; nothing was restored.").format(number=number),
            advice=_("Patterns are those of .gitignore; quote them. `repatria ls` lists the objects."),
        )


def _sources(chain: Chain) -> list[str]:
    return [source.name for source in chain.head.statement.sources]


def _any_of(patterns: Sequence[str], sources: Sequence[str]) -> Callable[[str], bool]:
    filters = [path_filter(pattern, sources) for pattern in patterns] or [path_filter(None)]
    return lambda path: any(matches(path) for matches in filters)


def _holds_something(destination: Store) -> bool:
    return next(iter(destination.list()), None) is not None


def _side_by_side(task: Callable[[Entry], Restored], entries: Iterable[Entry], workers: int) -> Iterator[Restored]:
    """Run a task for each entry on a few threads and yield the results in order; after an error, begin no more."""
    waiting: deque[Future[Restored]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="restore")
    try:
        for entry in entries:
            waiting.append(pool.submit(task, entry))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Restorer:
    """Puts objects into the destination, one each call; safe from several threads."""

    destination: Store
    progress: Progress
    stop: StopSignal
    resumes: bool
    """The destination was not empty: look before an object's bytes are fetched."""

    def restore(self, entry: Entry) -> Restored:
        """Restore one object."""
        bundle, row = entry
        self.stop.raise_if_requested()
        try:
            if row.kind == ObjectKind.SYMLINK:
                return self._restore_link(bundle, row)
            return self._restore_file(bundle, row)
        except _SourceError as error:
            return Restored(row, Fate.NOT_WRITTEN, finding=_finding_of(row, error.cause))

    def _restore_file(self, bundle: Bundle, row: ObjectRow) -> Restored:
        natural, folder = natural_path(row), marked_folder(row)
        if natural is not None:
            try:
                return self._put(bundle, row, natural)
            except UnholdableNameError:
                pass  # the next best name, below
        if folder is not None and (made := self._make_folder(row, folder)):
            return made
        return self._put_renamed(bundle, row)

    def _put_renamed(self, bundle: Bundle, row: ObjectRow) -> Restored:
        try:
            return self._put(bundle, row, substitute_path(row))
        except UnholdableNameError:
            detail = _("{store} cannot hold it under any name.").format(store=self.destination.uri)
            return _not_written(row, FindingKind.FAILED, detail)

    def _put(self, bundle: Bundle, row: ObjectRow, path: str) -> Restored:
        """Put an object at a path; UnholdableNameError if another object, or a folder, needs that place.

        Of two objects whose names a file system takes for the same, identical ones are kept once.
        """
        if self.resumes and (settled := self._settle(row, path)):
            return settled
        try:
            self.destination.put(path, self._bytes(bundle, row), row.size, like=likeness(row))
        except AlreadyExistsError:
            if settled := self._settle(row, path):
                return settled
            if row.kind != ObjectKind.DIRECTORY:
                raise
            return Restored(row, Fate.KEPT, path)  # a bucket has folders under other keys
        return Restored(row, Fate.WRITTEN, path)

    def _settle(self, row: ObjectRow, path: str) -> Restored | None:
        """Return the outcome if something is at the path already, None if nothing is."""
        try:
            existing = self.destination.stat(path)
        except NotFoundError:
            return None
        if self._is_identical(existing, row):
            self.progress.advance(row.size)
            return Restored(row, Fate.KEPT, path)
        if existing.kind is ObjectKind.DIRECTORY or not self._is_listed(path):
            # A folder of other objects, or an object whose name differs only in case or in how accents are written.
            raise UnholdableNameError("", role=self.destination.role)
        detail = _(
            "Something else is at its place in {store}; it was left as it is. Move it away, or restore elsewhere."
        ).format(store=self.destination.uri)
        return _not_written(row, FindingKind.UNEXPECTED, detail)

    def _is_identical(self, existing: Object, row: ObjectRow) -> bool:
        if existing.kind != row.kind:
            return False
        if row.kind == ObjectKind.SYMLINK:
            return existing.link_target == row.link_target
        if row.kind == ObjectKind.DIRECTORY:
            return True
        if existing.size != row.size:
            return False
        digest = hashlib.sha256()
        with self.destination.read(existing.path, version=existing.version or None) as reading:
            for chunk in reading.chunks:
                digest.update(chunk)
        return digest.digest() == row.sha256

    def _is_listed(self, path: str) -> bool:
        """Tell whether exactly this name is there: file systems that fold names answer `stat` for others too."""
        return any(found.path == path for found in self.destination.list(path))

    def _make_folder(self, row: ObjectRow, folder: str) -> Restored | None:
        """Make the folder that an empty object stands for; None if its place is taken, or no place for a folder."""
        like = Object(folder, 0, kind=ObjectKind.DIRECTORY)
        try:
            self.destination.put(folder, (), 0, like=like)
        except AlreadyExistsError:
            there = self.destination.stat(folder).kind is ObjectKind.DIRECTORY
            return Restored(row, Fate.KEPT, folder) if there else None
        except UnholdableNameError:
            return None
        return Restored(row, Fate.WRITTEN, folder)

    def _restore_link(self, bundle: Bundle, row: ObjectRow) -> Restored:
        target = row.link_target or ""
        # Its bytes are its target: read for their digest, which binds the target to what was signed.
        for _chunk in self._bytes(bundle, row):
            pass
        if not stays_inside(row.path, target):
            detail = _("The link leads outside the destination and was not made; {table} tells where to.").format(
                table=TABLE
            )
            return _not_written(row, FindingKind.FAILED, detail)
        try:
            return self._put_link(bundle, row)
        except UnholdableNameError:
            detail = _("The link cannot be made in {store}; {table} tells where it leads to.").format(
                store=self.destination.uri, table=TABLE
            )
            return _not_written(row, FindingKind.FAILED, detail)

    def _put_link(self, bundle: Bundle, row: ObjectRow) -> Restored:
        natural = natural_path(row)
        if natural is None:
            raise UnholdableNameError("", role=self.destination.role)
        return self._put(bundle, row, natural)

    def _bytes(self, bundle: Bundle, row: ObjectRow) -> Iterator[bytes]:
        """Yield an object's bytes; the last step raises if their digest is wrong, before the store shows them."""
        try:
            for chunk in bundle.read_object(row):
                self.stop.raise_if_requested()
                self.progress.advance(len(chunk))
                yield chunk
        except RepatriaError as error:
            raise _SourceError(error) from error


def _not_written(row: ObjectRow, kind: FindingKind, detail: str) -> Restored:
    return Restored(row, Fate.NOT_WRITTEN, finding=Finding(kind, f"object {row.number}", detail, row.path))


def _finding_of(row: ObjectRow, error: RepatriaError) -> Finding:
    """Return the finding that an error of the chain means for one object; raise it if it concerns more than that."""
    subject, detail = f"object {row.number}", f"{error.message} {error.advice}".rstrip()
    if isinstance(error, CryptError | ChangedError):
        return Finding(FindingKind.ALTERED, subject, detail, row.path)
    if isinstance(error, NotFoundError):
        return Finding(FindingKind.MISSING, subject, detail, row.path)
    raise error
