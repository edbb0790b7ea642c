"""`python -m repatria`: chooses the language, then hands over to the commands."""

import os
import sys

from repatria import i18n


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


def main() -> None:
    """Run one command and exit with its code."""
    _fill_standard_streams()
    i18n.use(_language_of_arguments(sys.argv[1:]) or os.environ.get("REPATRIA_LANG"))
    from repatria.cli.app import run_app

    sys.exit(run_app(sys.argv[1:]))


if __name__ == "__main__":
    main()
