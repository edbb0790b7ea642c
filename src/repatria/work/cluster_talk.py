"""A unit of work that asks back while it is at work: its worker and the machine that runs the command take turns.

The worker asks, the other side answers, through queues of Dask's scheduler: one for the questions of all units of a
run, and one for the answers to each attempt at a unit. Should the worker die, Dask runs the unit again elsewhere, and
what it asks then is another attempt's. What travels is pickled, so no name stands in a log or on a page of Dask's.

A connection that breaks may take a question or an answer with it, and a request of which the scheduler does not know
that it is in vain takes the next one. So questions are numbered, a worker asks again what is not answered, and this
side answers what it hears twice as it did the first time.
"""

import pickle
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from distributed import Client, Queue, Worker

Made = TypeVar("Made")

_LOOK_SECONDS = 5.0
"""How often a worker asks again, if anybody still wants its unit; and how long this side listens at a time. Dask logs
each time that nothing came."""
_ANSWER_SECONDS = 10.0
"""How long a call may take, the listening included: a scheduler that is frozen breaks no connection."""
_PAUSE_SECONDS = 1.0
"""Between a connection that broke and the next one."""
_GLANCE = 0.5
"""Seconds between two looks at what became of a unit that asks nothing."""
_ENOUGH = b""
"""What ends the listening."""
_UNASKED = 0
"""The number of an answer that comes before its question, the next one; questions count from 1."""


class AbandonedError(Exception):
    """Nobody answers a worker: the run is over, or its unit is not wanted any more."""


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


@dataclass(frozen=True, slots=True)
class _Nobody:
    """The answer where nobody listens any more: Dask works a unit again whose result died with its worker."""


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
        self._questions = _queue(inbox, client)
        self._answers = _queue(f"{inbox}-{self._attempt}", client)
        self._number = _UNASKED
        self._lock = threading.Lock()

    def ask(self, question: object) -> Any:
        """Return the answer; AbandonedError if there is none."""
        with self._lock:
            self._number += 1
            packed = pickle.dumps((self._token, self._attempt, self._number, question))
            while _is_wanted(self._worker, self._key):
                answer = self._answer_to(packed)
                if isinstance(answer, _Nobody):
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
                number, answer = pickle.loads(self._answers.get(timeout=_LOOK_SECONDS))  # noqa: S301 -- of this very cluster
                if number in (_UNASKED, self._number):
                    return answer
        except TimeoutError:
            pass
        except (OSError, CancelledError):
            time.sleep(_PAUSE_SECONDS)
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


def is_connected(client: "Client") -> bool:
    """Tell whether there is a scheduler; else Dask tries for half a minute to find it again before a call fails."""
    return bool(client.status == "running")


@dataclass(frozen=True, slots=True)
class Heard:
    """A question."""

    attempt: str
    """Which attempt at the unit asks: another one if the worker of the one before is dead."""
    question: Any


@dataclass(slots=True)
class _Asked:
    """The latest question of an attempt."""

    number: int
    answer: bytes | None = None
    """As it was posted; None before."""


@dataclass(slots=True)
class _Unit:
    """A unit whose questions are heard."""

    heard: "SimpleQueue[Heard | None]" = field(default_factory=SimpleQueue)
    asked: dict[str, _Asked] = field(default_factory=dict)
    """By attempt."""


