"""Progress as a person sees it: bars on a terminal, a line now and then without one, nothing with `-q` or `--json`."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from repatria.cli.output import LOG, Output, printable
from repatria.cli.quantity import duration_text, quantity_text, rate_text
from repatria.cli.terminal import BottomLine, fitted
from repatria.i18n import _
from repatria.progress import SILENT, Progress, Unit

SECONDS_BETWEEN_LINES = 30.0
"""Without a terminal, how often a line tells how far the work is."""
SECONDS_OF_RATE = 15.0
"""The speed shown is that of so many last seconds: it falls to nothing when a link is lost."""
WIDEST_BAR = 24
NARROWEST_BAR = 6


@contextmanager
def shown_progress(output: Output) -> Iterator[Progress]:
    """Give a `Progress` that is shown as this output wishes, and end it well."""
    if output.json or output.quiet:
        yield SILENT
        return
    if not output.stderr.isatty() or os.environ.get("TERM") == "dumb":
        lines = Lines(output)
        try:
            yield lines
        finally:
            lines.finish()
        return
    shown = OnTerminal(output)
    with BottomLine(output.stderr, shown.line) as bottom:
        shown.bottom = bottom
        before, output.beside_progress = output.beside_progress, bottom.aside
        try:
            yield shown
        finally:
            output.beside_progress = before


class RecentRate:
    """Units per second over the last seconds."""

    def __init__(self, now: float) -> None:
        self._marks = deque([(now, 0)])

    def at(self, now: float, done: int) -> float:
        """Return the rate now that `done` units are done."""
        while len(self._marks) > 1 and self._marks[1][0] <= now - SECONDS_OF_RATE:
            self._marks.popleft()
        since, before = self._marks[0]
        if now - self._marks[-1][0] >= 0.5:
            self._marks.append((now, done))
        return (done - before) / (now - since) if now > since else 0.0


class OnTerminal:
    """One line with a bar for the stage under way; a sentence goes above it."""

    bottom: BottomLine | None = None

    def __init__(self, output: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._lock = threading.Lock()
        self._label: str | None = None
        self._unit = Unit.BYTES
        self._total: int | None = None
        self._done = 0
        self._rate = RecentRate(clock())

    def start(self, label: str, total: int | None, unit: Unit) -> None:
        """Begin a stage, ending the one before."""
        with self._lock:
            self._label, self._total, self._unit, self._done = label, total, unit, 0
            self._rate = RecentRate(self._clock())
        self._draw()

    def advance(self, amount: int) -> None:
        """Move the bar."""
        with self._lock:
            self._done += amount

    def total(self, total: int) -> None:
        """Correct the bar's length."""
        with self._lock:
            self._total = total

    def finish(self) -> None:
        """Take the bar away."""
        with self._lock:
            self._label = None
        self._draw()

    def say(self, message: str) -> None:
        """Show a sentence above the bar."""
        LOG.info("%s", message)
        with self._output.beside_progress():
            print(fitted(printable(message), self._output.stderr), file=self._output.stderr, flush=True)

    def line(self, width: int) -> str:
        """Return the line as it stands, in at most `width` columns; empty between two stages."""
        with self._lock:
            if self._label is None:
                return ""
            label, total, done = printable(self._label), self._total, self._done
            rate = self._rate.at(self._clock(), done)
        facts = [_amount(done, total, self._unit), rate_text(rate, self._unit)] if total or done else [""]
        if total and rate > 0:
            facts.append(duration_text(max(0, total - done) / rate))
        room = width - NARROWEST_BAR - 2
        while len(facts) > 1 and len("  ".join(facts)) > room - len(label):
            facts.pop()
        told = "  ".join(facts)
        label = _shortened(label, width - len(told) - 1)
        bar = _bar(done, total, min(WIDEST_BAR, width - len(label) - len(told) - 2), self._output.stderr.encoding)
        return " ".join(part for part in (label, bar, told) if part)[:width]

    def _draw(self) -> None:
        if self.bottom is not None:
            self.bottom.draw()


def _amount(done: int, total: int | None, unit: Unit) -> str:
    shown = quantity_text(done, unit)
    if total is None:
        return shown
    return _("{done} of {total}").format(done=shown, total=quantity_text(total, unit))


def _shortened(label: str, room: int) -> str:
    return label if len(label) <= room else f"{label[: max(0, room - 1)].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def _bar(done: int, total: int | None, width: int, encoding: str | None) -> str:
    """Return a bar, empty if the end is not known or there is no room."""
    if not total or width < NARROWEST_BAR:
        return ""
    full, rest = ("━", "─") if (encoding or "").lower().startswith("utf") else ("#", "-")
    filled = min(width, width * done // total)
    return full * filled + rest * (width - filled)


class Lines:
    """A line when a stage takes long, for logs and for cron's mail; short stages say nothing.

    Time in which there was nothing to do (a watched folder was empty) does not count.
    """

    def __init__(self, output: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._lock = threading.Lock()
        self._label: str | None = None
        self._unit = Unit.BYTES
        self._total: int | None = None
        self._done = 0
        self._begun = self._told = clock()
        self._idle_since: float | None = None

    def start(self, label: str, total: int | None, unit: Unit) -> None:
        """Begin a stage."""
        with self._lock:
            self._label, self._total, self._unit = label, total, unit
            self._done = 0
            self._begun = self._told = self._clock()
            self._idle_since = self._begun if total == 0 else None

    def advance(self, amount: int) -> None:
        """Count, and tell if it is time."""
        with self._lock:
            self._done += amount
            now = self._clock()
            if self._done == self._total:
                self._idle_since = now
            if self._label is None or now - self._told < SECONDS_BETWEEN_LINES:
                return
            self._told = now
            line = self._line(now - self._begun)
        self._output.say(line)

    def _line(self, seconds: float) -> str:
        done = quantity_text(self._done, self._unit)
        rate = self._done / seconds if seconds > 0 else 0.0
        if not self._total or not rate:
            return _("{stage}: {done}, {rate}").format(stage=self._label, done=done, rate=rate_text(rate, self._unit))
        return _("{stage}: {done} of {total}, {rate}, about {time} left").format(
            stage=self._label,
            done=done,
            total=quantity_text(self._total, self._unit),
            rate=rate_text(rate, self._unit),
            time=duration_text(max(0, self._total - self._done) / rate),
        )

    def total(self, total: int) -> None:
        """Correct the total."""
        with self._lock:
            self._total = total
            if self._idle_since is not None and self._done < total:
                self._begun += self._clock() - self._idle_since
                self._idle_since = None

    def finish(self) -> None:
        """End the stage."""
        with self._lock:
            self._label = None

    def say(self, message: str) -> None:
        """Show one sentence."""
        self._output.say(message)
