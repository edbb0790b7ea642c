"""How fast and when bytes may flow: a rate for the whole run, and the hours of a window.

Window arithmetic is pure. Hours are those of the wall clock in the dataset's time zone.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.week import Span, parse_clock, parse_spans

_HORIZON = 9
"""Days looked ahead: a week repeats, and a stretch may begin the day before."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One time in which work may be done, from `opens` up to `closes`."""

    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """When work may be done; without spans, always."""

    spans: tuple[Span, ...] = ()
    zone: tzinfo = UTC

    def stretches(self, now: datetime) -> Iterator[Stretch]:
        """Yield the open times that end after `now`, in order, without end; a window that never closes has none."""
        if self.always_open(now):
            return
        told = now
        while True:
            # A stretch that ends later may only seem to end there, where looking ahead ends; the next round tells.
            limit = told + timedelta(days=_HORIZON - 2)
            for stretch in self._around(told):
                if told < stretch.closes < limit:
                    yield stretch
                    told = stretch.closes
            told += timedelta(minutes=1)

    def always_open(self, now: datetime) -> bool:
        """Return whether the window does not close within a week."""
        if not self.spans:
            return True
        return any(
            stretch.opens <= now and stretch.closes >= now + timedelta(days=_HORIZON - 2)
            for stretch in self._around(now)
        )

    def closes(self, now: datetime) -> datetime | None:
        """Return when the window closes, `now` itself if it is closed; None if it never does."""
        if self.always_open(now):
            return None
        stretch = next(self.stretches(now))
        return stretch.closes if stretch.opens <= now else now

    def opens(self, now: datetime) -> datetime:
        """Return when the window opens next, `now` itself if it is open."""
        if self.always_open(now):
            return now
        return max(now, next(self.stretches(now)).opens)

    def _around(self, now: datetime) -> list[Stretch]:
        midnight = now.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        found = []
        for ahead in range(-2, _HORIZON):
            day = midnight + timedelta(days=ahead)
            for span in self.spans:
                if day.weekday() in span.days:
                    found.append(Stretch(self._moment(day, span.start), self._moment(day, span.end)))
        return list(_merged(found))

    def _moment(self, midnight: datetime, minutes: int) -> datetime:
        return (midnight + timedelta(minutes=minutes)).replace(tzinfo=self.zone).astimezone(UTC)


def _merged(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """Yield stretches that neither overlap nor touch, in order."""
    current: Stretch | None = None
    for stretch in sorted(stretches, key=lambda each: each.opens):
        if current is None:
            current = stretch
        elif stretch.opens <= current.closes:
            current = Stretch(current.opens, max(current.closes, stretch.closes))
        else:
            yield current
            current = stretch
    if current is not None:
        yield current


def parse_window(text: str | None, zone: tzinfo) -> Window:
    """Return the window that a text describes (see `repatria.week`); UsageError if it is none.

    Without text it is always open.
    """
    try:
        return Window(parse_spans(text) if text is not None else (), zone)
    except ValueError as error:
        raise _wrong(text or "") from error


def next_clock_time(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the next moment at which the wall clock in `zone` shows `HH:MM`; UsageError if that is none."""
    try:
        minutes = parse_clock(text)
    except ValueError as error:
        raise _wrong(text) from error
    local = now.astimezone(zone).replace(tzinfo=None)
    moment = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(minutes=minutes)
    if moment <= local:
        moment += timedelta(days=1)
    return moment.replace(tzinfo=zone).astimezone(UTC)


def _wrong(text: str) -> UsageError:
    return UsageError(
        _("{text} is no time of the week.").format(text=text),
        advice=_('Write hours such as "20:00-06:00", or "Mon-Fri 20:00-06:00, Sat-Sun"; a moment such as "06:00".'),
    )


SAVED_UP = 0.5
"""Seconds without traffic that may be made up for: a 120th of the minute over which people look at a link."""


class Throttle:
    """A token bucket: lets bytes through at a rate that all threads of a run share."""

    def __init__(
        self,
        bits_per_second: int | None,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wait = wait
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock()
        self.bits_per_second = bits_per_second
        """None: as fast as it goes. May be changed while bytes flow."""

    def take(self, count: int) -> None:
        """Wait until `count` more bytes may be asked for; half a second's worth may be saved up.

        Asked before the bytes are, so that however many connections there are, the link never carries more.
        """
        rate = self.bits_per_second
        if rate is None:
            return
        with self._lock:
            now = self._clock()
            ahead = max(self._free_at, now - SAVED_UP) - now
            self._free_at = now + ahead + count * 8 / rate
        if ahead > 0:
            self._wait(ahead)

    def count(self, amount: int) -> None:
        """Take in bytes that came without being waited for: those that are asked for next wait for them too."""
        rate = self.bits_per_second
        if rate is not None:
            with self._lock:
                self._free_at = max(self._free_at, self._clock() - SAVED_UP) + amount * 8 / rate

    def give_back(self, count: int) -> None:
        """Take in that so many bytes that were asked for never came."""
        rate = self.bits_per_second
        if rate is not None:
            with self._lock:
                self._free_at -= count * 8 / rate
