"""The connections to one server: as many as the way to it calls for, shared by all threads.

One TCP connection over a long way carries a fraction of the link: MSS/RTT * 1.22/sqrt(p) (Mathis et al., 1997). sshd
drops handshakes that come in a burst (sshd_config(5), MaxStartups: of more than ten at a time, some).
"""

import contextlib
import copy
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from repatria.errors import RepatriaError
from repatria.i18n import ngettext
from repatria.store.sftp_connection import ATTEMPTS, BROKEN, Connection
from repatria.store.sftp_session import Session

FULL = 2 << 20
"""Bytes under way on one connection with which it takes no more: as much as keeps it busy while the next are opened."""
LEAST = 32 << 10
"""Bytes that the smallest question counts as, so that one connection has its share of them and no more."""
FEWEST, MOST = 4, 28
"""Connections that are made if there is use for them; each is a process of some 8 MiB, most of it shared."""
PER_SECOND_OF_WAY = 280
"""Connections for each second of round trip: 250 Mbit/s at a loss of 0.02 %, where 100 ms carry 9 Mbit/s each."""
AT_ONCE = 8
"""Handshakes at a time."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds without a new handshake after one was refused; twice as long after each further one."""
LONGEST_WAIT = 30.0
"""Seconds after which a thread gets a connection beyond those: it may itself be what keeps the others."""

LOG = logging.getLogger("repatria.sftp")


def wanted_at(round_trip: float) -> int:
    """Return how many connections a way of so many seconds there and back calls for."""
    return max(FEWEST, min(MOST, math.ceil(round_trip * PER_SECOND_OF_WAY)))


@dataclass(slots=True, eq=False)
class Loan:
    """A connection, or a share of one, until it is given back."""

    connection: Connection
    weight: int
    returned: bool = False

    @property
    def session(self) -> Session:
        """The session on it."""
        return self.connection.session


