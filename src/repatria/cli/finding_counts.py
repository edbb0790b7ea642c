"""How many findings there are of each kind, in words that agree with their number."""

from collections.abc import Callable, Mapping

from repatria.cli.quantity import number_text
from repatria.i18n import ngettext

_COUNTED: Mapping[str, Callable[[int], str]] = {
    "intact": lambda count: ngettext("{count} intact", "{count} intact", count),
    "altered": lambda count: ngettext("{count} altered", "{count} altered", count),
    "missing": lambda count: ngettext("{count} missing", "{count} missing", count),
    "unexpected": lambda count: ngettext("{count} unexpected", "{count} unexpected", count),
    "unverifiable": lambda count: ngettext("{count} unverifiable", "{count} unverifiable", count),
    "failed": lambda count: ngettext("{count} failed", "{count} failed", count),
    "changed": lambda count: ngettext("{count} changed meanwhile", "{count} changed meanwhile", count),
}


def counted(kinds: Mapping[str, int]) -> str:
    """Return how many findings there are of each kind, by kind: `2 altered, 1 missing`."""
    return ", ".join(_COUNTED[kind](count).format(count=number_text(count)) for kind, count in kinds.items())
