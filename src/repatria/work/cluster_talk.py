"""A unit of work that asks back while it is at work: its worker and the machine that runs the command take turns.

The worker asks, the other side answers, through two queues of Dask's scheduler: one to ask, which is the unit's, and
one to answer, which belongs to one attempt at it. Should the worker die, Dask runs the unit again elsewhere, and what
it asks then is another attempt's. What travels is pickled, so no name stands in a log or on a page of Dask's.
"""

import pickle
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from distributed import Client

Made = TypeVar("Made")

_ANSWER_SECONDS = 600.0
"""How long a worker waits for an answer: as long as it may take to note a volume in a busy journal."""
_GLANCE = 0.2
"""Seconds between two looks at what became of a unit that asks nothing."""


class AbandonedError(Exception):
    """Nobody answers a worker: the run is over, or goes on with another attempt."""


class Asking:
    """The worker's side of one attempt at a unit; asked by several threads, one question at a time."""

    def __init__(self, token: str) -> None:
        """Begin to ask, in the thread that works the unit; `token` names the unit."""
        from distributed import Queue, get_client

        client = get_client()
        self._attempt = uuid.uuid4().hex
        self._questions = Queue(token, client=client)
        self._answers = Queue(f"{token}-{self._attempt}", client=client)
        self._lock = threading.Lock()

    def ask(self, question: object) -> Any:
        """Return the answer; AbandonedError if there is none."""
        with self._lock:
            try:
                self._questions.put(pickle.dumps((self._attempt, question)))
                return pickle.loads(self._answers.get(timeout=_ANSWER_SECONDS))  # noqa: S301 -- of this very cluster
            except (TimeoutError, OSError, CancelledError) as error:
                raise AbandonedError from error

    def close(self) -> None:
        """Let the queues go."""
        self._questions.close()
        self._answers.close()


def worked_asking(function: Callable[[Any, Asking], Made], token: str, unit: object) -> Made:
    """Work a unit that asks."""
    asking = Asking(token)
    try:
        return function(unit, asking)
    finally:
        asking.close()


@dataclass(frozen=True, slots=True)
class Heard:
    """A question."""

    attempt: str
    """Which attempt at the unit asks: another one if the worker of the one before is dead."""
    question: Any


class Talk:
    """The other side, for one thread."""

    def __init__(self, client: "Client", token: str, has_ended: Callable[[float], bool]) -> None:
        """Begin to listen; `has_ended` waits so many seconds for the unit to end, and raises what went wrong."""
        from distributed import Queue

        self._client = client
        self._token = token
        self._has_ended = has_ended
        self._questions = Queue(token, client=client)
        self._answers: dict[str, Queue] = {}

    def heard(self) -> Heard | None:
        """Return the next question, None once the unit has ended well; raises what it raised."""
        while True:
            try:
                attempt, question = pickle.loads(self._questions.get(timeout=_GLANCE))  # noqa: S301 -- as above
                return Heard(attempt, question)
            except (TimeoutError, OSError, CancelledError):
                if self._has_ended(_GLANCE):
                    return None

    def answer(self, attempt: str, answer: object) -> None:
        """Answer the question of an attempt; said before it asks, it is what it hears next."""
        from distributed import Queue

        if attempt not in self._answers:
            self._answers[attempt] = Queue(f"{self._token}-{attempt}", client=self._client)
        self._answers[attempt].put(pickle.dumps(answer))

    def close(self) -> None:
        """Let the queues go."""
        for queue in (self._questions, *self._answers.values()):
            queue.close()
