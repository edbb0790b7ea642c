"""The side of a talk that runs the command: it hears what units of work ask while they are at work, and answers.

Should a worker die, Dask runs its unit again elsewhere, and what it asks then is another attempt's. What is heard twice
is answered as it was the first time, since a connection that breaks may take an answer with it (`cluster_asking`).
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
from typing import TYPE_CHECKING, Any

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
    from distributed import Client

_GLANCE = 0.5
"""Seconds between two looks at what became of a unit that asks nothing."""
_ENOUGH = b""
"""What ends the listening."""


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
        self._questions = queue_of_questions(self.name, client)
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
                packed = pickle.dumps((UNASKED, answer))
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
                answers = queue_of_answers(self.name, attempt, self._client)
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
            posted: bytes = self._questions.get(timeout=LOOK_SECONDS)
        except TimeoutError:
            return None
        except (OSError, CancelledError):
            time.sleep(PAUSE_SECONDS)
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
            self._post(attempt, pickle.dumps((number, Nobody())))
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
