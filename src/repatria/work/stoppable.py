"""A target that lets go soon after a stop was asked for, in the middle of a file if need be.

A volume that is half sent is not visible at the target, and its journal row says `sent`: the next run settles it.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from repatria.errors import Role
from repatria.model import Object
from repatria.store.base import Buffer, Reading, Store
from repatria.work.stop import StopSignal

GRACE_SECONDS = 6.0
"""How long after the wish to stop a transfer may go on, to end by itself."""

_T = TypeVar("_T")


class StoppableStore:
    """A store whose transfers end, with the error of the stop, when the grace after it is over."""

    def __init__(self, store: Store, stop: StopSignal, grace: float = GRACE_SECONDS) -> None:
        self._store = store
        self._stop = stop
        self._grace = grace
        self._stopped_at: float | None = None
        self.uri = store.uri
        self.role: Role = store.role
        self.reads_at_once = store.reads_at_once

    def list(self, prefix: str = "", *, enter: Callable[[str], bool] | None = None) -> Iterator[Object]:
        """List as the store does."""
        return self._until_stopped(self._store.list(prefix, enter=enter))

    def stat(self, path: str) -> Object:
        """Tell of one object as the store does."""
        return self._store.stat(path)

    def read(self, path: str, start: int = 0, length: int | None = None, *, version: str | None = None) -> Reading:
        """Read as the store does, until stopped."""
        reading = self._store.read(path, start, length, version=version)
        return Reading(reading.object, self._until_stopped(reading.chunks))

    def put(
        self,
        path: str,
        data: Iterable[Buffer],
        size: int,
        *,
        like: Object | None = None,
        sha256: bytes | None = None,
    ) -> None:
        """Put as the store does; stopped, nothing is visible."""
        self._store.put(path, self._until_stopped(data), size, like=like, sha256=sha256)

    def replace(self, path: str, data: Iterable[Buffer], size: int, sha256: bytes) -> None:
        """Replace as the store does; stopped, the old file stays."""
        self._store.replace(path, self._until_stopped(data), size, sha256)

    def delete(self, path: str) -> None:
        """Remove as the store does."""
        self._store.delete(path)

    def close(self) -> None:
        """End the store's connections."""
        self._store.close()

    def _until_stopped(self, items: Iterable[_T]) -> Iterator[_T]:
        try:
            for item in items:
                if self._stop.requested:
                    self._let_go()
                yield item
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    def _let_go(self) -> None:
        now = time.monotonic()
        if self._stopped_at is None:
            self._stopped_at = now
        if now - self._stopped_at >= self._grace:
            raise self._stop.error()
