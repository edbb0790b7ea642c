"""Where the two sides of a cluster's talk leave their questions and answers: queues of Dask's scheduler.

There is one for the questions of all units of a run, and one for the answers to each attempt at a unit. What travels is
pickled, so no name stands in a log or on a page of Dask's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client, Queue

LOOK_SECONDS = 5.0
"""How often a worker asks again, if anybody still wants its unit; and how long this side listens at a time. Dask logs
each time that nothing came."""
PAUSE_SECONDS = 1.0
"""Between a connection that broke and the next one."""
UNASKED = 0
"""The number of an answer that comes before its question, the next one; questions count from 1."""
_ANSWER_SECONDS = 10.0
"""How long a call may take, the listening included: a scheduler that is frozen breaks no connection."""


class AbandonedError(Exception):
    """Nobody answers a worker, or a worker says nothing: the run is over, or the unit is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """The answer where nobody listens any more: Dask works a unit again whose result died with its worker."""


class _Hurried:
    """A client of Dask's no call of which waits for ever: TimeoutError."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sync(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return what a coroutine returns."""
        return self._client.sync(function, *arguments, callback_timeout=_ANSWER_SECONDS, **options)


def _queue(name: str, client: "Client") -> "Queue":
    from distributed import Queue

    return Queue(name, client=_Hurried(client))


def queue_of_questions(inbox: str, client: "Client") -> "Queue":
    """Return where the questions of a run go; OSError if the scheduler does not answer."""
    return _queue(inbox, client)


def queue_of_answers(inbox: str, attempt: str, client: "Client") -> "Queue":
    """Return where the answers to an attempt at a unit go; OSError if the scheduler does not answer."""
    return _queue(f"{inbox}-{attempt}", client)
