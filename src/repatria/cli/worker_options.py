"""`--workers`: a number for this machine, or a cluster of others."""

import re
from typing import TYPE_CHECKING

from repatria.errors import UsageError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.work.cluster_address import ClusterAddress


_NUMBER = re.compile("[1-9][0-9]{0,4}")


def workers_of(text: str | None) -> "tuple[int | None, ClusterAddress | None]":
    """Return how many units run side by side here, or the cluster where they run; None for what is not said.

    UsageError for anything else, and for a cluster where Dask is not installed.
    """
    from repatria.work.cluster import require_dask
    from repatria.work.cluster_address import parse_address

    if text is None:
        return None, None
    if _NUMBER.fullmatch(text):
        return int(text), None
    if not text.startswith("dask://"):
        raise UsageError(
            _("{text} is neither a number of workers nor a cluster.").format(text=text),
            advice=_("Give a number from 1, such as 4, or the scheduler of a Dask cluster: dask://HOST:PORT."),
        )
    address = parse_address(text)
    require_dask()
    return None, address