class Inbox:
    """The questions of all units of a run, and where each goes; safe from several threads."""

    def __init__(self, client: "Client") -> None:
        """Begin to listen, in a thread of its own; OSError if the scheduler does not answer."""
        self._client = client
        self.name = f"repatria-{uuid.uuid4().hex}"
        self.is_deaf = False
        """Whether nothing is heard any more: the scheduler is lost."""
        self._questions = _queue(self.name, client)
        self._units: dict[str, _Unit] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, name="questions of workers", daemon=True).start()

    def opened(self, token: str) -> "SimpleQueue[Heard | None]":
        """Return where a unit's questions come in from now on; None there: look what became of it."""
        with self._lock:
            return self._units.setdefault(token, _Unit()).heard

    def closed(self, token: str) -> None:
        """Have a unit that asks from now on told that nobody listens."""
        with self._lock:
            self._units.pop(token, None)

    def answer(self, token: str, attempt: str, answer: object) -> None:
        """Answer an attempt at a unit; what is lost on the way is asked for again."""
        with self._lock:
            unit = self._units.get(token)
            asked = unit.asked.get(attempt) if unit else None
            if asked is None or asked.answer is not None:
                packed = pickle.dumps((_UNASKED, answer))
            else:
                asked.answer = packed = pickle.dumps((asked.number, answer))
        self._post(attempt, packed)

    def close(self) -> None:
        """End the listening."""
        if is_connected(self._client):  # else it has ended
            with suppress(OSError, CancelledError):
                self._questions.put(_ENOUGH)
                self._questions.close()

    def _post(self, attempt: str, packed: bytes) -> None:
        if is_connected(self._client):
            with suppress(OSError, CancelledError):
                answers = _queue(f"{self.name}-{attempt}", self._client)
                answers.put(packed)
                answers.close()

    def _listen(self) -> None:
        with suppress(Exception):  # whatever it is that ends the listening: units are told so
            while is_connected(self._client) and (posted := self._posted()) != _ENOUGH:
                if posted is not None:
                    self._pass_on(*pickle.loads(posted))  # noqa: S301 -- of this very cluster
        self.is_deaf = True
        with self._lock:
            for unit in self._units.values():
                unit.heard.put(None)

    def _posted(self) -> bytes | None:
        """Return what comes in next; None if nothing came for a while, or a connection broke."""
        try:
            posted: bytes = self._questions.get(timeout=_LOOK_SECONDS)
        except TimeoutError:
            return None
        except (OSError, CancelledError):
            time.sleep(_PAUSE_SECONDS)
            return None
        return posted

    def _pass_on(self, token: str, attempt: str, number: int, question: object) -> None:
        with self._lock:
            unit = self._units.get(token)
            known = unit.asked.get(attempt) if unit else None
            if unit is not None and (known is None or known.number < number):
                unit.asked[attempt] = _Asked(number)
                unit.heard.put(Heard(attempt, question))
                return
        if unit is None:
            self._post(attempt, pickle.dumps((number, _Nobody())))
        elif known is not None and known.number == number and known.answer is not None:
            self._post(attempt, known.answer)


class Talk:
    """The other side of one unit, for one thread."""

    def __init__(
        self,
        inbox: Inbox,
        token: str,
        heard: "SimpleQueue[Heard | None]",
        has_ended: Callable[[], bool],
        patience: float,
    ) -> None:
        """Begin to hear what comes in; None there: look at once what became of the unit.

        `has_ended` tells whether the unit ended well, and raises what went wrong. `patience` is for how many seconds a
        unit that has begun may say nothing.
        """
        self._inbox = inbox
        self._token = token
        self._heard = heard
        self._has_ended = has_ended
        self._patience = patience
        self._silent_since: float | None = None

    def heard(self) -> Heard | None:
        """Return the next question, None once the unit has ended well; raises what it raised.

        AbandonedError once it has said nothing for too long.
        """
        while True:
            try:
                heard = self._heard.get(timeout=_GLANCE)
            except Empty:
                heard = None
            if heard is not None:
                self._silent_since = time.monotonic()
                return heard
            if self._has_ended():
                return None
            if self._silent_since is not None and time.monotonic() - self._silent_since > self._patience:
                raise AbandonedError

    def answer(self, attempt: str, answer: object) -> None:
        """Answer the question of an attempt; said before it asks, it is what it hears next."""
        self._inbox.answer(self._token, attempt, answer)
        self._silent_since = time.monotonic()

    def close(self) -> None:
        """Hear no more."""
        self._inbox.closed(self._token)
