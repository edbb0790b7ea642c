"""`doctor`: what is installed, reachable and writable, and what to do about the rest."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import typer

from repatria.cli.checks import Check, State
from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.errors import worst
from repatria.i18n import _, ngettext


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "doctor", help=_("Look at this machine, keys, sources and target, and say what to do."))
    def doctor(
        out: Output,
        manifest: Annotated[
            str | None, typer.Argument(metavar="MANIFEST", help=_("A manifest's file, or the id of its dataset."))
        ] = None,
    ) -> int:
        counts: Counter[State] = Counter()
        codes = [0]
        for check in _checks(manifest):
            counts[check.state] += 1
            if check.state is State.PROBLEM:
                codes.append(check.code)
            _show(out, check)
        problems, warnings = counts[State.PROBLEM], counts[State.WARNING]
        out.summary(problems=problems, warnings=warnings, next=_next(manifest, problems))
        out.say(_conclusion(problems, warnings))
        return worst(codes)


def _checks(argument: str | None) -> Iterator[Check]:
    from repatria.cli.checks import machine_checks, recognition_check
    from repatria.cli.context import current_settings, find_manifest
    from repatria.cli.dataset_checks import dataset_checks, key_checks

    settings = current_settings()
    manifest = find_manifest(argument, settings) if argument else None
    yield from machine_checks(settings)
    yield from key_checks(settings)
    if manifest is None or manifest.archive is None:
        yield recognition_check("fra", needed=False)
    if manifest:
        yield from dataset_checks(manifest, settings)


def _show(out: Output, check: Check) -> None:
    out.record(
        "check",
        name=check.name,
        state=check.state,
        message=check.seen,
        advice=check.advice,
        code=check.code if check.state is State.PROBLEM else 0,
    )
    words = {State.OK: _("ok"), State.WARNING: _("warning"), State.PROBLEM: _("PROBLEM")}
    width = max(len(word) for word in words.values())
    out.text(f"{words[check.state]:<{width}}  {check.seen}")
    if check.advice:
        out.text(f"{'':<{width}}  {check.advice}")


def _conclusion(problems: int, warnings: int) -> str:
    if problems:
        return ngettext(
            "{count} problem must be solved first.", "{count} problems must be solved first.", problems
        ).format(count=problems)
    if warnings:
        return ngettext("All is ready; {count} warning.", "All is ready; {count} warnings.", warnings).format(
            count=warnings
        )
    return _("All is ready.")


def _next(argument: str | None, problems: int) -> str | None:
    if problems or argument is None:
        return None
    return f"repatria inventory {argument}"
