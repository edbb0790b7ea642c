"""How many reads run at once at a source, and which goes first: found out from what the link answers.

One TCP connection over a long, lossy path carries a fraction of the link (Mathis et al., 1997: MSS/RTT * 1.22/sqrt(p)),
and one small object costs a round trip whatever its size. So many reads run side by side: few at first, more as long as
that brings more bytes, fewer when the service asks for it.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, TypeVar

from repatria.errors import RepatriaError, ThrottledError

FEWEST = 4
FIRST = 16
MOST = 96
"""Simultaneous reads: a long thin link wants tens, and each takes a thread and, waiting, up to a range of memory."""
INTERVAL = 0.5
"""Seconds over which throughput is measured."""
WORTH_IT = 1.08
"""How much more throughput one step up has to bring to be kept."""
PATIENT_INTERVALS = 20
"""After so many intervals at the same number another step is tried: links change."""

_T = TypeVar("_T")


@dataclass(slots=True)
class Climb:
    """Decides how many reads may run: pure arithmetic on what was measured."""

    allowed: int = FIRST
    most: int = MOST
    _base: float = 0.0
    """The best throughput seen below the number that is being tried, in bytes per second."""
    _before: int = FEWEST
    _climbing: bool = True
    _quiet: int = 0

    def measured(self, throughput: float, *, busy: bool) -> int:
        """Take in one interval's bytes per second, and return how many reads may run now.

        `busy` tells whether all that were allowed did run; else the interval says nothing about the number.
        """
        if not busy:
            return self.allowed
        if not self._climbing:
            self._quiet += 1
            if self._quiet < PATIENT_INTERVALS:
                return self.allowed
            self._climbing, self._base = True, throughput
            self._step_up()
        elif throughput >= self._base * WORTH_IT:
            self._base = throughput
            self._step_up()
        else:
            self._settle(self._before)
        return self.allowed

    def pushed_back(self) -> int:
        """Halve the number: the service asked for fewer requests, or connections broke."""
        self._settle(max(FEWEST, self.allowed // 2))
        return self.allowed

    def _step_up(self) -> None:
        self._before, self._quiet = self.allowed, 0
        self.allowed = min(self.most, self.allowed * 2)
        self._climbing = self.allowed > self._before

    def _settle(self, number: int) -> None:
        self.allowed, self._before = number, number
        self._climbing, self._quiet = False, 0


@dataclass(order=True, slots=True)
class _Waiting:
    order: tuple[int, int]
    call: Callable[[], Any] = field(compare=False)
    future: "Future[Any]" = field(compare=False)


class Connections:
    """Runs reads on threads, the lowest order first; from several threads. Close it when the work is done."""

    def __init__(self, most: int = MOST) -> None:
        self._climb = Climb(allowed=min(FIRST, most), most=most)
        self._change = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._threads = 0
        self._running = 0
        self._closed = False
        self._bytes = 0
        self._was_busy = False
        self._since = time.monotonic()
        self._calm_until = 0.0

    def submit(self, order: tuple[int, int], call: "Callable[[], _T]") -> "Future[_T]":
        """Run `call` in its turn; orders are unique."""
        future: Future[_T] = Future()
        with self._change:
            if self._closed:
                raise RuntimeError("the connections are closed")
            heappush(self._waiting, _Waiting(order, call, future))
            if self._threads < min(self._climb.allowed, self._running + len(self._waiting)):
                self._start_thread()
            self._change.notify()
        return future

    def carried(self, amount: int) -> None:
        """Count bytes that came over the link."""
        with self._change:
            self._bytes += amount
            self._was_busy |= self._running >= self._climb.allowed and bool(self._waiting)
            elapsed = time.monotonic() - self._since
            if elapsed >= INTERVAL:
                self._climb.measured(self._bytes / elapsed, busy=self._was_busy)
                self._bytes, self._was_busy, self._since = 0, False, time.monotonic()
                self._start_allowed()

    def troubled(self, error: RepatriaError) -> None:
        """Take in that a read failed: a service that asks for less gets less, at most one step a second."""
        if isinstance(error, ThrottledError):
            with self._change:
                now = time.monotonic()
                if now >= self._calm_until:
                    self._climb.pushed_back()
                    self._calm_until = now + 1.0

    @property
    def allowed(self) -> int:
        """How many reads may run now."""
        return self._climb.allowed

    def close(self) -> None:
        """Let reads that wait fall; those that run end by themselves."""
        with self._change:
            self._closed = True
            for waiting in self._waiting:
                waiting.future.cancel()
            self._waiting.clear()
            self._change.notify_all()

    def _start_allowed(self) -> None:
        for _number in range(min(self._climb.allowed, self._running + len(self._waiting)) - self._threads):
            self._start_thread()
        self._change.notify_all()

    def _start_thread(self) -> None:
        try:
            threading.Thread(target=self._serve, name=f"read-{self._threads + 1}", daemon=True).start()
        except RuntimeError:
            if not self._threads:
                raise
            return  # the system allows no more: those that run do the work
        self._threads += 1

    def _serve(self) -> None:
        while (waiting := self._next()) is not None:
            try:
                if waiting.future.set_running_or_notify_cancel():
                    waiting.future.set_result(waiting.call())
            except BaseException as error:
                waiting.future.set_exception(error)
            finally:
                with self._change:
                    self._running -= 1
                    self._change.notify()

    def _next(self) -> _Waiting | None:
        with self._change:
            while not self._closed:
                if self._waiting and self._running < self._climb.allowed:
                    self._running += 1
                    return heappop(self._waiting)
                self._change.wait()
            return None
