"""How a run ends that is to stop: soon, whatever it is in the middle of, and never without a word."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repatria.cli.output import LOG, Output
from repatria.errors import RepatriaError, StoppedError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.work.state import StateFolder
    from repatria.work.stop import Reason, StopSignal

SECONDS_TO_END = 10.0
"""How long after a stop this process may live: a transfer that hangs must hold up neither a shutdown nor a morning."""
SECONDS_TO_LET_GO = 120.0
"""The same where nobody waits for the end of the process: by then libraries have given a call up, as a rule."""
SECONDS_FOR_WORDS = 2.0
"""How long the last words may take: the terminal or the disk may hang as well."""
_GLANCE = 0.2


@dataclass(frozen=True, slots=True)
class LastWords:
    """What is said and logged of a run of `command` on `dataset` that must be broken off."""

    out: Output
    state: "StateFolder"
    command: str
    dataset: str

    def tell(self, stop: "StopSignal") -> None:
        """Say what is kept and how it goes on, and append it to the audit log; in no more than SECONDS_FOR_WORDS."""
        # Another thread: what hangs may hold the very locks that writing needs, and the end must come all the same.
        speaking = threading.Thread(target=self._tell, args=(stop,), name="last words", daemon=True)
        speaking.start()
        speaking.join(SECONDS_FOR_WORDS)

    def _tell(self, stop: "StopSignal") -> None:
        from repatria.work.audit import record

        error = self._broken_off(stop)
        with suppress(RepatriaError):  # it is the end that counts; what is wrong with the log the next run tells
            record(self.state, self.command, self.dataset, error.code)
        LOG.error("%s", error.message)
        self.out.error(error)
        self.out.finish(error.code)

    def _broken_off(self, stop: "StopSignal") -> StoppedError:
        stopped = stop.error()
        broken = (
            _("What was under way did not come to an end in time, and was broken off.")
            if stop.is_heard
            else _("What was under way did not come to an end in time (a service that hangs?), and was broken off.")
        )
        advice = _("What was on its way is looked at by the next run, which sends only what is missing.")
        return type(stopped)(
            " ".join(part for part in (stop.why, broken, self._safe()) if part),
            advice=f"{advice} {stopped.advice}".rstrip(),
            public=stopped.public,
        )

    def _safe(self) -> str:
        """Return what is safe, as far as the journal can be asked now."""
        from repatria.migrate.headway import Volumes
        from repatria.work.overview import standing_of

        proven = 0
        with suppress(RepatriaError):
            unfinished = standing_of(self.state, self.dataset).unfinished
            proven = unfinished.proven if unfinished else 0
        if proven:
            return Volumes(0).sentence(proven)
        return _("Nothing is lost; run the same command again to go on.")


@contextmanager
def ending_soon(
    words: LastWords, stop: "StopSignal", *, goes_on: Callable[[], bool] = lambda: False
) -> "Iterator[StopSignal]":
    """Listen for signals, and see to it that the process ends soon after one, or after the end of its window.

    A store's library may be in the middle of a request that nothing can interrupt; the journal is made for being cut
    off at any instant, so the process then ends where it is. `goes_on` tells whether a run whose window has closed
    waits for the next.
    """
    over = threading.Event()
    watch = _Watch(words, stop, goes_on)
    with _signal_bytes() as signals, stop:
        threading.Thread(target=watch.until, args=(over, signals), name="watch for the end", daemon=True).start()
        try:
            yield stop
        finally:
            over.set()


@contextmanager
def _signal_bytes() -> "Iterator[socket.socket]":
    """Give a socket that gets the number of each signal at once, as a byte.

    Python calls the handlers of signals in the main thread, and only once that is back from what it called: a look-up
    of a host's name, for one, may take minutes.
    """
    receiving, sending = socket.socketpair()
    receiving.setblocking(False)
    sending.setblocking(False)
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.set_wakeup_fd(sending.fileno(), warn_on_full_buffer=False) if in_main_thread else -1
    try:
        yield receiving
    finally:
        if in_main_thread:
            signal.set_wakeup_fd(before)
        sending.close()


@dataclass(slots=True)
class _Watch:
    """Ends the process that does not end by itself."""

    words: LastWords
    stop: "StopSignal"
    goes_on: Callable[[], bool]
    heard: "Reason | None" = None
    """What a signal asked for that the main thread may not have heard yet."""

    def until(self, over: threading.Event, signals: socket.socket) -> None:
        """Watch until the run is over, one way or the other."""
        asked, since = self._grace(), time.monotonic()
        with signals:
            while not over.wait(_GLANCE):
                self._listen(signals)
                grace, now = self._grace(), time.monotonic()
                if grace != asked:
                    asked, since = grace, now
                if grace is not None and now - since >= grace:
                    self._end()

    def _listen(self, signals: socket.socket) -> None:
        from repatria.work.stop import REASONS

        with suppress(OSError):  # nothing came
            for number in signals.recv(64):
                self.heard = self.heard or REASONS.get(number)

    def _end(self) -> None:
        if self.heard is not None:
            self.stop.request(self.heard)
        code = self.stop.error().code
        self.words.tell(self.stop)
        os._exit(code)

    def _grace(self) -> float | None:
        """Return how many seconds the run has to end, None if it need not."""
        from repatria.work.stop import Reason

        requested, reason = self.stop.requested, self.stop.reason
        if self.heard is not None:
            return SECONDS_TO_END
        if requested and reason in {Reason.WINDOW, Reason.LINK}:
            waited_for = reason is Reason.WINDOW and not self.goes_on()
            return SECONDS_TO_END if waited_for else SECONDS_TO_LET_GO
        return None  # after a failure, its own error is to be told
