"""The command line: one place where every command group is registered."""

import typer

app = typer.Typer(name="repatria", no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)
