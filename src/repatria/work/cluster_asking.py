"""The worker's side of a talk: a unit of work that asks back while it is at work.

A connection that breaks may take a question or an answer with it, and a request of which the scheduler does not know
that it is in vain takes the next one. So questions are numbered, and a worker asks again what is not answered.
"""

import pickle
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from repatria.work.cluster_post import (
    LOOK_SECONDS,
    PAUSE_SECONDS,
    UNASKED,
    AbandonedError,
    Nobody,
    queue_of_answers,
    queue_of_questions,
)

if TYPE_CHECKING:
    from distributed import Worker

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class _Nothing:
    """What stands for an answer until there is one."""


class Asking:
    """The worker's side of one attempt at a unit; asked by several threads, one question at a time."""

    def __init__(self, inbox: str, token: str) -> None:
        """Begin to ask, in the thread that works the unit: `inbox` names the run, `token` the unit."""
        from distributed import get_client, get_worker

        client = get_client()
        self._worker = get_worker()
        self.worker: str = self._worker.address
        """Where this is at work."""
        self._key = self._worker.get_current_task()
        self.inbox = inbox
        self._token = token
        self._attempt = uuid.uuid4().hex
        self._questions = queue_of_questions(inbox, client)
        self._answers = queue_of_answers(inbox, self._attempt, client)
        self._number = UNASKED
        self._lock = threading.Lock()

    def ask(self, question: object) -> Any:
        """Return the answer; AbandonedError if there is none."""
        with self._lock:
            self._number += 1
            packed = pickle.dumps((self._token, self._attempt, self._number, question))
            while _is_wanted(self._worker, self._key):
                answer = self._answer_to(packed)
                if isinstance(answer, Nobody):
                    break
                if not isinstance(answer, _Nothing):
                    return answer
            raise AbandonedError

    def close(self) -> None:
        """Let the queues go."""
        self._questions.close()
        self._answers.close()

    def _answer_to(self, packed: bytes) -> Any:
        """Ask, once; earlier answers that come again are passed over."""
        try:
            self._questions.put(packed)
            while True:
                number, answer = pickle.loads(self._answers.get(timeout=LOOK_SECONDS))  # noqa: S301 -- of this very cluster
                if number in (UNASKED, self._number):
                    return answer
        except TimeoutError:
            pass
        except (OSError, CancelledError):
            time.sleep(PAUSE_SECONDS)
        return _Nothing()


def _is_wanted(worker: "Worker", key: Any) -> bool:
    """Tell whether a task that runs is wanted: Dask ends none that has begun, and notes what was cancelled."""
    task = worker.state.tasks.get(key)
    ends = worker.status.name in {"closing", "closed", "failed"}  # it has lost its scheduler, or is sent home
    return not ends and task is not None and task.state != "cancelled"


def worked_asking(function: Callable[[Any, Asking], Made], inbox: str, token: str, unit: object) -> Made:
    """Work a unit that asks."""
    asking = Asking(inbox, token)
    try:
        return function(unit, asking)
    finally:
        asking.close()
