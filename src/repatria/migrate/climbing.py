"""How many reads run at once, and how much each asks for: pure arithmetic on what was measured.

A link that is filled by many connections brings more with each of them; a service that hashes whole files before it
answers brings no more with many requests than with few, and answers each the later. So the number climbs as long as
that brings more, and falls as long as that costs nothing while answers come late.
"""

import math
from dataclasses import dataclass
from enum import Enum, auto

FEWEST = 4
FIRST = 32
FIRST_NEARBY = 8
"""Simultaneous reads at first: over a long link each carries little; to a service nearby few keep everything busy, and
each more costs turns of a processor."""
NEARBY = 0.02
"""Seconds that the quickest answer takes at most from nearby."""
ANSWERS_TOLD = 4
"""So many answers tell how far a service is: the first may have had to wait for something else."""
MOST = 96
"""Simultaneous reads: a long thin link wants tens, and each takes a thread and, waiting, up to a range of memory."""
WORTH_IT = 1.08
"""How much more throughput one step up has to bring to be kept, or one step down to cost so as not to be."""
OTHER_WORK = 0.5
"""How much less throughput says that other objects come now: of small ones, more at once are worth it."""
PATIENT_INTERVALS = 20
"""After so many intervals at the same number another step is tried: links change."""

SECONDS_A_READ = 0.5
LONGEST_ROUND_TRIP = 0.25
"""Seconds for which a link may be the reason that no answer comes."""
PONDERS = 1.0
"""Seconds from which on it is the service that makes an answer wait, not the link."""
SMALLEST_RANGE = 64 << 10
FIRST_RANGE = 256 << 10
LARGEST_RANGE = 8 << 20


class _Trial(Enum):
    NONE = auto()
    MORE = auto()
    FEWER = auto()


@dataclass(slots=True)
class Climb:
    """Decides how many reads may run."""

    allowed: int = FIRST
    most: int = MOST
    _base: float = 0.0
    """The throughput that the number being tried is held against, in bytes per second."""
    _before: int = FEWEST
    _trial: _Trial = _Trial.MORE
    _quiet: int = 0
    _answers: int = 0
    _quickest: float = math.inf
    """Seconds that an answer took at least: the way there and back, and little more."""
    _more_is_vain: bool = False
    """Whether twice as many have shown to bring no more."""
    _fewer_costs: bool = False
    """Whether half as many have shown to bring less."""

    def answered(self, waited: float) -> None:
        """Take in for how many seconds an answer was waited for: from nearby, fewer need to run at first."""
        self._answers += 1
        self._quickest = min(self._quickest, waited)
        if self._answers == ANSWERS_TOLD and self._quickest <= NEARBY and not self._base:
            self.allowed = min(self.allowed, FIRST_NEARBY)

    def measured(self, throughput: float, *, busy: bool, ponders: bool = False) -> int:
        """Take in one interval's bytes per second, and return how many reads may run now.

        `busy` tells whether all that were allowed did run; else the interval says nothing about the number. `ponders`
        tells whether the service took long to answer: then fewer are tried too.
        """
        if not busy:
            return self.allowed
        if self._trial is _Trial.MORE:
            self._tried_more(throughput, ponders=ponders)
        elif self._trial is _Trial.FEWER:
            self._tried_fewer(throughput, ponders=ponders)
        else:
            self._rested(throughput, ponders=ponders)
        return self.allowed

    def pushed_back(self, running: int) -> int:
        """Let half as many run as did: the service asked for fewer requests, or answers none in time."""
        self._settle(min(self.allowed, max(FEWEST, min(self.allowed, running) // 2)))
        return self.allowed

    def _tried_more(self, throughput: float, *, ponders: bool) -> None:
        first = not self._base
        if throughput < self._base * WORTH_IT:
            self._more_is_vain = True
            self._settle(self._before)
        elif first and ponders:
            self._step_down(throughput)
        else:
            self._fewer_costs = not first
            self._step_up(throughput)

    def _tried_fewer(self, throughput: float, *, ponders: bool) -> None:
        if throughput * WORTH_IT >= self._base:
            self._more_is_vain = True
            if ponders and self.allowed > FEWEST:
                self._step_down(max(throughput, self._base))
            else:
                self._settle(self.allowed)
            return
        self._fewer_costs = True
        self._settle(self._before)
        if not self._more_is_vain:
            self._step_up(self._base)

    def _rested(self, throughput: float, *, ponders: bool) -> None:
        self._quiet += 1
        if self._quiet >= PATIENT_INTERVALS or throughput < self._base * OTHER_WORK:
            self._more_is_vain = self._fewer_costs = False
            self._step_up(throughput)
        elif ponders and not self._fewer_costs and self.allowed > FEWEST:
            self._step_down(throughput)

    def _step_up(self, base: float) -> None:
        self._base, self._before, self._quiet = base, self.allowed, 0
        self.allowed = min(self.most, self.allowed * 2)
        self._trial = _Trial.MORE if self.allowed > self._before else _Trial.NONE

    def _step_down(self, base: float) -> None:
        self._base, self._before, self._quiet = base, self.allowed, 0
        self.allowed = max(FEWEST, self.allowed // 2)
        self._trial = _Trial.FEWER

    def _settle(self, number: int) -> None:
        self.allowed, self._before = number, number
        self._trial, self._quiet = _Trial.NONE, 0


@dataclass(slots=True)
class Stride:
    """Decides how many bytes a read asks for."""

    size: int = FIRST_RANGE
    settled: bool = False
    """Whether it is known how much to ask for: a read came that called for no more."""

    def measured(self, length: int, waited: float, came: float) -> int:
        """Take in for how many seconds one read's answer was waited for, and then its bytes; return the next one's.

        As much as comes in half a second, the way there and back included. From a service that ponders, as much as
        comes in the time that it ponders: whatever is asked for costs it that.
        """
        if length < SMALLEST_RANGE:  # of smaller objects the time says nothing about the connection's rate
            return self.size
        if waited < PONDERS:
            wanted = length / max(min(waited, LONGEST_ROUND_TRIP) + came, 1e-6) * SECONDS_A_READ
        else:
            wanted = length / max(came, 1e-6) * waited
        before = self.size
        if wanted >= 2 * before:
            self.size = min(2 * before, LARGEST_RANGE)
        elif wanted < before / 2:
            self.size = max(before // 2, SMALLEST_RANGE)
        self.settled |= self.size <= before
        return self.size
