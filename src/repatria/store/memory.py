"""Objects in this process's memory, `memory://`: for tests, through the same protocol as every other store."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from repatria.errors import Role, UnreachableError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.store import failures
from repatria.store.base import Buffer, Reading

CHUNK = 1 << 16


@dataclass(slots=True)
class Faults:
    """What goes wrong, and when; puts and reads are counted from 1 over the store's life."""

    fail_puts: set[int] = field(default_factory=set)
    """These puts raise UnreachableError and store nothing."""
    lose_replies: set[int] = field(default_factory=set)
    """These puts store all, then raise UnreachableError, as when the reply is lost."""
    fail_reads: set[int] = field(default_factory=set)
    """These reads raise UnreachableError after half of their bytes."""
    corrupt: Callable[[str], bool] = lambda _path: False
    """Asked for each path put; True flips one bit of what is kept."""
    capacity: int | None = None
    """Bytes that the store holds before FullError."""
    before_put: Callable[[str], None] = lambda _path: None
    """Called at the start of each put; may raise, or block."""
    puts: int = 0
    reads: int = 0


@dataclass(slots=True)
class _Kept:
    object: Object
    data: bytes


class MemoryStore:
    """A flat store that keeps every path and kind, for as long as the process lives."""

    reads_at_once = 8

    _named: "dict[str, MemoryStore]" = {}  # noqa: RUF012 -- the one table behind `memory://NAME`

    def __init__(self, uri: str = "memory://", *, role: Role = Role.TARGET, faults: Faults | None = None) -> None:
        self.uri = uri
        self.role = role
        self.faults = faults or Faults()
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    @classmethod
    def named(cls, uri: str, role: Role) -> "MemoryStore":
        """Return a view of the one store of this name, with a role of its own."""
        shared = cls._named.setdefault(uri, cls(uri))
        view = cls(uri, role=role, faults=shared.faults)
        view._lock, view._kept = shared._lock, shared._kept
        return view

    def list(self, prefix: str = "", *, enter: Callable[[str], bool] | None = None) -> Iterator[Object]:  # noqa: ARG002 -- a flat store has no folders
        """Yield objects in order of their paths, as they were when the listing began."""
        with self._lock:
            found = sorted(path for path in self._kept if path.startswith(prefix))
        for path in found:
            kept = self._kept.get(path)
            if kept is not None:
                yield kept.object

    def stat(self, path: str) -> Object:
        """Return what is known of one object."""
        return self._get(path).object

    def read(self, path: str, start: int = 0, length: int | None = None, *, version: str | None = None) -> Reading:
        """Read from the bytes as they are now."""
        kept = self._get(path)
        stop = len(kept.data) if length is None else start + length
        if (version is not None and version != kept.object.version) or stop > len(kept.data) or start > stop:
            raise failures.changed(path, self.uri, self.role)
        with self._lock:
            self.faults.reads += 1
            fails = self.faults.reads in self.faults.fail_reads
        return Reading(kept.object, self._chunks(kept.data, start, stop, fails))

    def put(
        self,
        path: str,
        data: Iterable[Buffer],
        size: int,
        *,
        like: Object | None = None,
        sha256: bytes | None = None,  # noqa: ARG002 -- nothing is sent along here
    ) -> None:
        """Keep the bytes, unless a fault is due."""
        faults = self.faults
        faults.before_put(path)
        with self._lock:
            faults.puts += 1
            number = faults.puts
        if number in faults.fail_puts:
            raise self._unreachable()
        if path in self._kept:
            raise failures.already_exists(path, self.uri, self.role)
        self._keep(path, self._content(path, data, size), like)
        if number in faults.lose_replies:
            raise self._unreachable()

    def replace(self, path: str, data: Iterable[Buffer], size: int, sha256: bytes) -> None:
        """Keep other bytes under a path, unless a fault of puts is due."""
        faults = self.faults
        faults.before_put(path)
        with self._lock:
            faults.puts += 1
            number = faults.puts
        if number in faults.fail_puts:
            raise self._unreachable()
        old = self._get(path).object
        content = self._content(path, data, size)
        if hashlib.sha256(content).digest() != sha256:
            raise failures.not_kept(self.uri, self.role)
        written = time.time_ns()
        new = replace(old, size=size, mtime_ns=written, version=f"{written}-{size}", checksum=None)
        with self._lock:
            self._kept[path] = _Kept(new, content)
        if number in faults.lose_replies:
            raise self._unreachable()

    def delete(self, path: str) -> None:
        """Forget one object."""
        with self._lock:
            self._kept.pop(path, None)

    def close(self) -> None:
        """Keep everything: what is stored outlives the connection, as elsewhere."""

    def _content(self, path: str, data: Iterable[Buffer], size: int) -> bytes:
        content = b"".join(bytes(chunk) for chunk in data)
        if len(content) != size:
            raise ValueError(f"{len(content)} bytes came where {size} were announced")
        if content and self.faults.corrupt(path):
            content = bytes([content[0] ^ 1]) + content[1:]
        return content

    def _keep(self, path: str, content: bytes, like: Object | None) -> None:
        written = time.time_ns()
        known = replace(like, path=path) if like else Object(path, len(content))
        kind = known.kind
        kept = replace(
            known,
            size=len(content) if kind is not ObjectKind.SYMLINK else known.size,
            mtime_ns=known.mtime_ns if known.mtime_ns is not None else written,
            version=f"{written}-{len(content)}",
            checksum=None,
        )
        with self._lock:
            if path in self._kept:
                raise failures.already_exists(path, self.uri, self.role)
            used = sum(len(each.data) for each in self._kept.values())
            if self.faults.capacity is not None and used + len(content) > self.faults.capacity:
                raise failures.full(self.uri, self.role)
            self._kept[path] = _Kept(kept, content)

    def _get(self, path: str) -> _Kept:
        kept = self._kept.get(path)
        if kept is None:
            raise failures.not_found(path, self.uri, self.role)
        return kept

    def _chunks(self, data: bytes, start: int, stop: int, fails: bool) -> Iterator[bytes]:
        if fails:
            stop = start + (stop - start) // 2
        for at in range(start, stop, CHUNK):
            yield data[at : min(at + CHUNK, stop)]
        if fails:
            raise self._unreachable()

    def _unreachable(self) -> UnreachableError:
        return failures.unreachable(self.uri, self.role, _("the connection broke"))
