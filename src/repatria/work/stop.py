"""The wish to end soon and resumably: a signal, Ctrl-C, or the end of a window.

Work asks `stop.raise_if_requested()` at every point where it can end without harm, a few times a second.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from types import FrameType, TracebackType
from typing import Self

from repatria.errors import InterruptedByUserError, StoppedError
from repatria.i18n import _

_GLANCE = 0.2
"""Seconds between two looks at whether a stop was asked for."""


class Reason(StrEnum):
    """Why a run stops."""

    SIGNAL = "signal"
    """SIGTERM or SIGHUP: cron, systemd, a closed terminal."""
    KEYBOARD = "keyboard"
    WINDOW = "window"
    """The time given to this run is over."""
    LINK = "link"
    """Source or target were out of reach for longer than patience lasts."""
    FAILURE = "failure"
    """Another part of the run failed; its error is the one to tell."""


REASONS: Mapping[int, Reason] = {
    signal.SIGTERM: Reason.SIGNAL,
    signal.SIGHUP: Reason.SIGNAL,
    signal.SIGINT: Reason.KEYBOARD,
}
"""What each of the signals that are listened for asks for."""


class StopSignal:
    """A stop that may be asked for; as a context manager (in the main thread) it listens for signals.

    A signal that the process was started to ignore (`nohup`) stays ignored. The first Ctrl-C asks for a stop, the
    second one interrupts at once.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.reason: Reason | None = None
        self.is_heard = False
        """Whether the main thread knows: it does not hang, whatever it is in the middle of."""
        self._is_asking = False
        self._clock = clock
        self._deadline: float | None = None
        self._cause: StoppedError | None = None
        self._advice = ""
        self._why = ""
        self._earlier: dict[int, signal.Handlers | Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in REASONS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._earlier[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._earlier.items():
            with suppress(TypeError):  # a handler set by C code cannot be put back
                signal.signal(number, handler)
        self._earlier.clear()

    def request(self, reason: Reason, cause: StoppedError | None = None) -> None:
        """Ask for a stop; the first reason stays, and the error that all threads then raise."""
        # A plain attribute: this runs in a signal handler, where a lock could wait for the very thread it stopped.
        if self.reason is None:
            self._cause = cause
            self.reason = reason

    def at(self, deadline: float | None, advice: str = "", *, why: str = "") -> None:
        """Ask for a stop at a moment (seconds since the epoch); None takes the deadline away.

        Both are translated sentences for the error of that stop: `advice` says when work goes on, `why` whose hour has
        come.
        """
        self._deadline = deadline
        self._advice = advice
        self._why = why

    @property
    def why(self) -> str:
        """The sentence that says what ended the run, if not somebody who knows: a link that was lost, an hour."""
        if self._cause is not None:
            return self._cause.message
        return self._why if self.reason is Reason.WINDOW else ""

    def renew(self) -> None:
        """Forget that a window closed: the next one is open."""
        if self.reason is Reason.WINDOW:
            self._deadline = self.reason = None
            self.is_heard = False

    @property
    def requested(self) -> bool:
        """Whether work must end soon."""
        if self.reason is None and self._deadline is not None and self._clock() >= self._deadline:
            self.request(Reason.WINDOW)
        return self.reason is not None

    def raise_if_requested(self) -> None:
        """Raise StoppedError (code 8), or InterruptedByUserError (code 130), once a stop was asked for."""
        if self.requested:
            self.is_heard |= threading.current_thread() is threading.main_thread()
            raise self.error()

    def error(self) -> StoppedError:
        """Return the error that ends a stopped run."""
        if self._cause is not None:
            return type(self._cause)(self._cause.message, advice=self._cause.advice, public=self._cause.public)
        if self.reason is Reason.KEYBOARD:
            return InterruptedByUserError(_("Interrupted. Nothing is lost; run the same command again to go on."))
        if self.why:
            told = _("{why} Nothing is lost; run the same command again to go on.").format(why=self.why)
            return StoppedError(told, advice=self._advice)
        return StoppedError(
            _("Stopped. Nothing is lost; run the same command again to go on."),
            advice=self._advice if self.reason is Reason.WINDOW else "",
        )

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than until a stop is asked for; then raise like `raise_if_requested`."""
        end = time.monotonic() + seconds
        self.raise_if_requested()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _GLANCE))
            self.raise_if_requested()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a person is asked something, have a signal raise the error of its stop: nobody waits for the answer.

        For the main thread: reading a line goes on after a signal, unless its handler raises.
        """
        self._is_asking = True
        try:
            self.raise_if_requested()
            yield
        finally:
            self._is_asking = False

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.reason is Reason.KEYBOARD:
            raise KeyboardInterrupt
        self.request(REASONS[number])
        self.is_heard = True
        if self._is_asking:
            raise self.error()
