"""Connections that are kept between requests: on a long link, making one takes several round trips."""

import contextlib
import time
import weakref
from collections import deque

from repatria.store.s3_http import Buffers, Connection, Reply, UnusedError
from repatria.store.s3_link import Origin

IDLE_KEPT = 128
"""Connections that are kept open between requests."""
IDLE_SECONDS = 10.0
"""How long each is kept without one: where links die without a word, finding that out takes three times as long."""


class Pool:
    """Connections to one origin, as many as requests run at once; for many threads."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._idle: deque[tuple[Connection, float]] = deque()
        """Each with the moment since which it is."""
        self._closed = False
        weakref.finalize(self, _close_all, self._idle)

    def ask(self, head: str, body: Buffers | None = None, *, is_head: bool = False) -> Reply:
        """Send one request over a kept or a new connection; OSError if it or its reply does not come through."""
        while True:
            connection = self._idle_one() or Connection(self._origin)
            try:
                reply = connection.ask(head, body, is_head=is_head)
            except UnusedError:
                connection.close()  # another kept one may have ended too; a new one is none of them
            except TimeoutError:
                connection.close()
                _close_all(self._idle)  # what made this one silent may have met them all
                raise
            except BaseException:
                connection.close()
                raise
            else:
                reply.body.when_ended(self.give_back)
                return reply

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for another request."""
        if self._closed or len(self._idle) >= IDLE_KEPT:
            connection.close()
        else:
            self._idle.append((connection, time.monotonic()))

    def close(self) -> None:
        """End the connections that are idle; those in use end with their replies."""
        self._closed = True
        _close_all(self._idle)

    def _idle_one(self) -> Connection | None:
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return None
            if time.monotonic() - since < IDLE_SECONDS and connection.is_idle():
                return connection
            connection.close()


def _close_all(connections: deque[tuple[Connection, float]]) -> None:
    with contextlib.suppress(IndexError):  # other threads take from it too
        while True:
            connections.pop()[0].close()
