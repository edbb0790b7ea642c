"""Connections that are kept between requests: on a long link, making one takes several round trips."""

import contextlib
import time
import weakref
from collections import deque

from repatria.store.s3_http import Buffers, Connection, Reply, UnusedError
from repatria.store.s3_link import NoAnswerError, Origin

IDLE_KEPT = 128
"""Connections that are kept open between requests."""
IDLE_SECONDS = 10.0
"""How long each is kept without one: where links die without a word, finding that out takes three times as long."""
_FORGETTING = 0.95
"""What each answer leaves of the time that is granted because an earlier one was late."""


class _Grace:
    """How long an answer may take, by how long earlier ones took; for many threads.

    What two threads learn at once may get lost; the next answer teaches it again.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def answered(self, took: float) -> None:
        self.seconds = max(self.seconds * _FORGETTING, 2 * took)

    def was_late(self, waited: float) -> None:
        self.seconds = max(self.seconds, 2 * waited)


class Pool:
    """Connections to one origin, as many as requests run at once; for many threads."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._idle: deque[tuple[Connection, float]] = deque()
        """Each with the moment since which it is."""
        self._grace = _Grace()
        self._closed = False
        weakref.finalize(self, _close_all, self._idle)

    def ask(self, head: str, body: Buffers | None = None, *, is_head: bool = False) -> Reply:
        """Send one request over a kept or a new connection; OSError if it or its reply does not come through."""
        while True:
            connection = self._idle_one() or Connection(self._origin)
            asked = time.monotonic()
            try:
                reply = connection.ask(head, body, is_head=is_head, within=self._grace.seconds)
            except UnusedError:
                connection.close()  # another kept one may have ended too; a new one is none of them
            except TimeoutError as error:
                connection.close()
                if isinstance(error, NoAnswerError):
                    self._grace.was_late(time.monotonic() - asked)
                _close_all(self._idle)  # what made this one silent may have met them all
                raise
            except BaseException:
                connection.close()
                raise
            else:
                if body is None:
                    self._grace.answered(time.monotonic() - asked)
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
