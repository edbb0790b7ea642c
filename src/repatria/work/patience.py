"""How long a lost link is waited for: transient errors are tried again, hours long, ever more slowly."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from repatria.errors import StoppedError, ThrottledError, UnreachableError
from repatria.i18n import _
from repatria.progress import SILENT, Progress
from repatria.work.stop import Reason, StopSignal

DEFAULT_SECONDS = 6 * 3600.0
LONGEST_PAUSE = 60.0
TRANSIENT = (UnreachableError, ThrottledError)
"""Errors after which the same call may succeed later."""

_T = TypeVar("_T")


@dataclass(slots=True)
class Patience:
    """Tries a call again as long as its error is transient; several threads may share it."""

    stop: StopSignal = field(default_factory=StopSignal)
    seconds: float = DEFAULT_SECONDS
    """How long one call may go on failing before the run stops, resumably."""
    progress: Progress = SILENT
    first_pause: float = 1.0

    def insist(self, call: Callable[[], _T]) -> _T:
        """Return what `call` returns; StoppedError (8) once patience is over, any lasting error at once."""
        attempt = self.attempt()
        while True:
            try:
                return call()
            except TRANSIENT as error:
                attempt.pause(error)

    def attempt(self) -> "Attempt":
        """Return the count of one call's failures, for a caller that changes what it asks for between them."""
        return Attempt(self)


class Attempt:
    """The failures of one call in a row."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._since: float | None = None

    def succeeded(self) -> None:
        """Forget the failures: bytes flow again."""
        self._failures = 0
        self._since = None

    def pause(self, error: UnreachableError | ThrottledError) -> None:
        """Wait before the next try, with jitter so that many threads do not come back at once."""
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
        if self._failures == 3:
            patience.progress.say(_("The link is slow or lost; still trying."))
        longest = min(LONGEST_PAUSE, patience.first_pause * 2 ** min(self._failures - 1, 16))
        patience.stop.wait(longest * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter, not a secret
