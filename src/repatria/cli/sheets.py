"""`sheets`: separator sheets to print."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.errors import UsageError
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.paper.separator_code import SeparatorCode

MOST_SHEETS = 2_000


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "sheets", help=_("Print separator sheets: laid into a stack of paper, they part it into documents."))
    def sheets(
        out: Output,
        output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help=_("The PDF to write."))],
        cotes: Annotated[
            list[str] | None, typer.Argument(metavar="COTE", help=_("A sheet for each cote, which it tells."))
        ] = None,
        bordereau: Annotated[
            Path | None, typer.Option("--bordereau", metavar="CSV", help=_("A sheet for each row of this table."))
        ] = None,
        count: Annotated[
            int, typer.Option("--count", min=1, max=MOST_SHEETS, metavar="N", help=_("So many sheets without a cote."))
        ] = 1,
    ) -> None:
        from repatria.cli.ocr_part import refuse_without_ocr
        from repatria.cli.output_file import output_file

        refuse_without_ocr()
        from repatria.paper.separator import draw_separators

        codes = _codes(out, cotes or (), bordereau, count)
        _refuse_taken(output)
        pdf = draw_separators(codes, datetime.now(UTC))
        with output_file(output) as file:
            file.write(pdf)
        out.say(
            ngettext(
                "{count} separator sheet, to print at 100 %, on one side: {file}",
                "{count} separator sheets, to print at 100 %, on one side: {file}",
                len(codes),
            ).format(count=len(codes), file=output)
        )
        out.record("sheets", file=str(output), sheets=len(codes), cotes=[code.cote for code in codes if code.cote])


def _codes(out: Output, cotes: Sequence[str], bordereau: Path | None, count: int) -> "list[SeparatorCode]":
    from repatria.paper.separator_code import LONGEST_COTE, SeparatorCode

    told = list(cotes)
    if bordereau is not None:
        from repatria.cli.bordereau_lines import read_bordereau

        rows = read_bordereau(out, bordereau).entries
        told += [entry.description.reference for entry in rows if not entry.is_context]
    wrong = [cote for cote in told if not cote.strip().isprintable() or not 1 <= len(cote.strip()) <= LONGEST_COTE]
    if wrong:
        raise UsageError(
            _("A cote must be one line of at most {limit} characters. Nothing was written.").format(limit=LONGEST_COTE),
            advice=_("Give it as it stands in the bordereau, in quotes: '3 F 12/45'"),
        )
    if len(told) > MOST_SHEETS:
        raise UsageError(
            _("That would be {count} sheets; at most {limit} are printed at a time. Nothing was written.").format(
                count=len(told), limit=MOST_SHEETS
            ),
            advice=_("Give a part of the bordereau, or sheets without a cote: --count N"),
        )
    return [SeparatorCode(cote.strip()) for cote in told] or [SeparatorCode()] * count


def _refuse_taken(output: Path) -> None:
    if output.exists() and not output.is_char_device():
        raise UsageError(
            _("{file} is there already; nothing was written over it.").format(file=output),
            advice=_("Choose another name with -o, or remove it first."),
        )
