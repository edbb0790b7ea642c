"""A Dask scheduler, and the workers that it knows: what they say of themselves, each call with an end.

A scheduler or a worker that is frozen breaks no connection; Dask by itself would wait for it for ever.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeVar

from repatria.errors import StoppedError
from repatria.i18n import _
from repatria.work.cluster_address import ClusterAddress
from repatria.work.cluster_talk import is_connected
from repatria.work.cluster_worker import Outfit, WorkerFacts, facts_of
from repatria.work.patience import Patience
from repatria.work.stop import Reason

if TYPE_CHECKING:
    from distributed import Client

Made = TypeVar("Made")

SECONDS_TO_ANSWER = 10.0
ALL_WORKERS = -1
_SECONDS_BETWEEN_COUNTS = 2.0
"""How often the scheduler is asked, at most, whether it has any workers."""


class Scheduler:
    """One scheduler, connected to; from several threads."""

    def __init__(self, client: "Client", address: ClusterAddress, patience: Patience) -> None:
        self.client = client
        self.address = address
        self.missing = ""
        """In one sentence, why there are no workers, once there are none."""
        self._patience = patience
        self._counted = (0.0, True)

    def told(self, workers: int = 0) -> dict[str, Any]:
        """Return what it says of itself and of so many workers; OSError if it says nothing."""
        if (scheduler := self.client.scheduler) is None:
            raise ConnectionError
        told: dict[str, Any] = self.client.sync(
            scheduler.identity, n_workers=workers, callback_timeout=SECONDS_TO_ANSWER
        )
        return told

    def facts_of_workers(self, outfit: Outfit) -> dict[str, WorkerFacts | Exception]:
        """Return, by address, what each worker says of itself, or why it says nothing: TimeoutError for a frozen one.

        OSError if the scheduler says nothing.
        """

        async def all_facts(workers: list[str]) -> list[WorkerFacts | Exception]:
            return await asyncio.gather(*(self._facts_of(worker, outfit) for worker in workers))

        workers = list(self.told(ALL_WORKERS)["workers"])
        return dict(zip(workers, self.client.sync(all_facts, workers), strict=True))

    async def _facts_of(self, worker: str, outfit: Outfit) -> WorkerFacts | Exception:
        facts: WorkerFacts | Exception = await self._ran(worker, facts_of, outfit)
        if isinstance(facts, Exception) and not isinstance(facts, OSError):
            # Another version of Repatria may not even know the question: this one any Python can answer.
            version = await self._ran(worker, metadata.version, "repatria")
            if isinstance(version, str) and version != outfit.version:
                return WorkerFacts(worker, version, spills=False, has_nanny=False, equipment="")
        return facts

    async def _ran(self, worker: str, function: Callable[..., Any], given: object) -> Any:
        """Return what a function returns at a worker, or the error that it raises or that there is no answer."""
        try:
            asked = self.client.run(function, given, workers=[worker], on_error="return")
            told: dict[str, Any] = await asyncio.wait_for(asked, SECONDS_TO_ANSWER)
        except (OSError, ValueError) as error:  # it is frozen; it left meanwhile
            return error
        return told.get(worker, ConnectionError())

    def has_workers(self) -> bool:
        """Tell whether there is a worker; `missing` says what there is not."""
        asked, answer = self._counted
        if time.monotonic() - asked > _SECONDS_BETWEEN_COUNTS and is_connected(self.client):
            try:
                answer = bool(self.told()["n_workers"])
                self.missing = _("{address} has no workers.").format(address=self.address)
            except OSError:  # it is frozen, or lost: then it cancels what it was given, and that tells
                answer = False
                self.missing = _("{address} no longer answers.").format(address=self.address)
            self._counted = (time.monotonic(), answer)
        return answer

    def answered(self, call: Callable[[], Made]) -> Made:
        """Return what it answers; StoppedError (8) if it is lost."""
        try:
            return call()
        except (OSError, CancelledError) as error:
            raise self.lost() from error

    def lost(self) -> StoppedError:
        """Return the error of a scheduler that is lost, having asked the whole run to stop."""
        return self.ended(_("{address} no longer answers.").format(address=self.address))

    def ended(self, reason: str, advice: str = "") -> StoppedError:
        """Ask the whole run to stop, resumably, and return its error; `advice` is what to do before it is run again."""
        again = _("Run the same command again once the cluster is whole.")
        error = StoppedError(reason, advice=f"{advice} {again}".lstrip())
        self._patience.stop.request(Reason.LINK, error)
        return self._patience.stop.error()
