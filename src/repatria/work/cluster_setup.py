"""What is there before a cluster is used: Dask itself, its certificates, a scheduler that answers."""

import logging
import socket
import warnings

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.work.cluster_address import ClusterAddress

SECONDS_TO_ANSWER = 10.0


def require_dask() -> None:
    """Raise UsageError if Dask is not installed."""
    try:
        import distributed  # noqa: F401 -- whether it is there is the question
    except ImportError as error:
        raise UsageError(
            _("The part that works on several machines is not installed."),
            advice=_("Install it from Repatria's own folder: pip install '.[dask]'"),
        ) from error


def require_answer(address: ClusterAddress) -> None:
    """Fail at once where nothing listens; Dask itself would try again for as long as it may."""
    try:
        socket.create_connection((address.host, address.port), timeout=SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise no_answer(address, error.strerror or type(error).__name__) from error


def no_answer(address: ClusterAddress, reason: str) -> UsageError:
    """Return the error of a scheduler that does not answer."""
    return UsageError(
        _("{address} does not answer as a Dask scheduler ({reason}).").format(address=address, reason=reason),
        advice=_("Start one with: dask scheduler. Without --workers, this machine does the work alone."),
    )


def start_workers(address: ClusterAddress) -> str:
    """Return the advice that says how workers are to be started."""
    where = f"{'tcp' if address.is_loopback else 'tls'}{str(address).removeprefix('dask')}"
    return _("Start each worker with this very version of Repatria: {command}").format(
        command=f"dask worker {where} --no-nanny --memory-limit 0"
    )


def is_tls_configured() -> bool:
    """Tell whether Dask's configuration names certificates."""
    from distributed.security import Security

    return bool(Security().get_tls_config_for_role("client")["cert"])


def quieten() -> None:
    """Let Dask complain to nobody: what this tool says on stderr has rules."""
    from distributed.versions import VersionMismatchWarning

    for name in ("distributed", "tornado", "tornado.application"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
    warnings.simplefilter("ignore", VersionMismatchWarning)  # what must be the same is checked: `Outfit`
