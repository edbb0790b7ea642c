"""How long a lost link is waited for: transient errors are tried again, hours long, ever more slowly."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from repatria.errors import FailingError, LateError, StoppedError, ThrottledError, UnreachableError
from repatria.i18n import _, ngettext
from repatria.manifest_values import DEFAULT_PATIENCE
from repatria.progress import SILENT, Progress
from repatria.work.stop import Reason, StopSignal

LONGEST_PAUSE = 60.0
LONGEST_ASKED_FOR = 3600.0
"""Seconds after which a store that asks for a pause is tried again, however long a one it asks for."""
FAILURES_TOLD = 3
"""The failure in a row that is told; the first, if the answer was late or a long pause is asked for: it takes time."""
TRANSIENT = (UnreachableError, ThrottledError)
"""Errors after which the same call may succeed later."""

_T = TypeVar("_T")


class Outage:
    """Whether the user was told that the link is lost: once for all threads, until one of them gets through."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told = False

    def begins(self) -> bool:
        """Return whether this is the first to notice."""
        with self._lock:
            first, self._told = not self._told, True
        return first

    def ends(self) -> bool:
        """Return whether the user was told, and is to be told that it is over."""
        with self._lock:
            told, self._told = self._told, False
        return told


@dataclass(slots=True)
class Patience:
    """Tries a call again as long as its error is transient; several threads may share it."""

    stop: StopSignal = field(default_factory=StopSignal)
    seconds: float = DEFAULT_PATIENCE
    """How long one call may go on failing before the run stops, resumably."""
    progress: Progress = SILENT
    first_pause: float = 1.0
    outage: Outage = field(default_factory=Outage)

    def insist(self, call: Callable[[], _T]) -> _T:
        """Return what `call` returns; StoppedError (8) once patience is over, any lasting error at once."""
        attempt = self.attempt()
        while True:
            try:
                result = call()
            except TRANSIENT as error:
                attempt.pause(error)
            else:
                attempt.succeeded()
                return result

    def attempt(self) -> "Attempt":
        """Return the count of one call's failures, for a caller that changes what it asks for between them."""
        return Attempt(self)


class Attempt:
    """The failures of one call in a row."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._told = False
        self._since: float | None = None

    def succeeded(self) -> None:
        """Forget the failures: bytes flow again."""
        if self._failures and self._patience.outage.ends():
            self._patience.progress.say(_("Answers come again."))
        self._failures = 0
        self._told = False
        self._since = None

    @property
    def failures(self) -> int:
        """How many there were."""
        return self._failures

    def pause(self, error: UnreachableError | ThrottledError, *, tell: bool = True) -> None:
        """Wait before the next try, with jitter so that many threads do not come back at once.

        A store has the pause that it asks for, but patience is over when it is over. `tell`: say what is waited for, if
        it goes on.
        """
        patience = self._patience
        now = time.monotonic()
        if self._since is None:
            self._since = now
        if now - self._since >= patience.seconds:
            lost = StoppedError(
                _("{reason} It was waited for in vain.").format(reason=error.message),
                advice=error.advice or _("Run the same command again when the link is back."),
                public=error.public,
            )
            patience.stop.request(Reason.LINK, lost)
            raise lost from error
        self._failures += 1
        left = patience.seconds - (now - self._since)
        asked_for = min(error.pause, LONGEST_ASKED_FOR) if isinstance(error, ThrottledError) else 0.0
        if tell:
            self._tell(error, left, at_once=isinstance(error, LateError) or asked_for > LONGEST_PAUSE)
        longest = min(LONGEST_PAUSE, patience.first_pause * 2 ** min(self._failures - 1, 16))
        jittered = longest * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, not a secret
        patience.stop.wait(min(asked_for + jittered, left))

    def _tell(self, error: UnreachableError | ThrottledError, left: float, *, at_once: bool) -> None:
        """Say once what is waited for and how long, if it goes on; `at_once`: it will."""
        if self._told or (self._failures < FAILURES_TOLD and not at_once):
            return
        self._told = True
        if self._patience.outage.begins():
            self._patience.progress.say(_sentence(error).format(time=_span(left)))


def _sentence(error: UnreachableError | ThrottledError) -> str:
    """Return what is told of an error that goes on, `{time}` to be filled in."""
    if isinstance(error, LateError):
        return _("The service answers late; it is asked for less at a time, and waited for up to {time}.")
    if isinstance(error, ThrottledError):
        return _("The service asks for fewer requests; it gets fewer, and is tried again for up to {time}.")
    if isinstance(error, FailingError):
        return _("The service fails; it is tried again for up to {time}.")
    return _("The link is slow or lost; it is tried again for up to {time}.")


def _span(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return ngettext("{count} minute", "{count} minutes", minutes).format(count=minutes)
    hours = round(minutes / 60)
    return ngettext("{count} hour", "{count} hours", hours).format(count=hours)
