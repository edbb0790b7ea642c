"""`python -m repatria`: chooses the language, then hands over to the commands."""

import os
import sys
import threading
import time
from contextlib import suppress

from repatria import i18n
from repatria.cli.termination import Terminated, heed_termination, ignore_termination, tell
from repatria.errors import InterruptedByUserError
from repatria.i18n import _
from repatria.memory import collect_seldom

SECONDS_TO_EXIT = 10.0
SECONDS_TO_EXIT_STOPPED = 1.0
"""The same after a stop, which has waited for what was under way as long as a shutdown waits (`cli.endings`)."""
_STOPPED = frozenset({8, 130})


def _language_of_arguments(arguments: list[str]) -> str | None:
    for position, argument in enumerate(arguments):
        if argument == "--":
            return None
        value = argument.removeprefix("--lang=") if argument.startswith("--lang=") else None
        if argument == "--lang" and position + 1 < len(arguments):
            value = arguments[position + 1]
        if value in i18n.LANGUAGES:
            return value
    return None


def _fill_standard_streams() -> None:
    """Put /dev/null where a standard stream was closed (`>&-`): else the next file opened would take its place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 -- until the end


def _exit_in_time(code: int) -> None:
    """Exit soon, at the latest after SECONDS_TO_EXIT: threads that a dead service still holds are not waited for."""

    def exit_after_all() -> None:
        time.sleep(SECONDS_TO_EXIT_STOPPED if code in _STOPPED else SECONDS_TO_EXIT)
        os._exit(code)

    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # who reads them may be slow, or gone: then the exit itself tells
            stream.flush()
    threading.Thread(target=exit_after_all, name="exit in time", daemon=True).start()
    sys.exit(code)


def main() -> None:
    """Run one command and exit with its code."""
    collect_seldom()
    _fill_standard_streams()
    arguments = sys.argv[1:]
    try:
        heed_termination(arguments)
        i18n.use(_language_of_arguments(arguments) or os.environ.get("REPATRIA_LANG"))
        from repatria.cli.app import run_app

        code = run_app(arguments)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Terminated as ended:
        code = tell(ended.error(), arguments)
    except KeyboardInterrupt:
        code = tell(
            InterruptedByUserError(_("Interrupted. Nothing is lost; run the same command again to go on.")), arguments
        )
    ignore_termination()
    _exit_in_time(code)


if __name__ == "__main__":
    main()
