"""Work on untrusted bytes in a child process under limits of time and memory.

Decoders crash, hang and exhaust memory on hostile or broken files. `concurrent.futures.ProcessPoolExecutor` loses every
unit under way when one child dies and cannot end a child that hangs; here each thread of an ordinary thread pool has a
child of its own, and what ends the child costs the unit it worked on, by name, and nothing else.
"""

import contextlib
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any, Self, TypeVar

from repatria import i18n
from repatria.errors import RepatriaError

Given = TypeVar("Given")
Made = TypeVar("Made")

DEFAULT_SECONDS = 180.0
DEFAULT_MEMORY = min(4 << 30, max(1 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2))
"""Of address space: enough for the largest page that is read (`picture.MAX_PIXELS`, in colour)."""
_GRACE_SECONDS = 30.0
_PRELOADED = ["PIL.Image", "numpy", "pypdfium2", "pypdf", "repatria.ocr.page", "repatria.ocr.document"]


class Ending(StrEnum):
    """How a child failed at its unit."""

    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    RAISED = "raised"
    WORKERS_LOST = "workers lost"
    """On a cluster: whole workers, one after another."""


class IsolationError(Exception):
    """A unit could not be worked; `reason` holds no values of the unit, only what kind of failure it was."""

    def __init__(self, ending: Ending, reason: str) -> None:
        super().__init__(f"{ending}: {reason}")
        self.ending = ending
        self.reason = reason

    def __reduce__(self) -> tuple[type["IsolationError"], tuple[Ending, str]]:
        return type(self), (self.ending, self.reason)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one unit may use."""

    seconds: float = DEFAULT_SECONDS
    memory: int = DEFAULT_MEMORY
    """Bytes of address space."""


@dataclass(slots=True)
class Child:
    """One process that works one unit after another; made again after each that ended it."""

    limits: Limits
    _process: ForkServerProcess | None = None
    _pipe: Connection | None = None
    _over: bool = False

    def call(self, function: Callable[[Given], Made], unit: Given, seconds: float | None = None) -> Made:
        """Return `function(unit)` as the child gives it.

        `function` is importable by name; unit and result can be pickled. Raises IsolationError when the child failed,
        and whatever RepatriaError the function itself raised.
        """
        pipe = self._started()
        seconds = seconds or self.limits.seconds
        try:
            pipe.send((function, unit, seconds))
            answered = pipe.poll(seconds)
            outcome = pipe.recv() if answered else None
        except (EOFError, OSError) as error:
            process = self._process
            self.stop()
            number = process.exitcode if process else None
            raise IsolationError(Ending.CRASHED, _ending_name(number)) from error
        if outcome is None:
            self.stop()
            raise IsolationError(Ending.TIMED_OUT, f"{seconds:.0f} s")
        made: Made = _unpacked(outcome)
        return made

    def kill(self) -> None:
        """End the process from another thread than the one that calls, for good."""
        self._over = True
        process = self._process
        if process is not None:
            with contextlib.suppress(ValueError):  # just closed by its own thread
                process.kill()

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._pipe = self._process = None

    def _started(self) -> Connection:
        if self._pipe is None or self._process is None or not self._process.is_alive():
            self.stop()
            context = multiprocessing.get_context("forkserver")
            self._pipe, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self.limits.memory, i18n.language()), daemon=True)
            process.start()
            theirs.close()
            self._process = process
        if self._over:
            self.stop()
            raise IsolationError(Ending.CRASHED, "killed")
        return self._pipe


@dataclass(slots=True)
class Children:
    """A child for each thread that asks; for use as the work of a thread pool's units."""

    limits: Limits = field(default_factory=Limits)
    _mine: threading.local = field(default_factory=threading.local)
    _all: list[Child] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, function: Callable[[Given], Made], unit: Given, seconds: float | None = None) -> Made:
        """Return `function(unit)` from the child of the thread that calls; see `Child.call`."""
        child: Child | None = getattr(self._mine, "child", None)
        if child is None:
            child = self._mine.child = Child(self.limits)
            with self._lock:
                self._all.append(child)
        return child.call(function, unit, seconds)

    def kill(self) -> None:
        """End every child, whatever it is doing: the call under way raises IsolationError."""
        with self._lock:
            for child in self._all:
                child.kill()

    def close(self) -> None:
        """End every child; nothing may be under way."""
        with self._lock:
            for child in self._all:
                child.stop()
            self._all.clear()

    def __enter__(self) -> Self:
        preload()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def preload() -> None:
    """Start the server of children, which loads the libraries once; must precede the first child.

    It and its children hear no SIGTERM or SIGHUP: a closed terminal or systemd sends them to all processes of a run,
    and it is for the parent to end in order. They end when the parent does.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(_PRELOADED)
    resource_tracker.ensure_running()  # the server starts it, too, and it would let signals through again
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def _serve(pipe: Connection, memory: int, language: str) -> None:
    i18n.use(language)  # what is wrong with a page is said here
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the parent decides what an interruption stops
    _be_silent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would be pages in clear on a disk
    with contextlib.suppress(ValueError, OSError):  # macOS knows no limit of address space
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    with contextlib.suppress(EOFError, OSError):
        for function, unit, seconds in iter(pipe.recv, None):
            # The parent ends a child that hangs; should the parent be gone, the alarm does.
            signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)
            outcome = _outcome(function, unit)
            signal.setitimer(signal.ITIMER_REAL, 0)
            pipe.send(outcome)


def _be_silent() -> None:
    """Let decoders complain to nobody: stdout and stderr have rules, and what they complain of may hold names."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _outcome(function: Callable[[Any], Any], unit: Any) -> tuple[str, Any]:
    try:
        return "made", function(unit)
    except RepatriaError as error:
        return "refused", error
    except MemoryError:
        return Ending.OUT_OF_MEMORY, ""
    except Exception as error:  # whatever a decoder raises is this unit's failure, never the batch's
        return Ending.RAISED, f"{type(error).__name__}: {error}"[:200]


def _unpacked(outcome: tuple[str, Any]) -> Any:
    kind, value = outcome
    if kind == "made":
        return value
    if kind == "refused":
        raise value
    raise IsolationError(Ending(kind), value)


def _ending_name(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-exitcode).name
    return str(exitcode)
