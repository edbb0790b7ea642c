"""An errand at work on a cluster's worker: the same line of bytes as at home, whose journal is elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from traceback import extract_tb
from typing import Any

from repatria import i18n
from repatria.bundle.volume import VolumeBuilder
from repatria.bundle.writer import BundleWriter
from repatria.crypt.recipient import parse_recipient
from repatria.errors import RefusedError, RepatriaError, Role
from repatria.i18n import _
from repatria.migrate.errand import Errand, MayGoOn, MayPut, News, Put, Site, Stop, WasPut, WhatToBring
from repatria.migrate.fetching import Fetcher
from repatria.migrate.line import Line
from repatria.model import Object
from repatria.progress import Silent
from repatria.source.objects import open_source
from repatria.store.registry import open_store
from repatria.work.cluster_asking import Asking
from repatria.work.cluster_post import AbandonedError
from repatria.work.pace import Throttle
from repatria.work.parts import ObjectPart
from repatria.work.patience import Patience
from repatria.work.sealed_rows import VolumeContent
from repatria.work.sending import SealedVolume, is_kept
from repatria.work.stop import Reason, StopSignal
from repatria.work.stoppable import StoppableStore
from repatria.work.volume_memory import VolumeMemory

_SECONDS_BETWEEN_NEWS = 1.0
_LAST_SECONDS = 8.0
"""How long a stop waits for a volume that is on its way to the target."""


def bring(site: Site, asking: Asking) -> None:
    """Bring what the other side says is left of an errand; raises what a source or the target refuses.

    AbandonedError if nobody answers, StoppedError once it is told to stop.
    """
    i18n.use(site.language)  # what goes wrong is said here
    with ExitStack() as stack:
        stack.enter_context(_naming(asking.worker))
        errand = asking.ask(WhatToBring())
        if not isinstance(errand, Errand) or not errand.volumes:
            return
        several = len(site.sources) > 1
        sources = [open_source(table, prefixed=several) for table in site.sources]
        for source in sources:
            stack.callback(source.close)
        place = site.target
        target = open_store(place.uri, endpoint=place.endpoint, profile=place.profile, role=Role.TARGET)
        stack.callback(target.close)
        watcher = _Watcher(asking.worker)
        patience = Patience(StopSignal(), site.patience, watcher)
        throttle = Throttle(errand.bits_per_second, patience.stop.wait)
        fetcher = Fetcher({source.name: source for source in sources}, throttle, patience, watcher, etags=errand.etags)
        stack.callback(fetcher.close)
        writer = BundleWriter(StoppableStore(target, patience.stop), site.dataset, site.bundle)
        _Bringing(site, errand, asking, fetcher, writer, watcher).to_the_end()


@contextmanager
def _naming(worker: str) -> Iterator[None]:
    """Have errors say at which worker they arose: here things may be reached that are not from there."""
    try:
        yield
    except RepatriaError as error:
        error.message = _at_worker(worker, error.message)
        error.args = (error.message,)
        raise
    except AbandonedError:
        raise
    except Exception as error:
        raise RefusedError(
            _at_worker(worker, _unforeseen(error)),
            advice=_("Copy without that machine, or without --workers; please report this as a defect."),
        ) from None


def _at_worker(worker: str, message: str) -> str:
    return _("At the Dask worker {worker}: {message}").format(worker=worker, message=message)


def _unforeseen(error: Exception) -> str:
    """Name an error that nobody foresaw by its class and its line: what it says itself may hold an object's name."""
    raised = extract_tb(error.__traceback__)[-1]
    return _("something unforeseen went wrong ({error}, {file}, line {line}).").format(
        error=type(error).__name__, file=Path(raised.filename).name, line=raised.lineno
    )


