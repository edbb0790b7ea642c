"""A few connections to one server, each lent to one thread at a time."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from repatria.errors import StoreError, UnreachableError
from repatria.store.sftp_connection import Connection

MOST = 8
"""Connections at a time: below sshd's own limits for one user, and enough to fill a long link."""
LONGEST_WAIT = 30.0
"""Seconds after which a thread gets a connection beyond MOST: it may itself be what keeps the others."""


class Pool:
    """Lends connections; they are made one after the other, since sshd drops handshakes that come in a burst."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connecting = threading.Lock()
        self._places = threading.Semaphore(MOST)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._lent: dict[int, bool] = {}
        """By identity of the connection: whether it holds one of the places."""

    def acquire(self, *, extra: bool = False) -> Connection:
        """Return a connection for this thread alone, until `release`; an `extra` one is not counted."""
        has_place = not extra and self._places.acquire(timeout=LONGEST_WAIT)
        try:
            connection = self._idle_one() or self._new_one()
        except BaseException:
            if has_place:
                self._places.release()
            raise
        with self._lock:
            self._lent[id(connection)] = has_place
        return connection

    def release(self, connection: Connection, *, broken: bool = False) -> None:
        """Give a connection back, to be used again unless it is broken."""
        with self._lock:
            has_place = self._lent.pop(id(connection))
            if not broken:
                self._idle.append(connection)
        if broken:
            connection.close()
        if has_place:
            self._places.release()

    @contextmanager
    def lend(self, *, extra: bool = False) -> Iterator[Connection]:
        """Lend a connection for a block of code; what breaks in the middle of an exchange is not used again."""
        connection = self.acquire(extra=extra)
        try:
            yield connection
        except BaseException as error:
            self.release(connection, broken=leaves_broken(error))
            raise
        self.release(connection)

    def close(self) -> None:
        """End the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            with contextlib.suppress(Exception):  # it may be broken already, in any way
                connection.close()

    def _idle_one(self) -> Connection | None:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if connection.alive:
                    return connection
                connection.close()
        return None

    def _new_one(self) -> Connection:
        with self._connecting:
            return self._idle_one() or self._connect()


def leaves_broken(error: BaseException) -> bool:
    """Tell whether an exchange that ended so may have left a reply half read: all but a plain refusal."""
    return not isinstance(error, StoreError) or isinstance(error, UnreachableError)
