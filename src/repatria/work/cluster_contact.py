"""The first contact with a Dask cluster: what must hold before anything travels there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.work.cluster_address import ClusterAddress, exposed
from repatria.work.cluster_scheduler import ALL_WORKERS, SECONDS_TO_ANSWER, Scheduler
from repatria.work.cluster_setup import (
    is_tls_configured,
    no_answer,
    quieten,
    require_answer,
    require_certificates,
    require_dask,
    start_workers,
)
from repatria.work.cluster_worker import Outfit, WorkerFacts
from repatria.work.patience import Patience

_LOOKS = 3
"""How often a worker that could not be asked is looked for again; one that died is not among the workers then."""
_SECONDS_BETWEEN_LOOKS = 1.0


@contextmanager
def connected(address: ClusterAddress, patience: Patience) -> Iterator[Scheduler]:
    """Connect to a scheduler.

    UsageError if Dask is not installed, the scheduler does not answer, or data would travel in the clear.
    """
    require_dask()
    import dask
    from distributed import Client

    quieten()
    # What a scan weighs is known, and it is sent once.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "8 GiB"})
    secured = is_tls_configured()
    if secured:
        require_certificates()
    elif not address.is_loopback:
        raise UsageError(
            _(
                "{address} is not on this machine, and Dask has no TLS certificates: data would travel in the clear."
            ).format(address=address),
            advice=_(
                "Name them in Dask's configuration (distributed.comm.tls), here, at the scheduler and at workers."
            ),
        )
    require_answer(address)
    scheme = "tls" if secured else "tcp"
    try:
        client = Client(
            str(address).replace("dask", scheme, 1), timeout=SECONDS_TO_ANSWER, set_as_default=False, name="repatria"
        )
    except (OSError, ImportError, RuntimeError) as error:
        raise no_answer(address, type(error).__name__, secured=secured) from error
    try:
        scheduler = Scheduler(client, address, patience)
        if not secured:
            _require_loopback(scheduler)
        yield scheduler
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=SECONDS_TO_ANSWER)


def _require_loopback(scheduler: Scheduler) -> None:
    """Refuse a scheduler that other machines can reach without TLS, and workers elsewhere."""
    told = scheduler.answered(lambda: scheduler.told(ALL_WORKERS))
    for listening in exposed([told["address"], *told["workers"]]):
        raise UsageError(
            _("{address} is open to other machines without TLS: data would travel in the clear.").format(
                address=listening
            ),
            advice=_("Start scheduler and workers with --host 127.0.0.1, or give Dask TLS certificates."),
        )


def require_fit_workers(scheduler: Scheduler, outfit: Outfit) -> None:
    """Refuse a cluster without workers, or with one that cannot take part; one that dies meanwhile is none."""
    try:
        scheduler.client.wait_for_workers(1, timeout=SECONDS_TO_ANSWER)
    except (TimeoutError, OSError) as error:
        raise UsageError(
            _("{address} has no workers.").format(address=scheduler.address), advice=start_workers(scheduler.address)
        ) from error
    told = scheduler.answered(lambda: scheduler.facts_of_workers(outfit))
    for _look in range(_LOOKS):
        if not any(isinstance(facts, OSError) for facts in told.values()):
            break
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        told = scheduler.answered(lambda: scheduler.facts_of_workers(outfit))
    for worker, facts in told.items():
        if fault := _fault_of(worker, facts, outfit):
            install = facts.advice if isinstance(facts, WorkerFacts) else ""
            raise UsageError(fault, advice=install or start_workers(scheduler.address))


def _fault_of(worker: str, facts: WorkerFacts | Exception, outfit: Outfit) -> str:
    """Return in one sentence why a worker cannot take part; empty if it can."""
    if isinstance(facts, TimeoutError):
        return _("The Dask worker {worker} does not answer: it hangs, or is out of reach. End it.").format(
            worker=worker
        )
    if isinstance(facts, Exception):
        # What a worker could not even unpack comes back as plain text: mostly that there is no Repatria.
        reason = str(facts) if type(facts) is Exception else type(facts).__name__
        return _("The Dask worker {worker} cannot run Repatria ({reason}).").format(worker=worker, reason=reason)
    return outfit.fault_of(facts)
