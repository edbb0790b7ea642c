"""Putting one object of a bucket in the place of another: proven aside first, then copied over it by the service."""

import contextlib
import hashlib
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from repatria.store.base import Buffer
from repatria.store.local_files import STALE_AFTER
from repatria.store.paths import ASIDE
from repatria.store.s3_exchange import Request
from repatria.store.s3_put import Putter
from repatria.store.s3_refusals import RefusalError
from repatria.store.s3_signing import encoded_path
from repatria.store.s3_walk import list_keys

_PIECE = 1 << 20


class LockedKeyError(Exception):
    """The object that is to be replaced is under Object Lock."""


class NotKeptError(Exception):
    """What was put does not come back as it was."""


@dataclass(slots=True)
class Replacer:
    """Replaces objects of one bucket; raises what `Exchange` does, LockedKeyError and NotKeptError.

    An object appears whole under its key, whatever is cut off: a killed run leaves at most a copy aside, which a later
    run removes after a day.
    """

    putter: Putter
    prefix: str
    """That of the store, with its slash."""
    _swept: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def replace(self, key: str, data: Iterable[Buffer], size: int, sha256: bytes) -> None:
        """Put `size` bytes under a key that is taken; RefusalError, 404, if it is not."""
        self._refuse_locked(key)
        self._sweep()
        aside = f"{self.prefix}{ASIDE}/{secrets.token_hex(16)}"
        try:
            self.putter.put(aside, data, size, None, None)
            self._require(aside, sha256)
            self._copy(aside, key, sha256)
        finally:
            with contextlib.suppress(RefusalError, OSError):
                self.putter.exchange.read(Request("DELETE", aside))

    def _refuse_locked(self, key: str) -> None:
        """Raise LockedKeyError where a service would keep the old bytes, under this key or as a version of it."""
        told = self._head(key)
        until = told.get("x-amz-object-lock-retain-until-date")
        held = told.get("x-amz-object-lock-legal-hold") == "ON"
        if held or (until is not None and datetime.fromisoformat(until) > datetime.now(UTC)):
            raise LockedKeyError

    def _copy(self, aside: str, key: str, sha256: bytes) -> None:
        exchange = self.putter.exchange
        proven = self._head(aside).get("etag")
        origin = {"x-amz-copy-source": f"/{exchange.bucket}/{encoded_path(aside)}"}
        exchange.read(Request("PUT", key, headers=origin, body=()))
        if self._head(key).get("etag") != proven:
            self._require(key, sha256)  # a copy of several parts has another ETag than they: only its bytes tell

    def _head(self, key: str) -> Mapping[str, str]:
        return self.putter.exchange.head(key)

    def _require(self, key: str, sha256: bytes) -> None:
        """Read an object back; NotKeptError unless it has that digest."""
        digest = hashlib.sha256()
        with contextlib.closing(self.putter.exchange.ask(Request("GET", key)).body) as body:
            while chunk := body.read(_PIECE):
                digest.update(chunk)
        if digest.digest() != sha256:
            raise NotKeptError

    def _sweep(self) -> None:
        """Once, remove what killed runs left aside."""
        with self._lock:
            swept, self._swept = self._swept, True
        if swept:
            return
        oldest = time.time_ns() - STALE_AFTER * 1_000_000_000
        exchange = self.putter.exchange
        for found in list_keys(exchange, f"{self.prefix}{ASIDE}/"):
            if (found.mtime_ns or 0) < oldest:
                exchange.read(Request("DELETE", found.path))
