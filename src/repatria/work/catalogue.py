"""What is known of a dataset's objects: those of the finished chain, and those that the unfinished bundle has taken.

This is what makes a later run copy only what changed, without any private key: for each path, its keyed hash, the
object's number, and a fingerprint of its kind, size and version.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from repatria.bundle.rows import ObjectRow, path_bytes
from repatria.errors import NotFoundError, Role
from repatria.i18n import _, ngettext
from repatria.model import Object
from repatria.work.journal import Journal

_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Known:
    """An object that the chain, or the bundle in the making, already holds."""

    number: int
    size: int
    fingerprint: bytes
    """Compare with `fingerprint(object)`: equal means unchanged."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many objects, and of how many bytes."""

    objects: int
    bytes: int


class Catalogue:
    """The known objects of one dataset; its methods may be called from several threads."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen: list[tuple[int, bytes]] = []
        self._lock = threading.Lock()
        self.listing = int(journal.fact("listing") or 0)
        """The number of the listing under way, or of the last one."""

    def path_mark(self, path: str) -> bytes:
        """Return the keyed hash that stands for a path."""
        return self._journal.mark(b"path", path_bytes(path))

    def fingerprint(self, told: Object | ObjectRow) -> bytes:
        """Return what changes when the object changes: by kind, size, and version or, without one, mtime.

        An object of which neither version nor mtime is known has an empty fingerprint, which nothing equals.
        """
        if not told.version and told.mtime_ns is None:
            return b""
        state = told.version or f"mtime {told.mtime_ns}"
        facts = "\x00".join((str(told.kind), str(told.size), state, told.link_target or ""))
        return self._journal.mark(b"fingerprint", path_bytes(facts))

    def known(self, path: str) -> Known | None:
        """Return what is known of the object at a path; None if it is new, or gone."""
        mark = self.path_mark(path)
        for table in ("taken", "catalogue"):
            found = self._journal.row(
                f"SELECT number, size, fingerprint FROM {table} WHERE path=?"  # noqa: S608 -- two literal names
                " AND number NOT IN (SELECT object FROM tombstones) ORDER BY number DESC LIMIT 1",
                mark,
            )
            if found:
                return Known(*found)
        return None

    def unchanged(self, told: Object | ObjectRow) -> Known | None:
        """Return what is known of an object if it did not change since."""
        known = self.known(told.path)
        return known if known and known.fingerprint and known.fingerprint == self.fingerprint(told) else None

    def holds_version(self, told: Object) -> bool:
        """Return whether a known object, at whatever path, has this kind, size and version."""
        mark = self.fingerprint(told)
        return any(
            self._journal.row(
                f"SELECT 1 FROM {table} WHERE fingerprint=?"  # noqa: S608 -- two literal names
                " AND number NOT IN (SELECT object FROM tombstones) LIMIT 1",
                mark,
            )
            for table in ("taken", "catalogue")
        )

    def begin_listing(self) -> None:
        """Begin to see which known objects are still there."""
        with self._lock:
            self._seen.clear()
            self.listing += 1
            self._journal.set_facts(listing=self.listing)

    def saw(self, path: str) -> None:
        """Note that the listing under way tells of a path."""
        with self._lock:
            self._seen.append((self.listing, self.path_mark(path)))
            if len(self._seen) >= _BATCH:
                self._write_seen()

    def unseen(self) -> Iterator[int]:
        """Yield the numbers of known objects that the listing, now complete, did not tell of."""
        with self._lock:
            self._write_seen()
        for table in ("catalogue", "taken"):
            yield from (
                row[0]
                for row in self._journal.rows(
                    f"SELECT number FROM {table} WHERE listing<>?"  # noqa: S608 -- two literal names
                    " AND number NOT IN (SELECT object FROM tombstones)",
                    self.listing,
                )
            )

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
            self._journal.change(
                f"INSERT OR REPLACE INTO catalogue(number, size, path, fingerprint, listing) {_LIVE_TAKEN}"
            )

    def _write_seen(self) -> None:
        for table in ("catalogue", "taken"):
            self._journal.change_many(
                f"UPDATE {table} SET listing=? WHERE path=?",  # noqa: S608 -- two literal names
                self._seen,
            )
        self._seen.clear()


_LIVE_TAKEN = (
    "SELECT number, size, path, fingerprint, listing FROM taken WHERE number NOT IN (SELECT object FROM tombstones)"
)
_LIVE_CATALOGUE = (
    "SELECT number, size, path, fingerprint, listing FROM catalogue"
    " WHERE number NOT IN (SELECT object FROM tombstones) AND path NOT IN (SELECT path FROM taken)"
)


class NameMarks:
    """Which member names a bundle has taken: those of sent volumes in the journal, others in memory.

    A name that was claimed for an object that is then dropped, or that died with its process, is free again: stock
    tools see no odd names because of a power cut. This is the `NameMemory` of `repatria.bundle.names`.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._claimed: Counter[bytes] = Counter()
        self._by_object: dict[int, list[bytes]] = {}
        self._object = 0

    def claim_for(self, number: int) -> None:
        """Say for which object the marks are that follow; the caller lets one thread at a time claim."""
        self._object = number

    def add(self, mark: bytes, /) -> None:
        """Remember a mark."""
        with self._lock:
            self._claimed[mark] += 1
            self._by_object.setdefault(self._object, []).append(mark)

    def __contains__(self, mark: object, /) -> bool:
        with self._lock:
            if mark in self._claimed:
                return True
        return self._journal.row("SELECT 1 FROM names WHERE mark=? LIMIT 1", mark) is not None

    def of(self, numbers: Iterable[int]) -> list[bytes]:
        """Return the marks that were claimed for objects and are not in the journal yet."""
        with self._lock:
            return [mark for number in numbers for mark in self._by_object.get(number, ())]

    def let_go(self, numbers: Iterable[int]) -> None:
        """Forget what was claimed for objects in memory: they were dropped, or the journal holds their names."""
        with self._lock:
            for number in numbers:
                for mark in self._by_object.pop(number, ()):
                    self._claimed[mark] -= 1
                    if not self._claimed[mark]:
                        del self._claimed[mark]

    def let_go_all(self) -> None:
        """Forget everything that was claimed in memory."""
        with self._lock:
            self._by_object.clear()
            self._claimed.clear()
