"""The way of bytes by a cluster: volumes are brought by its workers, and journaled here."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue

from repatria import i18n
from repatria.crypt.sealing import Sealed
from repatria.errors import StoppedError
from repatria.i18n import _
from repatria.manifest import Manifest
from repatria.migrate.cluster_unit import bring
from repatria.migrate.errand import Errand, GoOn, IsThereMore, MayPut, News, Put, Site, Stop, WasPut, WhatToBring
from repatria.migrate.fetching import Fetcher
from repatria.migrate.filling import Outcome
from repatria.migrate.line import OpenWay
from repatria.migrate.plan import Slice
from repatria.work.bundling import BundleRun, ObjectPart
from repatria.work.cluster import Cluster, WorkersLostError, open_cluster
from repatria.work.cluster_address import ClusterAddress
from repatria.work.cluster_talk import AbandonedError, Heard, Talk
from repatria.work.cluster_worker import Outfit
from repatria.work.patience import Patience
from repatria.work.sending import GoneError
from repatria.work.stop import Reason

_PER_SLOT = 2
"""Errands at a cluster for each that it works at once: a worker that has brought one finds the next."""
_TRIES = 3
"""How often an errand is sent whose worker heard nothing more from here, in a row without a volume."""
_GLANCE = 0.2


def site_of(manifest: Manifest, run: BundleRun, patience: Patience) -> Site:
    """Return what workers have to know of a copy."""
    return Site(
        sources=manifest.sources,
        target=manifest.target,
        dataset=manifest.id,
        bundle=run.bundle_id,
        recipients=run.recipients,
        volume_size=run.volume_size,
        patience=patience.seconds,
        language=i18n.language(),
    )


@contextmanager
def cluster_way(address: ClusterAddress, manifest: Manifest, patience: Patience) -> Iterator[OpenWay]:
    """Open a cluster whose workers bring volumes; UsageError if there is none that can."""
    with open_cluster(address, Outfit("", _nothing), patience) as cluster:
        yield lambda run, fetcher, turn: ClusterLine(run, fetcher, turn, cluster, site_of(manifest, run, patience))


def _nothing() -> str:
    """Tell what a worker needs beside Repatria."""
    return ""


class ClusterLine:
    """Slices in, proven volumes out, as `Line` does it; for one thread. End it, and close it in any case."""

    def __init__(
        self, run: BundleRun, fetcher: Fetcher, turn: Callable[[], bool], cluster: Cluster, site: Site
    ) -> None:
        """Begin a line. `turn` is called a few times a second; it returns whether it had anything to do."""
        self._turn = turn
        self._most = _PER_SLOT * cluster.threads
        self._shared = _Shared(run, fetcher, cluster, site)
        self._unit: list[list[Slice]] = []
        self._hands = ThreadPoolExecutor(self._most, thread_name_prefix="errand")
        self._under_way: list[Future[None]] = []

    def place(self, piece: Slice) -> None:
        """Put a slice into its volume; an errand is whole when nothing runs over into the next volume."""
        if piece.opens or not self._unit:
            if self._unit and piece.start == piece.planned.done:
                self._send(last=False)
            self._unit.append([])
        self._unit[-1].append(piece)

    def end(self, *, last: bool) -> None:
        """Say that nothing more comes, and wait until all is proven; `last`: this volume is the last of all."""
        if self._unit:
            self._send(last=last)
        while self._under_way:
            self._take_turn()

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what became of volumes and objects since it was asked last."""
        while True:
            try:
                yield self._shared.outcomes.get_nowait()
            except Empty:
                return

    def close(self, seconds: float) -> None:
        """Wait a while for what workers have under way; what is not at the target then is settled by the next run."""
        wait(self._under_way, timeout=seconds)
        self._hands.shutdown(wait=False, cancel_futures=True)

    def _send(self, *, last: bool) -> None:
        unit, self._unit = self._unit, []
        while len(self._under_way) >= self._most:
            self._take_turn()
        self._under_way.append(self._hands.submit(_Dialogue(self._shared, unit, last).to_the_end))

    def _take_turn(self) -> None:
        """Let the caller do what it has to; then wait for an errand, if there was nothing to do."""
        if not self._turn():
            wait(self._under_way, timeout=_GLANCE)
        for each in [each for each in self._under_way if each.done()]:
            self._under_way.remove(each)
            each.result()


