"""SIGTERM and SIGHUP wherever no run listens for them: before one has begun, after it, and in commands that are none.

They end the command as an error does, so that what it has open is closed and what it wrote aside is gone. Runs that can
stop in order listen themselves meanwhile (`work.stop`).
"""

import os
import signal
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from repatria.errors import RepatriaError, StoppedError
from repatria.i18n import _

SECONDS_TO_END = 10.0
"""How long after the signal this process may live, whatever its main thread is in the middle of."""
SECONDS_FOR_WORDS = 2.0
"""How long the last words may take: the terminal may hang as well."""
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Terminated(BaseException):
    """A signal that ends the command, on its way up the stack: no error that something on the way could handle."""

    def error(self) -> StoppedError:
        """Return what a person is told."""
        return StoppedError(_("Stopped. Nothing is lost; run the same command again to go on."))


def heed_termination(arguments: Sequence[str]) -> None:
    """Have SIGTERM and SIGHUP raise Terminated in the main thread, from now to the end of the process.

    A signal that the process was started to ignore (`nohup`) stays ignored. Python calls handlers only once the main
    thread is back from what it called, a look-up of a host's name for one; another thread sees to it that it ends.
    """
    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, _raise)
    receiving, sending = os.pipe()
    os.set_blocking(sending, False)
    signal.set_wakeup_fd(sending, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(receiving, arguments), name="watch for signals", daemon=True).start()


def ignore_termination() -> None:
    """Ignore both from now on: how the command ended is known, and the process ends by itself."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def tell(error: RepatriaError, arguments: Sequence[str]) -> int:
    """Say what ended a command line of which nothing more is known than its arguments; return its exit code."""
    from repatria.cli.output import Output

    output = Output(json="--json" in arguments, quiet=not {"-q", "--quiet"}.isdisjoint(arguments))
    output.error(error)
    output.finish(error.code)
    return error.code


def _raise(_number: int, _frame: FrameType | None) -> NoReturn:
    ignore_termination()  # a terminal that is closed sends more than one, and one is enough
    raise Terminated


def _watch(signals: int, arguments: Sequence[str]) -> None:
    while number := os.read(signals, 1):
        # Another handler is that of a run, which sees to its end itself; an ignored one has been heard.
        if number[0] in _SIGNALS and signal.getsignal(number[0]) in {_raise, signal.SIG_IGN}:
            time.sleep(SECONDS_TO_END)
            last_words = (Terminated().error(), arguments)
            speaking = threading.Thread(target=tell, args=last_words, name="last words", daemon=True)
            speaking.start()
            speaking.join(SECONDS_FOR_WORDS)
            os._exit(StoppedError.exit_code)
