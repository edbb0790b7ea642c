"""The frame around every command: the options all share, and errors turned into exit codes in one place."""

import functools
import inspect
import logging
import secrets
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from repatria import __version__
from repatria.cli.completion import completed
from repatria.cli.output import LOG, Output, let_stdout_go
from repatria.cli.spoken import SpokenCommand
from repatria.cli.termination import Terminated
from repatria.errors import InternalError, InterruptedByUserError, RepatriaError, worst
from repatria.i18n import _
from repatria.reasons import reason_of

Command = Callable[..., int | None]
Language = Literal["fr", "en"]


def _shared_parameters() -> list[inspect.Parameter]:
    def option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

    panel = _("Options of every command:")
    flag = functools.partial(typer.Option, rich_help_panel=panel)
    return [
        option("json", Annotated[bool, flag("--json", help=_("Results as JSON Lines."))], False),
        option(
            "quiet",
            Annotated[bool, flag("--quiet", "-q", help=_("Say nothing on stderr when all went well."))],
            False,
        ),
        option("verbose", Annotated[int, flag("--verbose", "-v", count=True, help=_("Say more on stderr."))], 0),
        option(
            "log_file",
            Annotated[Path | None, flag("--log-file", help=_("Append messages, free of object names, to a file."))],
            None,
        ),
        option(
            "lang", Annotated[Literal["fr", "en"] | None, flag("--lang", help=_("Language of all messages."))], None
        ),
    ]


def command(app: typer.Typer, name: str, *, help: str) -> Callable[[Command], Command]:
    """Register a command on `app`; `help` is translated already.

    The function's first parameter is its `Output`, given here; the rest are its own options. It returns its exit code
    (None is 0) and raises `RepatriaError` for everything that ends it with one sentence.
    """

    def register(function: Command) -> Command:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        own = [
            parameter.replace(
                kind=inspect.Parameter.KEYWORD_ONLY, annotation=completed(parameter.annotation, parameter.name)
            )
            for parameter in own
        ]

        @functools.wraps(function)
        def framed(**given: Any) -> None:
            output = Output(json=given.pop("json"), quiet=given.pop("quiet"), verbose=given.pop("verbose"))
            log_file = given.pop("log_file")
            given.pop("lang")  # heeded in __main__, before this module was imported
            raise SystemExit(run(output, lambda: function(output, **given), log_file))

        parameters = own + _shared_parameters()
        framed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
        framed.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, cls=SpokenCommand, help=help)(framed)
        return function

    return register


def run(output: Output, body: Callable[[], int | None], log_file: Path | None = None) -> int:
    """Run a command's body and return its exit code, every error told to the user."""
    try:
        _open_log(log_file)
        code = body() or 0
        if code not in (0, 8):
            output.release()
    except RepatriaError as error:
        LOG.error("%s", error.message if error.public else type(error).__name__)
        output.error(error)
        code = error.code
    except Terminated as ended:
        output.error(ended.error())
        code = 8
    except KeyboardInterrupt:
        output.error(InterruptedByUserError(_("Interrupted. What was done is kept; run the same command to go on.")))
        code = 130
    except BrokenPipeError:
        # The reader of our stdout has what it wanted (`repatria ls ... | head`).
        let_stdout_go()
        code = 0
    except Exception as error:  # the one place where a defect becomes a report
        output.error(_report(error))
        code = 70
    return worst((code, _finished(output, code)))


def _finished(output: Output, code: int) -> int:
    """Write the line that ends JSON output; return the code of what goes wrong with that."""
    try:
        output.finish(code)
    except BrokenPipeError:
        let_stdout_go()
    except RepatriaError as error:
        output.error(error)
        return error.code
    return 0


def _open_log(log_file: Path | None) -> None:
    if log_file is None:
        return
    from repatria.errors import UsageError

    try:
        handler = logging.FileHandler(log_file, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            _("The log file {file} cannot be written: {reason}.").format(file=log_file, reason=reason_of(error)),
            advice=_("Give --log-file a path in a folder that you may write to."),
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)


def _report(error: Exception) -> InternalError:
    """Write a report that holds no names: types and places of the traceback, never values."""
    folder = _state_folder() / "reports"
    name = folder / f"report-{secrets.token_hex(4)}.txt"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"repatria {__version__}, python {sys.version.split()[0]}", type(error).__qualname__]
    lines += [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        name.write_text("\n".join(lines) + "\n", encoding="utf-8")
        place = str(name)
    except OSError:
        place = " | ".join(lines)
    return InternalError(
        _("Repatria itself failed ({kind}). State is kept; nothing was deleted. Report: {place}").format(
            kind=type(error).__name__, place=place
        ),
        advice=_("Run the same command again; if it fails again, send the report to the developers."),
    )


def _state_folder() -> Path:
    """Return the state folder, or this one where even the settings fail."""
    try:
        from repatria.cli.context import current_settings

        return current_settings().state
    except Exception:  # whatever it is: the report of the first defect must not be lost to a second
        return Path()
