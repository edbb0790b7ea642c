"""Who works pages: child processes of this machine, or those of a cluster's workers."""

import atexit
import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from repatria import i18n
from repatria.ocr.engine import EngineChoice
from repatria.ocr.isolation import Children, Ending, IsolationError
from repatria.ocr.memory import SharedBytes
from repatria.ocr.page import PageTask, ReadPage
from repatria.work.cluster import Cluster, Held, WorkersLostError, open_cluster
from repatria.work.cluster_address import ClusterAddress
from repatria.work.cluster_worker import Outfit
from repatria.work.patience import Patience

Given = TypeVar("Given")
Made = TypeVar("Made")
PageFunction = Callable[[PageTask], tuple[ReadPage, ...]]
"""What is done with a page: `read_page` or `picture_page`."""
PageWork = Callable[[PageFunction, PageTask, float], tuple[ReadPage, ...]]
"""Returns `function(task)` if it takes no more than so many seconds; IsolationError if it ended what worked it."""

_PER_SLOT = 2
"""Pages at a cluster, for each that it works at once: none of its workers waits for the next one to travel."""
_ELSEWHERE = SharedBytes(0, b"")
"""Stands for the scan in a task that travels beside it."""
_lock = threading.Lock()


class PageHands(Protocol):
    """Works pages, each where it can end nothing but itself."""

    @property
    def threads(self) -> Executor:
        """Threads in which pages are waited for, as many as are worked side by side."""

    @property
    def side_by_side(self) -> int:
        """How many those are."""

    def at(self, scan: SharedBytes) -> AbstractContextManager[PageWork]:
        """Have a scan where its pages are worked; what is yielded is called in the threads."""

    def kill(self) -> None:
        """End what is under way, from another thread."""


@dataclass(frozen=True, slots=True)
class LocalHands:
    """Child processes of this machine, one for each thread that asks."""

    threads: Executor
    side_by_side: int
    children: Children

    def call(self, function: Callable[[Given], Made], unit: Given, seconds: float) -> Made:
        """Return `function(unit)` from a child of the thread that calls.

        It is another one than those that read pages: what a whole document takes does not come on top of what the
        engine holds.
        """
        return self.children.call(function, unit, seconds)

    @contextmanager
    def at(self, scan: SharedBytes) -> Iterator[PageWork]:  # noqa: ARG002 -- children read it where it is
        """Yield what works pages in the child of the thread that calls."""
        yield self.children.call

    def kill(self) -> None:
        """End every child."""
        self.children.kill()


@dataclass(frozen=True, slots=True)
class ClusterHands:
    """Child processes of a cluster's workers."""

    threads: Executor
    side_by_side: int
    cluster: Cluster

    @contextmanager
    def at(self, scan: SharedBytes) -> Iterator[PageWork]:
        """Send a scan to the cluster, for as long as its pages are worked there."""
        with self.cluster.holding(scan.read()) as held:
            yield functools.partial(self._work, held)

    def kill(self) -> None:
        """Do nothing: who waits for a page hears the stop; a worker ends its page in its own time."""

    def _work(self, held: Held, function: PageFunction, task: PageTask, seconds: float) -> tuple[ReadPage, ...]:
        unit = _Unit(function, replace(task, scan=_ELSEWHERE), seconds, i18n.language())
        try:
            return self.cluster.call(_work_here, unit, held)
        except WorkersLostError as error:
            raise IsolationError(Ending.WORKERS_LOST, str(error)) from error


@contextmanager
def local_hands(side_by_side: int) -> Iterator[LocalHands]:
    """Open child processes of this machine."""
    with ExitStack() as stack:
        children = stack.enter_context(Children())
        yield LocalHands(_threads(stack, side_by_side), side_by_side, children)


@contextmanager
def cluster_hands(address: ClusterAddress, engine: EngineChoice, patience: Patience) -> Iterator[ClusterHands]:
    """Open a cluster whose workers read as this machine does; UsageError if there is none."""
    outfit = Outfit(engine.version, functools.partial(_engine_here, engine))
    with ExitStack() as stack:
        cluster = stack.enter_context(open_cluster(address, outfit, patience))
        side_by_side = _PER_SLOT * cluster.threads
        yield ClusterHands(_threads(stack, side_by_side), side_by_side, cluster)


def _threads(stack: ExitStack, count: int) -> ThreadPoolExecutor:
    threads = ThreadPoolExecutor(count, thread_name_prefix="page")
    stack.callback(threads.shutdown, wait=True, cancel_futures=True)
    return threads


@dataclass(frozen=True, slots=True)
class _Unit:
    """A page on its way to a worker."""

    function: PageFunction
    task: PageTask
    seconds: float
    language: str


def _work_here(unit: _Unit, scan: bytes) -> tuple[ReadPage, ...]:
    """Work a page on this worker: in a child of the thread that Dask gave it."""
    shared = SharedBytes.of(scan)
    try:
        task = replace(unit.task, scan=shared, engine=unit.task.engine.here())
        return _children_here().call(_work_in_language, replace(unit, task=task), unit.seconds)
    finally:
        shared.close()


def _work_in_language(unit: _Unit) -> tuple[ReadPage, ...]:
    i18n.use(unit.language)  # a worker serves runs of several
    return unit.function(unit.task)


@functools.cache
def _made_children() -> Children:
    children = Children().__enter__()
    atexit.register(children.kill)  # they hear no SIGTERM, with which Python would end them and wait
    return children


def _children_here() -> Children:
    """Return the children of this worker; they serve every run, and end with it."""
    with _lock:
        return _made_children()


@functools.lru_cache(maxsize=8)
def _engine_here(engine: EngineChoice) -> str:
    """Return name and version of the engine as it is on this machine; UsageError if it, or a language, is missing."""
    return engine.here().version
