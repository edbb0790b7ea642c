"""Progress as a person sees it: bars on a terminal, a line now and then without one, nothing with `-q` or `--json`."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from repatria.cli.output import LOG, Output, printable
from repatria.cli.quantity import duration_text, quantity_text, rate_text
from repatria.i18n import _
from repatria.progress import SILENT, Progress, Unit

SECONDS_BETWEEN_LINES = 30.0
"""Without a terminal, how often a line tells how far the work is."""


@contextmanager
def shown_progress(output: Output) -> Iterator[Progress]:
    """Give a `Progress` that is shown as this output wishes, and end it well."""
    if output.json or output.quiet:
        yield SILENT
        return
    if not output.stderr.isatty():
        lines = Lines(output)
        try:
            yield lines
        finally:
            lines.finish()
        return
    with _bars(output) as bars:
        yield OnTerminal(bars)


class _Rate(ProgressColumn):
    """Units per second, in words that fit the unit."""

    def render(self, task: Task) -> Text:
        """Show the speed of one task."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else rate_text(speed, task.fields["unit"]), style="progress.data.speed")


class _Done(ProgressColumn):
    """How much is done, of how much."""

    def render(self, task: Task) -> Text:
        """Show the count of one task."""
        unit = task.fields["unit"]
        done = quantity_text(int(task.completed), unit)
        if task.total is None:
            return Text(done, style="progress.download")
        return Text(
            _("{done} of {total}").format(done=done, total=quantity_text(int(task.total), unit)),
            style="progress.download",
        )


def _bars(output: Output) -> Bars:
    return Bars(
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        _Done(),
        _Rate(),
        TimeRemainingColumn(compact=True),
        console=Console(file=output.stderr, highlight=False),
        transient=True,
        expand=True,
    )


class OnTerminal:
    """One bar a stage, the last one moving; a sentence goes above the bars."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def start(self, label: str, total: int | None, unit: Unit) -> None:
        """Begin a bar, ending the one before."""
        self.finish()
        self._task = self._bars.add_task(label, total=total, unit=unit)

    def advance(self, amount: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.advance(self._task, amount)

    def total(self, total: int) -> None:
        """Correct the bar's length."""
        if self._task is not None:
            self._bars.update(self._task, total=total)

    def finish(self) -> None:
        """Take the bar away."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None

    def say(self, message: str) -> None:
        """Show a sentence above the bars."""
        LOG.info("%s", message)
        self._bars.console.print(printable(message), markup=False, highlight=False, soft_wrap=True)


class Lines:
    """A line when a stage takes long, for logs and for cron's mail; short stages say nothing."""

    def __init__(self, output: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._lock = threading.Lock()
        self._label: str | None = None
        self._unit = Unit.BYTES
        self._total: int | None = None
        self._done = 0
        self._begun = self._told = clock()

    def start(self, label: str, total: int | None, unit: Unit) -> None:
        """Begin a stage."""
        with self._lock:
            self._label, self._total, self._unit = label, total, unit
            self._done = 0
            self._begun = self._told = self._clock()

    def advance(self, amount: int) -> None:
        """Count, and tell if it is time."""
        with self._lock:
            self._done += amount
            now = self._clock()
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

    def finish(self) -> None:
        """End the stage."""
        with self._lock:
            self._label = None

    def say(self, message: str) -> None:
        """Show one sentence."""
        self._output.say(message)