class _Watcher(Silent):
    """Keeps what is to be told, until it is."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._fetched = 0
        self._said: list[str] = []

    def advance(self, amount: int) -> None:
        """Count bytes that came."""
        with self._lock:
            self._fetched += amount

    def say(self, message: str) -> None:
        """Keep a sentence."""
        with self._lock:
            self._said.append(_at_worker(self._worker, message))

    def taken(self) -> tuple[int, tuple[str, ...]]:
        """Return bytes and sentences, and begin anew."""
        with self._lock:
            fetched, said = self._fetched, tuple(self._said)
            self._fetched, self._said = 0, []
        return fetched, said


class _Bringing:
    """Stands for the bundle in the making (`Volumes`) where its journal is not."""

    def __init__(
        self, site: Site, errand: Errand, asking: Asking, fetcher: Fetcher, writer: BundleWriter, watcher: _Watcher
    ) -> None:
        self.volume_size = site.volume_size
        self.catalogue = self
        self._errand = errand
        self._asking = asking
        self._fetcher = fetcher
        self._stop = fetcher.patience.stop
        self._writer = writer
        self._watcher = watcher
        self._memory = VolumeMemory(site.volume_size, [parse_recipient(text) for text in site.recipients])
        self._places = iter([place for place, _slices in errand.volumes])
        self._parts = {part.path: part for part in errand.parts}
        self._given_up: list[int] = []
        self._lock = threading.Lock()
        self._turns = threading.Lock()
        """Held from the gathering of news until they are told: what a volume is held against must be known before."""
        self._told = time.monotonic()
        self._line = Line(self, fetcher, self._turn)

    def to_the_end(self) -> None:
        """Bring every volume of the errand."""
        line = self._line
        try:
            for _place, slices in self._errand.volumes:
                for at, piece in enumerate(slices):
                    line.place(replace(piece, opens=at == 0))
            line.end(last=self._errand.last)
            self._ask(lambda: MayGoOn(self._news()))
        except BaseException:
            self._stop.request(Reason.FAILURE)
            raise
        finally:
            line.close(_LAST_SECONDS)

    def fingerprint(self, told: Object) -> bytes:  # noqa: ARG002 -- whoever keeps the journal fills it in
        """Return nothing: the key of fingerprints stays with the journal."""
        return b""

    def volume(self) -> VolumeBuilder:
        """Return an empty volume that bears its place in the errand for a number."""
        return self._memory.volume(next(self._places))

    def seal(
        self, volume: VolumeBuilder, content: VolumeContent, *, last: bool = False, part: ObjectPart | None = None
    ) -> SealedVolume:
        """Seal a volume."""
        return self._memory.seal(volume, content, last=last, part=part)

    def send(self, volume: SealedVolume) -> int:
        """Ask for the volume's number, put it and read it back, under as many numbers as it takes."""
        number, sealed = volume.facts.row.number, volume.sealed
        answer = self._ask(lambda: MayPut(self._news(), volume.facts))
        while isinstance(answer, Put):
            number = answer.number
            kept = is_kept(self._writer, self._fetcher.patience, number, sealed)
            answer = self._ask(partial(WasPut, kept))
        self._memory.sent(volume)
        return number

    def drop(self, volume: VolumeBuilder) -> None:
        """Do nothing: it has no number yet."""

    def forget(self, number: int) -> None:
        """Note that an object is given up, for the next news."""
        with self._lock:
            self._given_up.append(number)

    def part_of(self, path: str, fingerprint: bytes) -> ObjectPart | None:  # noqa: ARG002 -- that was compared before
        """Return how far an object had come before this errand."""
        return self._parts.get(path)

    def _turn(self) -> bool:
        if time.monotonic() - self._told > _SECONDS_BETWEEN_NEWS:
            self._ask(lambda: MayGoOn(self._news()))
        self._stop.raise_if_requested()
        return False

    def _news(self) -> News:
        fetched, said = self._watcher.taken()
        with self._lock:
            given_up, self._given_up = tuple(self._given_up), []
        return News(self._asking.worker, fetched, given_up, said, self._fetcher.etags.copy())

    def _ask(self, question: Callable[[], object]) -> Any:
        with self._turns:
            answer = self._asking.ask(question())
        self._told = time.monotonic()
        if isinstance(answer, Stop):
            self._stop.request(Reason.SIGNAL)
            self._stop.raise_if_requested()
        if not isinstance(answer, Put):
            self._fetcher.throttle.bits_per_second = answer.bits_per_second
        return answer
