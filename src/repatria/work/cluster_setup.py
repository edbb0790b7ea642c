"""What is there before a cluster is used: Dask itself, its certificates, a scheduler that answers."""

import logging
import socket
import warnings

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.work.cluster_address import ClusterAddress

_SECONDS_TO_CONNECT = 10.0


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
        socket.create_connection((address.host, address.port), timeout=_SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise no_answer(address, error.strerror or type(error).__name__) from error


def no_answer(address: ClusterAddress, reason: str, *, secured: bool | None = None) -> UsageError:
    """Return the error of a scheduler that does not answer.

    `secured` tells how something that does listen there was spoken to, with TLS or without.
    """
    if secured is None:
        advice = _("Start one with: dask scheduler. Without --workers, this machine does the work alone.")
    elif secured:
        advice = _(
            "Something listens there: a scheduler that hangs, or one that does not speak TLS with certificates of the"
            " same CA as those in this machine's Dask configuration (distributed.comm.tls)."
        )
    else:
        advice = _(
            "Something listens there: a scheduler that hangs, or one that speaks TLS; then name certificates in this"
            " machine's Dask configuration, too (distributed.comm.tls)."
        )
    return UsageError(
        _("{address} does not answer as a Dask scheduler ({reason}).").format(address=address, reason=reason),
        advice=advice,
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


def require_certificates() -> None:
    """Refuse certificates of Dask's configuration that cannot be read, or do not go together."""
    from distributed.security import Security

    configured = Security()
    try:
        usable = configured.get_connection_args("client")["ssl_context"] is not None
        reason = "ca-file"  # without one there is no context
    except (OSError, ValueError) as error:
        usable, reason = False, (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    if not usable:
        raise UsageError(
            _("The TLS certificates that Dask's configuration names cannot be used ({reason}).").format(reason=reason),
            advice=_(
                "distributed.comm.tls names three files that this user can read: ca-file, client.cert and client.key,"
                " the key without a passphrase."
            ),
        )


def quieten() -> None:
    """Let Dask complain to nobody: what this tool says on stderr has rules."""
    from distributed.versions import VersionMismatchWarning

    for name in ("distributed", "tornado", "tornado.application"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
    warnings.simplefilter("ignore", VersionMismatchWarning)  # what must be the same is checked: `Outfit`
