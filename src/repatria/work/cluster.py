"""The seam to Dask: units of work on a cluster of machines, where one machine is not enough.

`Cluster.call` runs an importable function of a plain value on whichever worker is free, and waits for what it returns.
Dask's scheduler decides where, and runs a unit again whose worker died. What travels holds plaintext, so it travels
over TLS or not beyond this machine, no worker may spill it to a disk, and none may show it in a log (`cluster_worker`).
"""

import functools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from repatria.errors import StoppedError, UnreachableError, UsageError
from repatria.i18n import _
from repatria.work.cluster_address import ClusterAddress, exposed
from repatria.work.cluster_setup import (
    SECONDS_TO_ANSWER,
    is_tls_configured,
    no_answer,
    quieten,
    require_answer,
    require_dask,
    start_workers,
)
from repatria.work.cluster_talk import Asking, Inbox, Talk, is_connected, worked_asking
from repatria.work.cluster_worker import (
    Outfit,
    Refused,
    Returned,
    Unfit,
    Veiled,
    WorkerFacts,
    as_given,
    facts_of,
    worked,
)
from repatria.work.patience import Patience
from repatria.work.stop import Reason

if TYPE_CHECKING:
    from distributed import Client
    from distributed import Future as DaskFuture

Made = TypeVar("Made")
Held: TypeAlias = "DaskFuture[Veiled]"
"""A value that is on the cluster."""

_GLANCE = 0.5
"""Seconds between two looks at whether a stop was asked for, while a unit is waited for."""
_SECONDS_BETWEEN_COUNTS = 2.0
"""How often the scheduler is asked, at most, whether it has any workers."""

_ALL_WORKERS = -1
_LOOKS = 3
"""How often a worker that could not be asked is looked for again; one that died is not among the workers then."""
_SECONDS_BETWEEN_LOOKS = 1.0


class WorkersLostError(Exception):
    """Worker after worker ended while it worked on this unit, as many as the scheduler allows."""


@contextmanager
def open_cluster(address: ClusterAddress, outfit: Outfit, patience: Patience) -> Iterator["Cluster"]:
    """Connect to a scheduler, and check every worker that it has.

    UsageError if Dask is not installed, the scheduler does not answer or has no worker, data would travel in the
    clear, or a worker cannot take part.
    """
    require_dask()
    import dask
    from distributed import Client

    quieten()
    # What a scan weighs is known, and it is sent once.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "8 GiB"})
    secured = is_tls_configured()
    if not secured and not address.is_loopback:
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
        raise no_answer(address, type(error).__name__) from error
    try:
        cluster = Cluster(client, address, outfit, patience)
        if not secured:
            cluster.require_loopback()
        cluster.require_fit_workers()
        with closing(cluster):
            yield cluster
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=SECONDS_TO_ANSWER)


