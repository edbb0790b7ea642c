"""The seam to Dask: units of work on a cluster of machines, where one machine is not enough.

`Cluster.call` runs an importable function of a plain value on whichever worker is free, and waits for what it returns.
Dask's scheduler decides where, and runs a unit again whose worker died. What travels holds plaintext, so it travels
over TLS or not beyond this machine, no worker may spill it to a disk, and none may show it in a log (`cluster_worker`).
"""

import functools
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from repatria.errors import UnreachableError
from repatria.i18n import _
from repatria.work.cluster_address import ClusterAddress
from repatria.work.cluster_asking import Asking, worked_asking
from repatria.work.cluster_contact import connected, require_fit_workers
from repatria.work.cluster_scheduler import Scheduler
from repatria.work.cluster_talk import Inbox, Talk
from repatria.work.cluster_worker import Outfit, Refused, Returned, Unfit, Veiled, as_given, worked
from repatria.work.patience import Patience

if TYPE_CHECKING:
    from distributed import Future as DaskFuture

Made = TypeVar("Made")
Held: TypeAlias = "DaskFuture[Veiled]"
"""A value that is on the cluster."""

_GLANCE = 0.5
"""Seconds between two looks at whether a stop was asked for, while a unit is waited for."""


class WorkersLostError(Exception):
    """Worker after worker ended while it worked on this unit, as many as the scheduler allows."""


@contextmanager
def open_cluster(address: ClusterAddress, outfit: Outfit, patience: Patience) -> Iterator["Cluster"]:
    """Connect to a scheduler, and check every worker that it has.

    UsageError if Dask is not installed, the scheduler does not answer or has no worker, data would travel in the
    clear, or a worker cannot take part.
    """
    with connected(address, patience) as scheduler:
        require_fit_workers(scheduler, outfit)
        with closing(Cluster(scheduler, outfit, patience)) as cluster:
            yield cluster


class Cluster:
    """The workers of one scheduler; `call` and `holding` from several threads."""

    def __init__(self, scheduler: Scheduler, outfit: Outfit, patience: Patience) -> None:
        self._scheduler = scheduler
        self._outfit = outfit
        self._patience = patience
        self._executor: Executor = scheduler.client.get_executor(pure=False)
        self._lock = threading.Lock()
        self._inbox: Inbox | None = None

    @property
    def threads(self) -> int:
        """How many units the workers run at once now, 1 if all are gone; StoppedError (8) if the scheduler is lost."""
        return max(1, int(self._scheduler.answered(self._scheduler.told)["total_threads"]))

    @contextmanager
    def holding(self, value: object) -> Iterator[Held]:
        """Hold a value on the cluster, for several calls; it travels to each worker that needs it once.

        The scheduler keeps it, too: a worker that dies with it costs nothing but its way to the next one.
        """
        held = self._scheduler.client.submit(as_given, Veiled(value), pure=False)
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
                raise self._scheduler.lost()
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
                self._inbox = self._scheduler.answered(lambda: Inbox(self._scheduler.client))
            return self._inbox

    def _made(self, result: Veiled) -> Any:
        """Return what a unit returned, or raise what it raised."""
        match result.value:
            case Returned(value):
                return value
            case Refused(error):
                raise error
            case Unfit(facts):
                raise self._scheduler.ended(self._outfit.fault_of(facts), facts.advice)
        raise TypeError(type(result.value).__name__)

    def _looking(self, future: "Future[Veiled]", raise_if_over: Callable[[], None]) -> Callable[[float], Veiled | None]:
        """Return what waits so many seconds for a unit to end, and raises if it never will."""
        from distributed import KilledWorker

        attempt = self._patience.attempt()

        def look(seconds: float) -> Veiled | None:
            try:
                return future.result(seconds)
            except TimeoutError:
                raise_if_over()
                if self._scheduler.has_workers():
                    attempt.succeeded()
                else:
                    attempt.pause(UnreachableError(self._scheduler.missing))
                return None
            except CancelledError as error:
                self._patience.stop.raise_if_requested()
                raise self._scheduler.lost() from error
            except KilledWorker as error:
                raise WorkersLostError(str(error.allowed_failures + 1)) from error
            except Exception as error:  # `worked` returns what goes wrong in a unit: this one did not even begin
                fault = _("A Dask worker cannot run Repatria ({reason}).").format(reason=type(error).__name__)
                raise self._scheduler.ended(fault) from error

        return look
