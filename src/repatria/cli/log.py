"""`log`: what was done, by whom, and how it ended."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.frame import command
from repatria.cli.output import Column, Output
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.work.audit import LogLine


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "log", help=_("Show the audit log, verified."))
    def log(
        out: Output,
        dataset: Annotated[
            str | None,
            typer.Argument(metavar="DATASET", help=_("Show the runs on this dataset alone; all are verified.")),
        ] = None,
    ) -> int:
        from repatria.cli.context import current_settings, find_manifest
        from repatria.work.audit import cut_off, read_log
        from repatria.work.state import StateFolder

        settings = current_settings()
        if dataset is not None and dataset.endswith(".toml"):
            dataset = find_manifest(dataset, settings).id
        state, broken = StateFolder(settings.state), list[int]()
        count = _show(out, _of_dataset(read_log(state), dataset, broken), cut_off(state))
        if dataset is not None and not count:
            out.say(_("The audit log tells of no run on {dataset}.").format(dataset=dataset))
        if not broken:
            return 0
        out.say(
            _("The log does not hold together at line {lines}: that line, or the one before it, was altered.").format(
                lines=", ".join(str(number) for number in broken)
            )
        )
        return 1


def _of_dataset(lines: "Iterator[LogLine]", dataset: str | None, broken: list[int]) -> "Iterator[LogLine]":
    """Yield the lines on a dataset, or all of them; note the numbers of all that are not intact."""
    for line in lines:
        if not line.intact:
            broken.append(line.number)
        if dataset is None or line.fields.get("dataset") == dataset:
            yield line


def _show(out: Output, lines: "Iterator[LogLine]", without_end: frozenset[int]) -> int:
    """Show lines of the log, and how many of them were cut off; return how many there were."""
    columns = (
        Column("time", _("Time")),
        Column("user", _("User")),
        Column("command", _("Command")),
        Column("dataset", _("Dataset")),
        Column("code", _("Code"), justify="right"),
        Column("intact", _("Entry in the log")),
    )
    count = silent = 0
    with out.table("log", columns) as table:
        for line in lines:
            count += 1
            fields, is_silent = line.fields, line.number in without_end
            silent += is_silent
            shown = [str(fields.get(name, "?")) for name in ("time", "user", "command", "dataset")]
            shown.append(_outcome(line, is_silent=is_silent))
            table.add(
                (*shown, _("intact") if line.intact else _("altered")),
                line=line.number,
                intact=line.intact,
                cut_off=is_silent,
                entry=dict(fields),
            )
    if silent:
        out.say(
            ngettext(
                "{count} run was cut off without a word (a power cut, kill -9, memory used up)."
                " What it had proven is kept.",
                "{count} runs were cut off without a word (a power cut, kill -9, memory used up)."
                " What they had proven is kept.",
                silent,
            ).format(count=silent)
        )
    return count


def _outcome(line: "LogLine", *, is_silent: bool) -> str:
    if line.fields.get("began"):
        return _("cut off") if is_silent else _("began")
    return str(line.fields.get("code", "?"))
