"""A unit of work that asks back while it is at work: its worker and the machine that runs the command take turns.

The worker asks, the other side answers, through queues of Dask's scheduler: one for the questions of all units of a
run, and one for the answers to each attempt at a unit. Should the worker die, Dask runs the unit again elsewhere, and
what it asks then is another attempt's. What travels is pickled, so no name stands in a log or on a page of Dask's.
"""

import pickle
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from distributed import Client, Worker

Made = TypeVar("Made")

_LOOK_SECONDS = 5.0
"""How often a worker that waits for an answer looks whether anybody still wants its unit; Dask logs each time."""
_GLANCE = 0.5
"""Seconds between two looks at what became of a unit that asks nothing."""
_ENOUGH = b""
"""What ends the listening."""


class AbandonedError(Exception):
    """Nobody answers a worker: the run is over, or its unit is not wanted any more."""


@dataclass(frozen=True, slots=True)
class _Nobody:
    """The answer where nobody listens any more: Dask works a unit again whose result died with its worker."""


class Asking:
    """The worker's side of one attempt at a unit; asked by several threads, one question at a time."""

    def __init__(self, inbox: str, token: str) -> None:
        """Begin to ask, in the thread that works the unit: `inbox` names the run, `token` the unit."""
        from distributed import Queue, get_client, get_worker

        client = get_client()
        self._worker = get_worker()
        self.worker: str = self._worker.address
        """Where this is at work."""
        self._key = self._worker.get_current_task()
        self.inbox = inbox
        self._token = token
        self._attempt = uuid.uuid4().hex
        self._questions = Queue(inbox, client=client)
        self._answers = Queue(f"{inbox}-{self._attempt}", client=client)
        self._lock = threading.Lock()

    def ask(self, question: object) -> Any:
        """Return the answer; AbandonedError if there is none."""
        with self._lock:
            try:
                return self._asked(question)
            except (OSError, CancelledError) as error:
                raise AbandonedError from error

    def close(self) -> None:
        """Let the queues go."""
        self._questions.close()
        self._answers.close()

    def _asked(self, question: object) -> Any:
        asked = False
        while _is_wanted(self._worker, self._key):
            if not asked:
                self._questions.put(pickle.dumps((self._token, self._attempt, question)))
                asked = True
            try:
                answer = pickle.loads(self._answers.get(timeout=_LOOK_SECONDS))  # noqa: S301 -- of this very cluster
            except TimeoutError:
                continue
            if not isinstance(answer, _Nobody):
                return answer
            break
        raise AbandonedError


def _is_wanted(worker: "Worker", key: Any) -> bool:
    """Tell whether a task that runs is wanted: Dask ends none that has begun, and notes what was cancelled."""
    task = worker.state.tasks.get(key)
    return task is not None and task.state != "cancelled"


def worked_asking(function: Callable[[Any, Asking], Made], inbox: str, token: str, unit: object) -> Made:
    """Work a unit that asks."""
    asking = Asking(inbox, token)
    try:
        return function(unit, asking)
    finally:
        asking.close()


def is_connected(client: "Client") -> bool:
    """Tell whether there is a scheduler; else Dask tries for half a minute to find it again before a call fails."""
    return bool(client.status == "running")


@dataclass(frozen=True, slots=True)
class Heard:
    """A question."""

    attempt: str
    """Which attempt at the unit asks: another one if the worker of the one before is dead."""
    question: Any


class Inbox:
    """The questions of all units of a run, and where each goes; safe from several threads."""

    def __init__(self, client: "Client") -> None:
        """Begin to listen, in a thread of its own."""
        from distributed import Queue

        self._client = client
        self.name = f"repatria-{uuid.uuid4().hex}"
        self._questions = Queue(self.name, client=client)
        self._units: dict[str, SimpleQueue[Heard | None]] = {}
        threading.Thread(target=self._listen, name="questions of workers", daemon=True).start()

    def opened(self, token: str) -> "SimpleQueue[Heard | None]":
        """Return where a unit's questions come in from now on."""
        return self._units.setdefault(token, SimpleQueue())

    def closed(self, token: str) -> None:
        """Have a unit that asks from now on told that nobody listens."""
        self._units.pop(token, None)

    def answer(self, attempt: str, answer: object) -> None:
        """Answer an attempt at a unit; without a scheduler nothing is said, and whoever hears its unit is told so."""
        from distributed import Queue

        if is_connected(self._client):
            with suppress(OSError, CancelledError):
                answers = Queue(f"{self.name}-{attempt}", client=self._client)
                answers.put(pickle.dumps(answer))
                answers.close()

    def close(self) -> None:
        """End the listening."""
        if is_connected(self._client):  # else it has ended
            with suppress(OSError, CancelledError):
                self._questions.put(_ENOUGH)
                self._questions.close()

    def _listen(self) -> None:
        while True:
            try:
                posted = self._questions.get()
                if posted == _ENOUGH:
                    return
                self._pass_on(*pickle.loads(posted))  # noqa: S301 -- of this very cluster
            except Exception:  # whatever ends the connection: units are told so themselves
                return

    def _pass_on(self, token: str, attempt: str, question: object) -> None:
        unit = self._units.get(token)
        if unit is None:
            self.answer(attempt, _Nobody())
        else:
            unit.put(Heard(attempt, question))


class Talk:
    """The other side of one unit, for one thread."""

    def __init__(
        self, inbox: Inbox, token: str, heard: "SimpleQueue[Heard | None]", has_ended: Callable[[], bool]
    ) -> None:
        """Begin to hear what comes in; None there: look at once what became of the unit.

        `has_ended` tells whether the unit ended well, and raises what went wrong.
        """
        self._inbox = inbox
        self._token = token
        self._heard = heard
        self._has_ended = has_ended

    def heard(self) -> Heard | None:
        """Return the next question, None once the unit has ended well; raises what it raised."""
        while True:
            try:
                heard = self._heard.get(timeout=_GLANCE)
            except Empty:
                heard = None
            if heard is not None:
                return heard
            if self._has_ended():
                return None

    def answer(self, attempt: str, answer: object) -> None:
        """Answer the question of an attempt; said before it asks, it is what it hears next."""
        self._inbox.answer(attempt, answer)

    def close(self) -> None:
        """Hear no more."""
        self._inbox.closed(self._token)