class Pool:
    """Lends shares of connections, which it makes, replaces when they break, and ends."""

    def __init__(self, connect: Callable[[int], Connection]) -> None:
        """`connect` makes a connection in at most so many attempts."""
        self._connect = connect
        self._change = threading.Condition()
        self._loads: dict[Connection, int] = {}
        """Bytes under way on each."""
        self._starting = 0
        self._wanted = 0
        """How many connections there are to be; 0 until the way was measured."""
        self._target = 0
        """How many of those are made, as far as there was use for them by now."""
        self._failure: RepatriaError | None = None
        """Why the last attempt at a first connection failed."""
        self._refusals = 0
        self._calm_until = 0.0
        self._closings = 0

    def borrow(self, weight: int = LEAST, *, listing: bool = False) -> Loan:
        """Return a share of a connection for so many bytes; of FULL, a connection that nobody else has.

        One for a listing waits for no other: a listing goes on for as long as what it finds is read. Errors: those of
        the first connection.
        """
        weight = max(LEAST, min(weight, FULL))
        until = time.monotonic() + LONGEST_WAIT
        with self._change:
            while True:
                connection = self._freest(weight)
                self._aim(overlapping=connection is None or self._loads[connection] > 0, listing=listing)
                if connection is not None:
                    self._loads[connection] += weight
                    return Loan(connection, weight)
                first = not self._loads and not self._starting
                if first or listing or time.monotonic() >= until:
                    self._starting += 1
                    break
                self._wait(until)
        return self._first(weight, listing=listing)

    def give_back(self, loan: Loan) -> None:
        """End a loan, once or more often; a connection that broke is not lent again."""
        with self._change:
            if loan.returned:
                return
            loan.returned = True
            broken = not loan.connection.alive
            if broken:
                self._loads.pop(loan.connection, None)
            elif loan.connection in self._loads:
                self._loads[loan.connection] -= loan.weight
            self._change.notify_all()
        if broken:
            loan.connection.close()

    @contextmanager
    def lend(self, weight: int = LEAST, *, listing: bool = False) -> Iterator[Session]:
        """Lend a share of a connection for a block of code."""
        loan = self.borrow(weight, listing=listing)
        try:
            yield loan.session
        finally:
            self.give_back(loan)

    def close(self) -> None:
        """End all connections."""
        with self._change:
            connections, self._loads = list(self._loads), {}
            self._closings += 1
        for connection in connections:
            connection.close()

    def _freest(self, weight: int) -> Connection | None:
        """Return the connection with the least to do, if it can take so much more; forget those that broke."""
        while self._loads:
            freest = min(self._loads, key=self._loads.__getitem__)
            if self._loads[freest] + weight > FULL:
                return None
            if freest.alive:
                return freest
            del self._loads[freest]
            freest.close()
        return None

    def _wait(self, until: float) -> None:
        """Wait for a change; the error of the first connection is that of all who wait for it."""
        failure = self._failure
        self._change.wait(max(0.0, until - time.monotonic()))
        if self._failure is not failure and self._failure is not None and not self._loads:
            raise copy.copy(self._failure)

    def _first(self, weight: int, *, listing: bool) -> Loan:
        """Make a connection in this thread, for this thread."""
        try:
            connection = self._connect(ATTEMPTS)
            if not self._wanted:
                with contextlib.suppress(*BROKEN):
                    self._wanted = wanted_at(connection.session.round_trip())
        except BaseException as error:
            with self._change:
                self._starting -= 1
                self._failure = error if isinstance(error, RepatriaError) else None
                self._change.notify_all()
            raise
        with self._change:
            self._starting -= 1
            if not self._loads:  # the link was lost and is back: what was refused meanwhile says nothing of the server
                self._refusals, self._calm_until = 0, 0.0
            self._loads[connection] = weight
            self._aim(overlapping=False, listing=listing)
            self._change.notify_all()
        return Loan(connection, weight)

    def _aim(self, *, overlapping: bool, listing: bool) -> None:
        """Make more connections if there is use for them: for what goes on side by side, and for what will."""
        if overlapping:
            self._target = self._wanted
        elif listing and self._wanted > AT_ONCE:
            # Over a long way: what is listed will be read, and handshakes take as long as the listing.
            self._target = max(self._target, AT_ONCE)
        self._grow()

    def _grow(self) -> None:
        """Make more connections in the background, as many as there is use for, but few handshakes at a time."""
        at_once = 1 if self._refusals else AT_ONCE
        if not self._loads or time.monotonic() < self._calm_until:
            return
        missing = self._target - len(self._loads) - self._starting
        for _number in range(min(missing, at_once - self._starting)):
            self._starting += 1
            threading.Thread(target=self._add, args=(self._closings,), name="sftp-connect", daemon=True).start()

    def _add(self, closings: int) -> None:
        """Make one connection more; if the server refuses it, live with those that there are, for a while."""
        connection = None
        try:
            connection = self._connect(1)
        except (RepatriaError, OSError) as error:
            self._refused(error)
        with self._change:
            self._starting -= 1
            late = self._closings != closings
            if connection is not None and not late:
                if time.monotonic() >= self._calm_until:  # else of the same burst as one that was refused
                    self._refusals = 0
                self._loads[connection] = 0
                self._grow()
            self._change.notify_all()
        if connection is not None and late:
            connection.close()

    def _refused(self, error: Exception) -> None:
        with self._change:
            if time.monotonic() < self._calm_until:
                return  # of the same burst as one before
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._refusals)
            self._refusals += 1
            self._calm_until = time.monotonic() + pause
            count = len(self._loads)
        reason = error.message if isinstance(error, RepatriaError) and error.public else type(error).__name__
        LOG.info(
            ngettext(
                "{reason} Going on with {count} connection; another one is tried in {seconds} s.",
                "{reason} Going on with {count} connections; another one is tried in {seconds} s.",
                count,
            ).format(reason=reason, count=count, seconds=round(pause))
        )
