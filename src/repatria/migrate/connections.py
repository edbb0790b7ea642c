"""How many reads run at once at a source, and how much each asks for: found out from what the link answers.

One TCP connection over a long, lossy path carries a fraction of the link (Mathis et al., 1997: MSS/RTT * 1.22/sqrt(p)),
and one small object costs a round trip whatever its size. So many reads run side by side: more as long as that brings
more bytes, fewer when the service asks for it or answers none in time (`migrate/climbing.py`). Each asks for about as
much as comes in half a second: little of a slow connection, so that none is waited for at the end and a broken one
costs little; much of a disk.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from repatria.errors import LateError, RepatriaError, ThrottledError
from repatria.migrate.climbing import FIRST, MOST, PONDERS, SMALLEST_RANGE, Climb, Stride
from repatria.model import Object

INTERVAL = 0.5
"""Seconds over which throughput is measured. Where a service ponders, bytes come in gusts: twice what it takes then."""
CALM = 1.0
"""Seconds between two steps back: requests that run beside each other are refused together."""
CALM_WHEN_LATE = 10.0
"""The same where answers come late: those that are given up began seconds apart."""
SILENCE = 10.0
"""Seconds without a byte that say that no answer comes in time, not just one."""
_WEIGHT = 0.2
"""What one more answer adds to the mean of how long answers take."""
_GLANCE = 0.5
"""Seconds between two looks at whether a stop was asked for."""


@dataclass(slots=True, eq=False)
class Read:
    """One read of a range: it waits for its turn, runs, and then has come or failed."""

    length: int
    call: Callable[[], Object]
    """Reads, and returns the object as fully as the reply tells of it."""
    told: Object | None = None
    error: BaseException | None = None
    over: bool = False


class Connections:
    """Runs reads on threads, in the order in which they are asked for; close it when the work is done."""

    def __init__(self, most: int = MOST) -> None:
        self._climb = Climb(allowed=min(FIRST, most), most=most)
        self._stride = Stride()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._arrival = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._awaited: Read | None = None
        self._waiting: deque[Read] = deque()
        self._threads = 0
        self._idle = 0
        self._running = 0
        self._stepped_back = 0
        self._closed = False
        self._bytes = 0
        self._was_busy = False
        self._answers_in: float | None = None
        self._came_at = self._since = time.monotonic()
        self._calm_until = 0.0

    def submit(self, reads: Sequence[Read]) -> None:
        """Run reads, each in its turn."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the connections are closed")
            idle = not self._running and not self._waiting
            self._waiting.extend(reads)
            if idle:
                self._begin_interval()  # what came while nothing was asked for says nothing
            else:
                self._start_allowed()

    def wait(self, read: Read, seconds: float) -> bool:
        """Wait until a read is over, but not for longer than `seconds`; return whether it is. For one thread."""
        if not read.over:
            with self._lock:
                self._awaited = read
                self._arrival.wait_for(lambda: read.over, seconds)
        return read.over

    def has_use_for(self, length: int) -> bool:
        """Return whether a read of so many bytes should be asked for now.

        Large ones wait until it is known how much to ask for, beyond those that are next: a service that hashes a whole
        file for each answer would be asked for each volume in hundreds of pieces.
        """
        return length < SMALLEST_RANGE or self._stride.settled or len(self._waiting) < self._climb.allowed

    def answered(self, waited: float) -> None:
        """Take in for how many seconds an answer was waited for; its bytes are to come."""
        with self._lock:
            before = self._answers_in
            self._answers_in = waited if before is None else before + (waited - before) * _WEIGHT
            self._climb.answered(waited)

    def took(self, length: int, waited: float, came: float) -> None:
        """Take in for how many seconds a read of so many bytes was waited for, and how many these took then."""
        with self._lock:
            self._stride.measured(length, waited, came)

    def carried(self, amount: int) -> None:
        """Count bytes that came over the link."""
        with self._lock:
            self._bytes += amount
            self._was_busy |= self._running >= self._climb.allowed and bool(self._waiting)
            self._came_at = time.monotonic()
            elapsed = self._came_at - self._since
            answers_in = self._answers_in or 0.0
            ponders = answers_in >= PONDERS
            if elapsed >= (2 * answers_in if ponders else INTERVAL):
                self._climb.measured(self._bytes / elapsed, busy=self._was_busy, ponders=ponders)
                self._begin_interval()

    def troubled(self, error: RepatriaError) -> None:
        """Take in that a read failed: a service that asks for less, or answers nothing in time, gets less."""
        with self._lock:
            now = time.monotonic()
            late = isinstance(error, LateError) and (
                (self._answers_in or 0.0) >= PONDERS or now - self._came_at >= SILENCE  # else that one connection hangs
            )
            if now >= self._calm_until and (late or isinstance(error, ThrottledError)):
                self._climb.pushed_back(self._running)
                self._calm_until = now + (CALM_WHEN_LATE if late else CALM)
                self._begin_interval()

    def step_back(self, heed_stop: Callable[[], None]) -> None:
        """Wait, before a read that runs is tried again, as long as too many run; it goes before those that wait.

        `heed_stop` is called a few times a second, to raise what ends the waiting.
        """
        with self._lock:
            if self._running <= self._climb.allowed:
                return
            self._running -= 1
            self._stepped_back += 1
            try:
                while self._running >= self._climb.allowed and not self._closed:
                    self._room.wait(_GLANCE)
                    heed_stop()
            finally:
                self._stepped_back -= 1
                self._running += 1
                self._start_allowed()

    @property
    def allowed(self) -> int:
        """How many reads may run now."""
        return self._climb.allowed

    @property
    def range_size(self) -> int:
        """How many bytes a read should ask for now."""
        return self._stride.size

    def close(self) -> None:
        """Let reads that wait fall; those that run end by themselves."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            self._work.notify_all()
            self._room.notify_all()

    def _begin_interval(self) -> None:
        self._bytes, self._was_busy, self._since = 0, False, time.monotonic()
        self._start_allowed()

    def _start_allowed(self) -> None:
        """See to it that as many threads read as may and can."""
        able = max(0, min(self._climb.allowed - self._running, len(self._waiting)))
        for _number in range(able - self._idle):
            self._start_thread()
        self._work.notify(able)

    def _start_thread(self) -> None:
        try:
            threading.Thread(target=self._serve, name=f"read-{self._threads + 1}", daemon=True).start()
        except RuntimeError:
            if not self._threads:
                raise
            return  # the system allows no more: those that run do the work
        self._threads += 1
        self._idle += 1

    def _serve(self) -> None:
        read = self._next()
        while read is not None:
            try:
                read.told = read.call()
            except BaseException as error:
                read.error = error
            read = self._next(read)

    def _next(self, done: Read | None = None) -> Read | None:
        """Take in what is done, and wait for the next read; None once closed."""
        with self._lock:
            if done is not None:
                done.over = True
                self._running -= 1
                self._idle += 1
                if self._awaited is done:
                    self._arrival.notify()
            while not self._closed:
                if self._stepped_back and self._running < self._climb.allowed:
                    self._room.notify()
                elif self._waiting and self._running < self._climb.allowed:
                    self._running += 1
                    self._idle -= 1
                    return self._waiting.popleft()
                self._work.wait()
            return None
