"""Typer's commands and groups in the user's language: help pages, and usage errors in the form of all other errors."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from typer._click import exceptions as refusals  # typer exports BadParameter alone; the version is bound in pyproject
from typer._click.core import Command, Context, Parameter
from typer._click.formatting import HelpFormatter
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from repatria.cli.value_words import value_text
from repatria.errors import UsageError
from repatria.i18n import _

Result = TypeVar("Result")
HelpWanted = refusals.NoArgsIsHelpError
"""Raised by a group that is called without a command; its message is the help page."""


class SpokenCommand(TyperCommand):
    """One command."""

    allow_extra_args = True
    """So that words too many are refused here, in the user's language."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the arguments; UsageError says in one sentence what is wrong with them."""
        rest = _spoken(self, ctx, lambda: super(SpokenCommand, self).parse_args(ctx, args))
        if rest and not ctx.resilient_parsing:
            raise UsageError(
                _("Too many arguments: {words}.").format(words=" ".join(rest)),
                advice=_("Put quotes around an argument with spaces. {help}").format(help=_help_advice(ctx)),
            )
        return rest

    def format_usage(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the line that shows how to call it."""
        _write_usage(self, ctx, formatter)

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write arguments and options, those of every command last."""
        _write_parameters(self, ctx, formatter)

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """Return `--help`."""
        return _translated(super().get_help_option(ctx))


class SpokenGroup(TyperGroup):
    """A group of commands, `repatria` itself above all."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read what stands before the command's name."""
        return _spoken(self, ctx, lambda: super(SpokenGroup, self).parse_args(ctx, args))

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find the command; UsageError names the nearest one if there is none of that name."""
        command = self.get_command(ctx, args[0])
        if command is not None:
            return args[0], command, args[1:]
        near = get_close_matches(args[0], self.list_commands(ctx), n=1)
        raise UsageError(
            _("There is no command {name}.").format(name=args[0]),
            advice=_("Did you mean {near}?").format(near=near[0]) if near else _help_advice(ctx),
        )

    def format_usage(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the line that shows how to call it."""
        _write_usage(self, ctx, formatter)

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the commands, then the options."""
        rows = [(name, command.help or "") for name in self.list_commands(ctx) if (command := self.commands[name])]
        if rows:
            _write_section(formatter, _("Commands:"), rows)
        _write_parameters(self, ctx, formatter)

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """Return `--help`."""
        return _translated(super().get_help_option(ctx))


def _spoken(command: Command, ctx: Context, read: Callable[[], Result]) -> Result:
    try:
        return read()
    except HelpWanted:
        raise
    except refusals.UsageError as error:
        raise UsageError(_sentence(error, command, ctx), advice=_help_advice(ctx)) from error


def _help_advice(ctx: Context) -> str:
    return _("{command} --help shows how it is used.").format(command=ctx.command_path)


def _sentence(error: refusals.UsageError, command: Command, ctx: Context) -> str:
    """Say what is wrong by the kind of the refusal; its own English words are kept only where it has no kind."""
    match error:
        case refusals.MissingParameter() if error.param is not None:
            return _("{name} is missing.").format(name=_name(error.param))
        case refusals.NoSuchOption():
            near = get_close_matches(error.option_name, _option_names(command, ctx), n=1)
            if near:
                return _("There is no option {name}; did you mean {near}?").format(name=error.option_name, near=near[0])
            return _("There is no option {name}.").format(name=error.option_name)
        case refusals.BadOptionUsage():
            return _misused(error.option_name, command)
        case refusals.BadParameter() if error.param is not None:
            return _("{name} must be {wanted}.").format(name=_name(error.param), wanted=_wanted(error.param))
        case _:
            return _("The arguments are wrong: {reason}").format(reason=error.message)


def _misused(name: str, command: Command) -> str:
    option = next((each for each in command.params if name in (*each.opts, *each.secondary_opts)), None)
    if isinstance(option, TyperOption) and not option.is_flag and not option.count:
        return _("{name} needs a value: {name} {value}.").format(name=name, value=_value(option))
    return _("{name} takes no value.").format(name=name)


def _wanted(parameter: Parameter) -> str:
    descriptor = getattr(parameter, "type_descriptor", None)
    if descriptor is not None and descriptor.is_choice:
        return _("one of {values}").format(values=", ".join(str(choice) for choice in descriptor.choices))
    bounds = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if bounds[0] is not None and bounds[1] is not None:
        return _("a number from {low} to {high}").format(low=bounds[0], high=bounds[1])
    if bounds[0] is not None:
        return _("a number, {low} or more").format(low=bounds[0])
    if descriptor is not None and descriptor.annotation in {int, float}:
        return _("a number")
    return _("another value")


def _option_names(command: Command, ctx: Context) -> list[str]:
    return [name for parameter in command.get_params(ctx) for name in parameter.opts if name.startswith("-")]


def _name(parameter: Parameter) -> str:
    """Return how people name a parameter: `BUNDLE`, `--to`."""
    if isinstance(parameter, TyperArgument):
        return _argument(parameter)
    return max(parameter.opts, key=len)


def _argument(parameter: TyperArgument) -> str:
    return value_text(parameter.metavar or (parameter.name or "").upper())


def _value(option: TyperOption) -> str:
    """Return the word that stands for an option's value."""
    if option.metavar:
        return value_text(option.metavar)
    descriptor = option.type_descriptor
    if descriptor.is_choice:
        return "|".join(str(choice) for choice in descriptor.choices or ())
    if descriptor.is_path or descriptor.annotation is Path:
        return value_text("FILE")
    if descriptor.annotation in {int, float}:
        return value_text("NUMBER")
    return value_text((option.name or "").upper())


def _write_usage(command: Command, ctx: Context, formatter: HelpFormatter) -> None:
    pieces = [_("[OPTIONS]")]
    for parameter in command.get_params(ctx):
        if isinstance(parameter, TyperArgument):
            name = _argument(parameter)
            name = name if parameter.required else f"[{name}]"
            pieces.append(f"{name}..." if parameter.nargs != 1 else name)
    if isinstance(command, TyperGroup):
        pieces.append(_("COMMAND ..."))
    formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=_("Usage: "))


