"""How many reads run at once at a source, and how much each asks for: found out from what the link answers.

One TCP connection over a long, lossy path carries a fraction of the link (Mathis et al., 1997: MSS/RTT * 1.22/sqrt(p)),
and one small object costs a round trip whatever its size. So many reads run side by side: more as long as that brings
more bytes, fewer when the service asks for it. Each asks for about as much as comes in half a second: little of a slow
connection, so that none is waited for at the end and a broken one costs little; much of a disk.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from repatria.errors import RepatriaError, ThrottledError
from repatria.model import Object

FEWEST = 4
FIRST = 32
MOST = 96
"""Simultaneous reads: a long thin link wants tens, and each takes a thread and, waiting, up to a range of memory."""
INTERVAL = 0.5
"""Seconds over which throughput is measured."""
WORTH_IT = 1.08
"""How much more throughput one step up has to bring to be kept."""
OTHER_WORK = 0.5
"""How much less throughput says that other objects come now: of small ones, more at once are worth it."""
PATIENT_INTERVALS = 20
"""After so many intervals at the same number another step is tried: links change."""

SECONDS_A_READ = 0.5
SMALLEST_RANGE = 64 << 10
FIRST_RANGE = 256 << 10
LARGEST_RANGE = 8 << 20


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
            if self._quiet < PATIENT_INTERVALS and throughput >= self._base * OTHER_WORK:
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


@dataclass(slots=True)
class Stride:
    """Decides how many bytes a read asks for: pure arithmetic on how long reads took."""

    size: int = FIRST_RANGE

    def measured(self, length: int, seconds: float) -> int:
        """Take in how long the link took for one read, and return what the next one should ask for.

        What a service ponders does not count: less would come of each answer then, and all the more be asked.
        """
        if length >= SMALLEST_RANGE:  # of smaller objects the time says nothing about the connection's rate
            wanted = length / max(seconds, 1e-6) * SECONDS_A_READ
            if wanted >= 2 * self.size:
                self.size = min(2 * self.size, LARGEST_RANGE)
            elif wanted < self.size / 2:
                self.size = max(self.size // 2, SMALLEST_RANGE)
        return self.size


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
        self._awaited: Read | None = None
        self._waiting: deque[Read] = deque()
        self._threads = 0
        self._idle = 0
        self._running = 0
        self._closed = False
        self._bytes = 0
        self._was_busy = False
        self._since = time.monotonic()
        self._calm_until = 0.0

    def submit(self, reads: Sequence[Read]) -> None:
        """Run reads, each in its turn."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the connections are closed")
            self._waiting.extend(reads)
            self._start_allowed()

    def wait(self, read: Read, seconds: float) -> bool:
        """Wait until a read is over, but not for longer than `seconds`; return whether it is. For one thread."""
        if not read.over:
            with self._lock:
                self._awaited = read
                self._arrival.wait_for(lambda: read.over, seconds)
        return read.over

    def took(self, length: int, seconds: float) -> None:
        """Take in how long the link took for a read of so many bytes."""
        with self._lock:
            self._stride.measured(length, seconds)

    def carried(self, amount: int) -> None:
        """Count bytes that came over the link."""
        with self._lock:
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
            with self._lock:
                now = time.monotonic()
                if now >= self._calm_until:
                    self._climb.pushed_back()
                    self._calm_until = now + 1.0

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

    def _start_allowed(self) -> None:
        """See to it that as many threads read as may and can."""
        able = min(self._climb.allowed - self._running, len(self._waiting))
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
                if self._waiting and self._running < self._climb.allowed:
                    self._running += 1
                    self._idle -= 1
                    return self._waiting.popleft()
                self._work.wait()
            return None
