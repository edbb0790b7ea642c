"""The command line: one place where every command group is registered, and where usage errors end."""

import logging
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

from repatria import __version__
from repatria.cli.completion import SHELLS, completion_init, install_script, show_script
from repatria.cli.frame import Language
from repatria.cli.output import Output
from repatria.cli.spoken import HelpWanted, SpokenGroup
from repatria.errors import RepatriaError
from repatria.i18n import _

GROUPS = (
    "new",
    "doctor",
    "keys",
    "inventory",
    "plan",
    "copy",
    "adopt",
    "status",
    "log",
    "bundles",
    "clean",
    "objects",
    "verify",
    "prove",
    "restore",
    "rewrap",
    "ocr",
    "sheets",
    "search",
    "show",
    "review",
    "export",
    "age",
)
"""The modules of this package that hold commands, in the order of `repatria --help`."""


def build_app() -> typer.Typer:
    """Return the whole command line, in the language chosen before."""
    app = typer.Typer(
        name="repatria",
        cls=SpokenGroup,
        help=_("Bring data home, encrypted and proven; make paper archives searchable."),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    completion_init()
    _register_root(app)
    for group in GROUPS:
        if find_spec(f"repatria.cli.{group}"):
            import_module(f"repatria.cli.{group}").register(app)
    return app


def _register_root(app: typer.Typer) -> None:
    """Add the options that stand before any command."""
    shells = "|".join(SHELLS)

    @app.callback()
    def repatria(
        _version: Annotated[
            bool, typer.Option("--version", callback=_show_version, is_eager=True, help=_("Print the version."))
        ] = False,
        _lang: Annotated[Language | None, typer.Option("--lang", help=_("Language of all messages."))] = None,
        _install: Annotated[
            str | None,
            typer.Option(
                "--install-completion",
                metavar=shells,
                callback=install_script,
                is_eager=True,
                help=_("Make the shell complete commands and dataset names."),
            ),
        ] = None,
        _show: Annotated[
            str | None,
            typer.Option(
                "--show-completion",
                metavar=shells,
                callback=show_script,
                is_eager=True,
                help=_("Print the shell's completion script."),
            ),
        ] = None,
    ) -> None:
        pass


def _show_version(ctx: typer.Context, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        typer.echo(f"repatria {__version__}")
        raise typer.Exit


def run_app(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    # What libraries log goes nowhere: messages are ours, and hold no names.
    logging.getLogger().addHandler(logging.NullHandler())
    output = Output(json="--json" in arguments)
    try:
        code = build_app()(args=list(arguments), prog_name="repatria", standalone_mode=False)
    except RepatriaError as error:
        output.error(error)
        output.finish(error.code)
        return error.code
    except HelpWanted as help_page:
        print(help_page.message, file=output.stderr)
        return 2
    except typer.Abort:
        return 130
    return int(code or 0)