def _write_parameters(command: Command, ctx: Context, formatter: HelpFormatter) -> None:
    parameters = [each for each in command.get_params(ctx) if not getattr(each, "hidden", False)]
    arguments = [each for each in parameters if isinstance(each, TyperArgument)]
    if arguments:
        _write_section(formatter, _("Arguments:"), [(_argument(each), _explained(each)) for each in arguments])
    options = [each for each in parameters if isinstance(each, TyperOption)]
    panels = dict.fromkeys(each.rich_help_panel or _("Options:") for each in options)
    for panel in sorted(panels, key=lambda title: title != _("Options:")):
        rows = [_option_row(each) for each in options if (each.rich_help_panel or _("Options:")) == panel]
        _write_section(formatter, panel, rows)


def _write_section(formatter: HelpFormatter, title: str, rows: list[tuple[str, str]]) -> None:
    """Write a title, with the colon of its language, and rows below it."""
    formatter.write_paragraph()
    formatter.write(f"{title}\n")
    with formatter.indentation():
        formatter.write_dl(rows)


def _option_row(option: TyperOption) -> tuple[str, str]:
    names = ", ".join(_short_first([*option.opts, *option.secondary_opts]))
    takes_value = not option.is_flag and not option.count
    return (f"{names} {_value(option)}" if takes_value else names), _explained(option)


def _short_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: name.startswith("--"))


def _explained(parameter: TyperArgument | TyperOption) -> str:
    """Return a parameter's help, with its default where that says something."""
    explanation = parameter.help or ""
    default = parameter.default
    if isinstance(parameter.show_default, str):
        default = parameter.show_default
    if not parameter.show_default or isinstance(default, bool) or default in (None, "", 0) or callable(default):
        return explanation
    if isinstance(default, (list, tuple)):
        return explanation
    return _("{explanation} [default: {default}]").format(explanation=explanation, default=default)


def _translated(option: TyperOption | None) -> TyperOption | None:
    if option is not None:
        option.help = _("Show this page.")
    return option
