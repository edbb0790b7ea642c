"""Connections that are kept between requests: on a long link, making one takes several round trips."""

import weakref
from collections import deque

from repatria.store.s3_http import Buffers, Connection, Reply, UnusedError
from repatria.store.s3_link import Origin

IDLE_KEPT = 128
"""Connections that are kept open between requests."""


class Pool:
    """Connections to one origin, as many as requests run at once; for many threads."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._idle: deque[Connection] = deque()
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
            self._idle.append(connection)

    def close(self) -> None:
        """End the connections that are idle; those in use end with their replies."""
        self._closed = True
        _close_all(self._idle)

    def _idle_one(self) -> Connection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.is_idle():
                return connection
            connection.close()


def _close_all(connections: deque[Connection]) -> None:
    while connections:
        connections.pop().close()
