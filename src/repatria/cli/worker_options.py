"""`--workers`: a number for this machine, or a cluster of others."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repatria.cli.quantity import number_text
from repatria.errors import UsageError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.work.cluster_address import ClusterAddress


_MOST = 1_000
"""Beyond it nothing is gained, and a service takes it for an attack."""
_NUMBER = re.compile("[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Workers:
    """Who does the work."""

    side_by_side: int | None = None
    """How many things at once on this machine; None: as many as are worth it."""
    cluster: "ClusterAddress | None" = None
    """Who does it instead."""


def workers_of(text: str | None) -> Workers:
    """Return who is asked for.

    UsageError for anything else, and for a cluster where Dask is not installed.
    """
    from repatria.work.cluster_address import parse_address
    from repatria.work.cluster_setup import require_dask

    if text is None:
        return Workers()
    if _NUMBER.fullmatch(text) and int(text) <= _MOST:
        return Workers(side_by_side=int(text))
    if not text.startswith("dask://"):
        raise UsageError(
            _("{text} is neither a number of workers nor a cluster.").format(text=text),
            advice=_(
                "Give a number from 1 to {most}, such as 4, or the scheduler of a Dask cluster: dask://HOST:PORT."
            ).format(most=number_text(_MOST)),
        )
    address = parse_address(text)
    require_dask()
    return Workers(cluster=address)