@dataclass(slots=True)
class _Shared:
    """What all errands of a copy share."""

    run: BundleRun
    fetcher: Fetcher
    cluster: Cluster
    site: Site
    outcomes: SimpleQueue[Outcome] = field(default_factory=SimpleQueue)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _at_work: int = 0

    def begins(self, change: int) -> None:
        """Count an errand in whose worker reads, or out."""
        with self._lock:
            self._at_work += change

    @property
    def share(self) -> int | None:
        """What one errand may take of the bandwidth, in bits a second."""
        rate = self.fetcher.throttle.bits_per_second
        return None if rate is None else max(1, rate // max(1, self._at_work))


class _Dialogue:
    """One errand, seen from here; for one thread."""

    def __init__(self, shared: _Shared, volumes: list[list[Slice]], last: bool) -> None:
        self._shared = shared
        self._run = shared.run
        self._stop = shared.fetcher.patience.stop
        self._volumes = volumes
        self._last = last
        self._proven = 0
        """How many of the volumes need no more be brought."""
        self._given_up: set[int] = set()
        self._attempt = ""
        self._pending: Heard | None = None
        """What was heard out of turn: another attempt began."""

    def to_the_end(self) -> None:
        """Have the volumes brought, whatever happens to workers; StoppedError (8) if none can."""
        tries, before = 0, -1
        while self._left().volumes:
            tries, before = (tries + 1 if before == self._proven else 1), self._proven
            if tries > _TRIES:
                raise self._ended(_("The workers of the cluster hear nothing from here."))
            try:
                self._talk_over()
            except AbandonedError:
                continue
            except WorkersLostError as error:
                raise self._ended(_("Worker after worker of the cluster ended at the same volumes.")) from error
            except StoppedError as error:
                self._stop.request(Reason.LINK, error)  # unless there is a reason: its own patience was over
                raise

    def _talk_over(self) -> None:
        with self._shared.cluster.talking(bring, self._shared.site) as talk:
            try:
                while (heard := self._heard(talk)) is not None:
                    self._take(talk, heard)
            finally:
                if self._attempt:
                    self._shared.begins(-1)
                    with suppress(OSError, CancelledError):
                        talk.answer(self._attempt, Stop())  # should it still be at work, it hears that first
                    self._attempt = ""

    def _heard(self, talk: Talk) -> Heard | None:
        heard, self._pending = self._pending, None
        return heard or talk.heard()

    def _take(self, talk: Talk, heard: Heard) -> None:
        match heard.question:
            case WhatToBring():
                self._shared.begins(0 if self._attempt else 1)
                self._attempt = heard.attempt
                talk.answer(heard.attempt, self._left())
            case _ if heard.attempt != self._attempt or self._stop.requested:
                talk.answer(heard.attempt, Stop())
            case IsThereMore(news):
                self._note(news)
                talk.answer(heard.attempt, GoOn(self._shared.share))
            case MayPut():
                self._store(talk, heard.question)

    def _left(self) -> Errand:
        """Return what is not proven yet, without the objects that were given up."""
        left = [
            (place, tuple(piece for piece in slices if piece.planned.number not in self._given_up))
            for place, slices in enumerate(self._volumes)
            if place >= self._proven
        ]
        volumes = tuple((place, slices) for place, slices in left if slices)
        first = volumes[0][1][0] if volumes else None
        return Errand(volumes, self._part_before(first), self._last, self._shared.share)

    def _part_before(self, first: Slice | None) -> ObjectPart | None:
        if first is None or not first.start:
            return None
        told = first.planned.object
        return self._run.part_of(told.path, self._run.catalogue.fingerprint(told))

    def _note(self, news: News) -> None:
        self._shared.fetcher.progress.advance(news.fetched)
        for number in news.given_up:
            self._given_up.add(number)
            self._run.forget(number)
        for outcome in news.outcomes:
            self._shared.outcomes.put(outcome)

    def _store(self, talk: Talk, sealed: MayPut) -> None:
        """Journal a volume that a worker has sealed, have it put, and note it as proven."""
        self._note(sealed.news)
        part = sealed.part
        if part is not None:
            running = self._volumes[sealed.place][-1].planned.object
            part = replace(part, fingerprint=self._run.catalogue.fingerprint(running))
        file = Sealed(
            memoryview(b""),
            sealed.head_sha256,
            sealed.payload_sha256,
            sealed.payload_size,
            sealed.sha256,
            size=sealed.size,
        )
        volume = self._run.sealed_elsewhere(file, sealed.content, part)
        try:
            self._run.send(volume, lambda number: self._is_put(talk, number))
        except GoneError:
            return  # what asks next is another attempt
        self._proven = sealed.place + 1
        content = sealed.content
        size = sum(member.length for member in content.members)
        self._shared.outcomes.put(Outcome(len(content.objects), size, volumes=1))
        talk.answer(self._attempt, GoOn(self._shared.share))

    def _is_put(self, talk: Talk, number: int) -> bool:
        """Have the worker put its volume under a number; return whether the target kept it, GoneError if it is gone."""
        attempt = self._attempt
        talk.answer(attempt, Put(number))
        while True:
            try:
                heard = talk.heard()
            except AbandonedError as error:
                raise GoneError from error
            if heard is None:
                raise GoneError
            match heard.question:
                case WasPut(kept) if heard.attempt == attempt:
                    return kept
                case IsThereMore(news) if heard.attempt == attempt:
                    self._note(news)
                    talk.answer(attempt, Stop() if self._stop.requested else GoOn(self._shared.share))
                case WhatToBring():
                    self._pending = heard
                    raise GoneError
                case _:
                    talk.answer(heard.attempt, Stop())

    def _ended(self, reason: str) -> StoppedError:
        error = StoppedError(reason, advice=_("Run the same command again once the cluster is whole."))
        self._stop.request(Reason.LINK, error)
        return self._stop.error()