class Cluster:
    """The workers of one scheduler; `call` and `holding` from several threads."""

    def __init__(self, client: "Client", address: ClusterAddress, outfit: Outfit, patience: Patience) -> None:
        self._client = client
        self._address = address
        self._outfit = outfit
        self._patience = patience
        self._executor: Executor = client.get_executor(pure=False)
        self._counted = (0.0, True)
        self._missing = ""
        self._lock = threading.Lock()
        self._inbox: Inbox | None = None

    @property
    def threads(self) -> int:
        """How many units the workers run at once now; StoppedError (8) if the scheduler is lost."""
        return int(self._answered(self._told)["total_threads"])

    @contextmanager
    def holding(self, value: object) -> Iterator[Held]:
        """Hold a value on the cluster, for several calls; it travels to each worker that needs it once.

        The scheduler keeps it, too: a worker that dies with it costs nothing but its way to the next one.
        """
        held = self._client.submit(as_given, Veiled(value), pure=False)
        try:
            yield held
        finally:
            held.release()

    def call(self, function: Callable[..., Made], unit: object, *held: Held) -> Made:
        """Return `function(unit, *what is held)` from a worker; raise what it raised there.

        WorkersLostError if workers die of it; StoppedError (8) if the scheduler is lost, no worker is left for longer
        than patience lasts, or one that joined meanwhile cannot take part.
        """
        given: tuple[Any, ...] = held  # Dask puts the values in their place
        future = self._executor.submit(worked, Veiled((self._outfit, function, unit)), *given)
        looking = self._looking(future, self._patience.stop.raise_if_requested)
        try:
            while (result := looking(_GLANCE)) is None:
                pass
        finally:
            future.cancel()
        made: Made = self._made(result)
        return made

    @contextmanager
    def talking(
        self, function: Callable[[Any, Asking], None], unit: object, raise_if_over: Callable[[], None]
    ) -> Iterator[Talk]:
        """Have `function(unit, asking)` run on a worker, and yield the other side of what it asks.

        Until it has ended, or the body has. Errors are raised by the talk, as `call` raises them; a stop only as
        `raise_if_over` does, which is called about twice a second.
        """
        inbox, token = self._listening(), uuid.uuid4().hex
        heard = inbox.opened(token)
        work = functools.partial(worked_asking, function, inbox.name, token)
        future = self._executor.submit(worked, Veiled((self._outfit, work, unit)))
        looking = self._looking(future, raise_if_over)

        def has_ended() -> bool:
            result = looking(0.0)
            if result is not None:
                self._made(result)
            elif inbox.is_deaf:
                raise self._lost()
            return result is not None

        # Nothing may hold the future longer than this: Dask would work the unit again, should its result be lost.
        future.add_done_callback(lambda _future: heard.put(None))
        talk = Talk(inbox, token, heard, has_ended, self._patience.seconds)
        try:
            yield talk
        finally:
            future.cancel()
            talk.close()

    def close(self) -> None:
        """Hear workers no more."""
        if self._inbox is not None:
            self._inbox.close()

    def _listening(self) -> Inbox:
        with self._lock:
            if self._inbox is None:
                self._inbox = self._answered(lambda: Inbox(self._client))
            return self._inbox

    def _made(self, result: Veiled) -> Any:
        """Return what a unit returned, or raise what it raised."""
        match result.value:
            case Returned(value):
                return value
            case Refused(error):
                raise error
            case Unfit(facts):
                raise self._ended(self._outfit.fault_of(facts))
        raise TypeError(type(result.value).__name__)

    def require_loopback(self) -> None:
        """Refuse a scheduler that other machines can reach without TLS, and workers elsewhere."""
        told = self._answered(lambda: self._told(_ALL_WORKERS))
        for listening in exposed([told["address"], *told["workers"]]):
            raise UsageError(
                _("{address} is open to other machines without TLS: data would travel in the clear.").format(
                    address=listening
                ),
                advice=_("Start scheduler and workers with --host 127.0.0.1, or give Dask TLS certificates."),
            )

    def require_fit_workers(self) -> None:
        """Refuse a cluster without workers, or with one that cannot take part; one that dies meanwhile is none."""
        told = self._facts_of_workers()
        for _look in range(_LOOKS):
            if not any(isinstance(facts, OSError) for facts in told.values()):
                break
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            told = self._facts_of_workers()
        for worker, facts in told.items():
            if isinstance(facts, Exception):
                fault = _("The Dask worker {worker} cannot run Repatria ({reason}).").format(
                    worker=worker, reason=type(facts).__name__
                )
            else:
                fault = self._outfit.fault_of(facts)
            if fault:
                raise UsageError(fault, advice=start_workers(self._address))

    def _facts_of_workers(self) -> dict[str, WorkerFacts | Exception]:
        try:
            self._client.wait_for_workers(1, timeout=SECONDS_TO_ANSWER)
        except (TimeoutError, OSError) as error:
            raise UsageError(
                _("{address} has no workers.").format(address=self._address), advice=start_workers(self._address)
            ) from error
        told: dict[str, WorkerFacts | Exception] = self._client.run(facts_of, self._outfit, on_error="return")
        return told

    def _looking(self, future: "Future[Veiled]", raise_if_over: Callable[[], None]) -> Callable[[float], Veiled | None]:
        """Return what waits so many seconds for a unit to end, and raises if it never will."""
        from distributed import KilledWorker

        attempt = self._patience.attempt()

        def look(seconds: float) -> Veiled | None:
            try:
                return future.result(seconds)
            except TimeoutError:
                raise_if_over()
                if self._has_workers():
                    attempt.succeeded()
                else:
                    attempt.pause(UnreachableError(self._missing))
                return None
            except CancelledError as error:
                self._patience.stop.raise_if_requested()
                raise self._lost() from error
            except KilledWorker as error:
                raise WorkersLostError(str(error.allowed_failures + 1)) from error
            except Exception as error:  # `worked` returns what goes wrong in a unit: this one did not even begin
                reason = type(error).__name__
                raise self._ended(_("A Dask worker cannot run Repatria ({reason}).").format(reason=reason)) from error

        return look

    def _has_workers(self) -> bool:
        """Tell whether there is a worker; `_missing` says what there is not."""
        asked, answer = self._counted
        if time.monotonic() - asked > _SECONDS_BETWEEN_COUNTS and is_connected(self._client):
            try:
                answer = bool(self._told()["n_workers"])
                self._missing = _("{address} has no workers.").format(address=self._address)
            except OSError:  # it is frozen, or lost: then it cancels what it was given, and that tells
                answer = False
                self._missing = _("{address} no longer answers.").format(address=self._address)
            self._counted = (time.monotonic(), answer)
        return answer

    def _told(self, workers: int = 0) -> dict[str, Any]:
        """Return what the scheduler says of itself and of so many workers; a frozen one says nothing: TimeoutError."""
        if (scheduler := self._client.scheduler) is None:
            raise ConnectionError
        told: dict[str, Any] = self._client.sync(
            scheduler.identity, n_workers=workers, callback_timeout=SECONDS_TO_ANSWER
        )
        return told

    def _answered(self, call: Callable[[], Made]) -> Made:
        """Return what the scheduler answers."""
        try:
            return call()
        except (OSError, CancelledError) as error:
            raise self._lost() from error

    def _lost(self) -> StoppedError:
        return self._ended(_("{address} no longer answers.").format(address=self._address))

    def _ended(self, reason: str) -> StoppedError:
        """Ask the whole run to stop, resumably."""
        error = StoppedError(reason, advice=_("Run the same command again once the cluster is whole."))
        self._patience.stop.request(Reason.LINK, error)
        return self._patience.stop.error()
