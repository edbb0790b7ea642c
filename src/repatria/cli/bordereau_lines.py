"""How a bordereau was read, said to whoever gave it."""

from pathlib import Path
from typing import TYPE_CHECKING

from repatria.cli.output import Output
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.ocr.bordereau import Bordereau


def read_bordereau(out: Output, file: Path) -> "Bordereau":
    """Read the bordereau, and say how it was read: a wrong guess must be seen."""
    from repatria.cli.quantity import number_text
    from repatria.ocr.bordereau import load_bordereau

    bordereau = load_bordereau(file)
    count = len(bordereau.entries)
    out.say(
        ngettext(
            "Bordereau {file}: {count} row, read as {encoding} with columns parted by {delimiter}.",
            "Bordereau {file}: {count} rows, read as {encoding} with columns parted by {delimiter}.",
            count,
        ).format(
            file=file.name,
            count=number_text(count),
            encoding=bordereau.encoding,
            delimiter={"\t": _("tabs")}.get(bordereau.delimiter, f"`{bordereau.delimiter}`"),
        )
    )
    if bordereau.others:
        others = ", ".join(bordereau.others)
        out.say(_("These columns are kept without being understood: {columns}.").format(columns=others))
    out.record(
        "bordereau",
        file=str(file),
        rows=count,
        encoding=bordereau.encoding,
        delimiter=bordereau.delimiter,
        others=list(bordereau.others),
    )
    return bordereau
