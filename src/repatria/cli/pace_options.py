"""Arguments and options that `inventory`, `plan` and `copy` share."""

from typing import Annotated

import typer

from repatria.errors import UsageError
from repatria.i18n import _

ManifestArgument = Annotated[str, typer.Argument(metavar="MANIFEST", help=_("A manifest, or the id of a dataset."))]
WindowOption = Annotated[
    str | None, typer.Option("--window", metavar="SPEC", help=_('When to work: "20:00-06:00", "Sat-Sun".'))
]


def rate(text: str | None) -> int | None:
    """Return the bits per second that an option asks for."""
    from repatria.manifest_values import parse_rate

    if text is None:
        return None
    try:
        return parse_rate(text)
    except ValueError as error:
        raise UsageError(
            _("{text} is no rate.").format(text=text),
            advice=_('Give a rate with its unit in bits, such as "20mbit" or "512kbit".'),
        ) from error
