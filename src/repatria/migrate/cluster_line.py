"""The way of bytes by a cluster: volumes are brought by its workers, and journaled here."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from queue import Empty

from repatria import i18n
from repatria.manifest import Manifest
from repatria.migrate.dialogue import Dialogue, Shared
from repatria.migrate.errand import Site
from repatria.migrate.fetching import Fetcher
from repatria.migrate.filling import Outcome
from repatria.migrate.line import OpenWay
from repatria.migrate.plan import Slice
from repatria.work.bundle_volumes import BundleVolumes
from repatria.work.cluster import Cluster, open_cluster
from repatria.work.cluster_address import ClusterAddress
from repatria.work.cluster_worker import Outfit
from repatria.work.patience import Patience

_PER_SLOT = 2
"""Errands at a cluster for each that it works at once: a worker that has brought one finds the next."""
_MOST_VOLUMES = 16
"""Of an errand, but for one object that needs more: connections and their number are found anew for each errand."""
_ENOUGH_SLICES = 8_192
"""An errand of so many is sent, even if volumes would be wanting: each is a few hundred bytes on the way."""
_GLANCE = 0.2


def site_of(manifest: Manifest, volumes: BundleVolumes, patience: Patience) -> Site:
    """Return what workers have to know of a copy."""
    return Site(
        sources=manifest.sources,
        target=manifest.target,
        dataset=manifest.id,
        bundle=volumes.bundle_id,
        recipients=volumes.recipients,
        volume_size=volumes.volume_size,
        patience=patience.seconds,
        language=i18n.language(),
    )


@contextmanager
def cluster_way(address: ClusterAddress, manifest: Manifest, patience: Patience) -> Iterator[OpenWay]:
    """Open a cluster whose workers bring volumes; UsageError if there is none that can."""
    with open_cluster(address, Outfit("", _nothing), patience) as cluster:
        yield lambda volumes, fetcher, turn: ClusterLine(
            volumes, fetcher, turn, cluster, site_of(manifest, volumes, patience)
        )


def _nothing() -> str:
    """Tell what a worker needs beside Repatria."""
    return ""


class ClusterLine:
    """Slices in, proven volumes out, as `Line` does it; for one thread. End it, and close it in any case."""

    def __init__(
        self, volumes: BundleVolumes, fetcher: Fetcher, turn: Callable[[], bool], cluster: Cluster, site: Site
    ) -> None:
        """Begin a line. `turn` is called a few times a second; it returns whether it had anything to do."""
        self._turn = turn
        self._most = _PER_SLOT * cluster.threads
        self._shared = Shared(volumes, fetcher, cluster, site)
        self._unit: list[list[Slice]] = []
        self._slices = 0
        self._volumes_sent = 0
        self._hands = ThreadPoolExecutor(self._most, thread_name_prefix="errand")
        self._under_way: list[Future[None]] = []

    def place(self, piece: Slice) -> None:
        """Put a slice into its volume; where nothing runs over into the next one, an errand may end."""
        if piece.opens or not self._unit:
            if self._unit and piece.start == piece.planned.done and self._is_enough():
                self._send(last=False)
            self._unit.append([])
        self._unit[-1].append(piece)
        self._slices += 1

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
        self._shared.abandoned.set()
        self._hands.shutdown(wait=False, cancel_futures=True)

    def _is_enough(self) -> bool:
        """Tell whether an errand is large enough: the first ones are small, so that all workers soon have one."""
        wanted = min(_MOST_VOLUMES, 1 + self._volumes_sent // (2 * self._most))
        return len(self._unit) >= wanted or self._slices >= _ENOUGH_SLICES

    def _send(self, *, last: bool) -> None:
        unit, self._unit, self._slices = self._unit, [], 0
        while len(self._under_way) >= self._most:
            self._take_turn()
        self._volumes_sent += len(unit)
        self._under_way.append(self._hands.submit(Dialogue(self._shared, unit, last).to_the_end))

    def _take_turn(self) -> None:
        """Let the caller do what it has to; then wait for an errand, if there was nothing to do."""
        if not self._turn():
            wait(self._under_way, timeout=_GLANCE)
        for each in [each for each in self._under_way if each.done()]:
            self._under_way.remove(each)
            each.result()
