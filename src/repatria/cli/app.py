"""The command line: one place where every command group is registered."""

from importlib import import_module
from importlib.util import find_spec

import typer

from repatria.i18n import _

GROUPS = (
    "new",
    "doctor",
    "keys",
    "inventory",
    "copy",
    "status",
    "objects",
    "verify",
    "restore",
    "ocr",
    "search",
    "age",
)
"""The modules of this package that hold commands, in the order of `repatria --help`."""


def build_app() -> typer.Typer:
    """Return the whole command line, in the language chosen before."""
    app = typer.Typer(
        name="repatria",
        help=_("Bring data home, encrypted and proven; make paper archives searchable."),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_nothing)
    for group in GROUPS:
        if find_spec(f"repatria.cli.{group}"):
            import_module(f"repatria.cli.{group}").register(app)
    return app


def _nothing() -> None:
    """Do nothing before a command; having this makes every command a subcommand."""
