"""What is known of a dataset's objects: those of the finished chain, and those that the unfinished bundle has taken.

This is what makes a later run copy only what changed, without any private key: for each path, its keyed hash, the
object's number, and a fingerprint of its kind, size and version.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from repatria.bundle.rows import ObjectRow, path_bytes
from repatria.errors import NotFoundError, Role
from repatria.i18n import _, ngettext
from repatria.model import Object
from repatria.work.journal import Journal
from repatria.work.numbering import NumberSet

_PAGE = 900
"""Objects of a listing that are looked up at once: SQLite before 3.32 takes 999 values a statement."""


@dataclass(frozen=True, slots=True)
class Known:
    """An object that the chain, or the bundle in the making, already holds."""

    number: int
    size: int
    fingerprint: bytes
    """Compare with `fingerprint(object)`: equal means unchanged."""
    finished: bool = True
    """Whether a finished bundle holds it; else the unfinished one took it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many objects, and of how many bytes."""

    objects: int
    bytes: int


class Catalogue:
    """The known objects of one dataset; its methods may be called from several threads."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._path_mark = journal.marks(b"path")
        self._state_mark = journal.marks(b"fingerprint")
        self._seen = NumberSet()

    def path_mark(self, path: str) -> bytes:
        """Return the keyed hash that stands for a path."""
        return self._path_mark(path_bytes(path))

    def fingerprint(self, told: Object | ObjectRow) -> bytes:
        """Return what changes when the object changes: by kind, size, and version or, without one, mtime.

        An object of which neither version nor mtime is known has an empty fingerprint, which nothing equals.
        """
        if not told.version and told.mtime_ns is None:
            return b""
        state = told.version or f"mtime {told.mtime_ns}"
        return self._state_mark(path_bytes(f"{told.kind}\x00{told.size}\x00{state}\x00{told.link_target or ''}"))

    def known(self, path: str) -> Known | None:
        """Return what is known of the object at a path; None if it is new, or gone."""
        return self._known([self.path_mark(path)]).get(self.path_mark(path))

    def taken(self, path: str) -> int | None:
        """Return the number of the object that the unfinished bundle took at a path; None if it took none."""
        row = self._journal.row(
            f"SELECT number FROM taken WHERE path=? AND {_NOT_BURIED} ORDER BY number DESC LIMIT 1",  # noqa: S608
            self.path_mark(path),
        )  # a literal condition
        return int(row[0]) if row else None

    def unchanged(self, told: Object) -> bool:
        """Return whether an object did not change since it was taken; of a whole listing, ask `compared`."""
        return self._is_same(told, self.known(told.path))

    def compared(self, listed: Iterable[Object]) -> Iterator[tuple[Object, Known | None]]:
        """Yield every object of a listing, with what is known of it if it did not change since it was taken, else None.

        All of them count as seen by the listing under way. They are looked up a page at a time, because looking up one
        by one costs many times as much.
        """
        listing = iter(listed)
        while page := list(islice(listing, _PAGE)):
            marks = [self.path_mark(told.path) for told in page]
            known = self._known(marks)
            self._seen.update(found.number for found in known.values())
            for told, mark in zip(page, marks, strict=True):
                found = known.get(mark)
                yield told, found if self._is_same(told, found) else None

    def holds_version(self, told: Object) -> bool:
        """Return whether a known object, at whatever path, has this kind, size and version."""
        mark = self.fingerprint(told)
        return any(
            self._journal.row(
                f"SELECT 1 FROM {table} WHERE fingerprint=? AND {_NOT_BURIED} LIMIT 1",  # noqa: S608 -- literals
                mark,
            )
            for table in ("taken", "catalogue")
        )

    def begin_listing(self) -> None:
        """Begin to see which known objects are still there."""
        self._seen.clear()

    def took(self, numbers: Iterable[int]) -> None:
        """Count objects that are taken at this moment as seen."""
        self._seen.update(numbers)

    def unseen(self) -> Iterator[int]:
        """Yield the numbers of known objects that the listing, now complete, did not tell of."""
        for table in ("catalogue", "taken"):
            numbers = self._journal.each(
                f"SELECT number FROM {table} WHERE {_NOT_BURIED}"  # noqa: S608 -- literals
            )
            yield from (number for (number,) in numbers if number not in self._seen)

    def require_listed(self, source: str, count: int) -> None:
        """Note how many objects a complete listing of a source told of; refuse one that is suddenly empty.

        A disk that is not mounted and a bucket that was emptied by mistake look like this: nothing is buried then.
        """
        key = f"listed {source}"
        before = int(self._journal.fact(key) or 0)
        if before and not count:
            raise NotFoundError(
                ngettext(
                    "The source lists nothing, where {count} object was before. Nothing was buried.",
                    "The source lists nothing, where {count} objects were before. Nothing was buried.",
                    before,
                ).format(count=before),
                advice=_("Check that it is mounted and complete. If it is empty on purpose, there is nothing to copy."),
                role=Role.SOURCE,
            )
        self._journal.set_facts(**{key: count})

    def finished(self) -> Standing:
        """Return the dataset as the last finished bundle left it."""
        row = self._journal.row("SELECT count(*), coalesce(sum(size), 0) FROM catalogue")
        return Standing(*(row or (0, 0)))

    def standing(self) -> Standing:
        """Return the dataset as it will stand with the unfinished bundle."""
        row = self._journal.row(
            f"SELECT count(*), coalesce(sum(size), 0) FROM ({_LIVE_TAKEN} UNION ALL {_LIVE_CATALOGUE})"  # noqa: S608
        )  # two literal queries
        return Standing(*(row or (0, 0)))

    def commit(self) -> None:
        """Make what the unfinished bundle took and buried part of the catalogue."""
        with self._journal.transaction():
            self._journal.change("DELETE FROM catalogue WHERE number IN (SELECT object FROM tombstones)")
            self._journal.change(f"INSERT OR REPLACE INTO catalogue(number, size, path, fingerprint) {_LIVE_TAKEN}")

    def _known(self, marks: Sequence[bytes]) -> dict[bytes, Known]:
        """Return what is known at paths, by their marks; what the unfinished bundle took last counts."""
        wanted = ", ".join("?" * len(marks))
        return {
            mark: Known(number, size, fingerprint, table == "catalogue")
            for table in ("catalogue", "taken")
            for mark, number, size, fingerprint in self._journal.rows(
                f"SELECT path, number, size, fingerprint FROM {table}"  # noqa: S608 -- literals
                f" WHERE path IN ({wanted}) AND {_NOT_BURIED} ORDER BY number",
                *marks,
            )
        }

    def _is_same(self, told: Object, known: Known | None) -> bool:
        return known is not None and known.fingerprint != b"" and known.fingerprint == self.fingerprint(told)


_NOT_BURIED = "number NOT IN (SELECT object FROM tombstones)"
_LIVE_TAKEN = f"SELECT number, size, path, fingerprint FROM taken WHERE {_NOT_BURIED}"  # noqa: S608 -- literals
_LIVE_CATALOGUE = (
    f"SELECT number, size, path, fingerprint FROM catalogue WHERE {_NOT_BURIED}"  # noqa: S608 -- literals
    " AND path NOT IN (SELECT path FROM taken)"
)
