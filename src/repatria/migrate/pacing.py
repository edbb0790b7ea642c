"""When and how fast a copy may read: from the command line, else from the manifest, which may change meanwhile."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from repatria.errors import RepatriaError, StoppedError
from repatria.i18n import _
from repatria.manifest import Manifest
from repatria.migrate.headway import Remainder
from repatria.migrate.plan import Schedule, schedule
from repatria.progress import SILENT, Progress
from repatria.work.pace import Throttle, Window, next_clock_time, parse_window
from repatria.work.patience import Patience
from repatria.work.stop import StopSignal

SECONDS_BETWEEN_LOOKS = 30.0
"""How often the manifest is read again: changes of `[transfer]` take effect within a minute."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for; None: as the manifest says."""

    bandwidth: int | None = None
    """Bits per second."""
    window: str | None = None
    until: datetime | None = None
    """When to stop in any case."""

    def check(self, manifest: Manifest) -> None:
        """Refuse a window that is none, before any work: UsageError."""
        parse_window(self.window or manifest.transfer.window, ZoneInfo(manifest.timezone))


def until_clock(clock: str | None, manifest: Manifest) -> datetime | None:
    """Return the next moment at which a clock in the manifest's time zone shows `HH:MM`."""
    return None if clock is None else next_clock_time(clock, datetime.now(UTC), ZoneInfo(manifest.timezone))


@dataclass(slots=True)
class Pacing:
    """Keeps a throttle, a stop and patience in line with the wishes and the manifest."""

    manifest: Manifest
    wishes: Wishes
    stop: StopSignal
    reread: Callable[[], Manifest]
    progress: Progress = SILENT
    throttle: Throttle = field(init=False)
    patience: Patience = field(init=False)
    """How long a lost link is waited for; changes hold for an outage that has begun, too."""
    _end: datetime | None = field(init=False, default=None)
    """When this run ends at the latest, as it was told last."""
    _looked: float = field(init=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.throttle = Throttle(None, self.stop.wait)
        self.patience = Patience(self.stop, self.manifest.transfer.patience, self.progress)

    @property
    def zone(self) -> tzinfo:
        """The time zone in which hours are meant."""
        return ZoneInfo(self.manifest.timezone)

    @property
    def window(self) -> Window:
        """The window that holds now."""
        return parse_window(self.wishes.window or self.manifest.transfer.window, self.zone)

    def opens(self, now: datetime) -> datetime:
        """Return when work may begin: `now` if the window is open."""
        return self.window.opens(now)

    def begin(self, now: datetime) -> None:
        """Hold to the window from now on; StoppedError (8) if it is closed."""
        opens = self.opens(now)
        if opens > now:
            raise StoppedError(
                _("The window is closed; nothing was done."),
                advice=self.announcement(opens) + " " + _("With --wait this command waits for it."),
            )
        self._apply(now)

    def ending(self, now: datetime) -> str:
        """Return the sentence that says when this run ends at the latest; empty if nothing ends it."""
        if self._end is None:
            return ""
        end, today = self._end.astimezone(self.zone), now.astimezone(self.zone).date()
        told = {"time": f"{end:%H:%M}", "zone": self.manifest.timezone}
        if end.date() == today:
            return _("This run ends today at {time} ({zone}), resumably.").format(**told)
        if end.date() == today + timedelta(days=1):
            return _("This run ends tomorrow at {time} ({zone}), resumably.").format(**told)
        return _("This run ends on {date} at {time} ({zone}), resumably.").format(date=f"{end:%Y-%m-%d}", **told)

    def look(self) -> None:
        """Read the manifest again if it is time; one that is wrong at this moment changes nothing."""
        now = time.monotonic()
        if now - self._looked < SECONDS_BETWEEN_LOOKS:
            return
        self._looked = now
        try:
            self.manifest = self.reread()
        except RepatriaError:
            return
        self._apply(datetime.now(UTC))

    def _apply(self, now: datetime) -> None:
        self.patience.seconds = self.manifest.transfer.patience
        self.throttle.bits_per_second = self.wishes.bandwidth or self.manifest.transfer.bandwidth
        closes = self.window.closes(now)
        moments = [moment for moment in (closes, self.wishes.until) if moment is not None]
        self._end = end = min(moments, default=None)
        if end is None:
            self.stop.at(None)
            return
        opens = self.window.opens(end)
        self.stop.at(end.timestamp(), self.announcement(opens) if opens > end else "", why=self._why(end))

    def _why(self, end: datetime) -> str:
        """Return the sentence that says whose hour has come."""
        told = {"time": f"{end.astimezone(self.zone):%H:%M}", "zone": self.manifest.timezone}
        if end == self.wishes.until:
            return _("It is {time} ({zone}), the hour that --until gave.").format(**told)
        return _("It is {time} ({zone}), and the window is closed.").format(**told)

    def rest(self, left: Remainder, now: datetime) -> Schedule:
        """Return how long what is left takes at the speed that was measured, from the next opening of the window."""
        return schedule(left.bytes, left.bytes_per_second * 8, self.window, now, efficiency=1.0)

    def announcement(self, moment: datetime) -> str:
        """Return the sentence that says when the window opens."""
        shown = moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")
        return _("The window opens on {time} ({zone}).").format(time=shown, zone=self.manifest.timezone)
