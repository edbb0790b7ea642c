"""The straight way of bytes from the sources to the target: asked for, taken in and sealed, sent and proven.

Three hands, each with one thing to do. Who places slices, in the caller's thread, asks for their bytes, many reads side
by side, as long as few enough are unproven (`migrate/unproven.py`). One thread takes them in, in order, and seals them
as they come (`migrate/filling.py`). Another sends the volumes, in order: a volume is noted as sent only when those
before it are proven, so that no object ends in a volume that is safe while one of its parts is not.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

from repatria.migrate.connections import Read
from repatria.migrate.fetching import REPLY_BYTES, Fetcher
from repatria.migrate.filling import Filler, Full, Member, Outcome, Ready, Volume
from repatria.migrate.plan import Planned, Slice
from repatria.migrate.unproven import Unproven
from repatria.migrate.volumes import Volumes
from repatria.model import Object
from repatria.work.bundle_volumes import BundleVolumes

RANGES_A_VOLUME = 8
"""No read asks for more than such a part of a volume: one that is slow would hold up all that waits for its proof."""
_TOGETHER = 16
"""Small reads that are handed over at once: each handing over wakes a thread."""
_TOGETHER_BYTES = 64 << 10
_GLANCE = 0.5
"""Seconds between two turns of the caller while there is nothing to do here."""
_MEASURE_GLANCE = 0.02
"""The same while the first reads tell how much to ask for: on a disk they take milliseconds."""


class Way(Protocol):
    """What brings slices to the target: a `Line` here, or one by a cluster. For one thread."""

    def place(self, piece: Slice) -> None:
        """Put a slice into its volume."""

    def end(self, *, last: bool) -> None:
        """Say that nothing more comes, and wait until all is proven; `last`: this volume is the last of all."""

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what became of volumes and objects since it was asked last."""

    def close(self, seconds: float) -> None:
        """Wait a while for what is on its way to the target; what is not there then is settled by the next run."""


OpenWay = Callable[[BundleVolumes, Fetcher, Callable[[], bool]], Way]
"""Opens a way; the last argument as `Line` has it."""


class Line:
    """Slices in, proven volumes out; for one thread. End it, and close it in any case."""

    def __init__(self, volumes: Volumes, fetcher: Fetcher, turn: Callable[[], bool]) -> None:
        """Begin a line. `turn` is called a few times a second; it returns whether it had anything to do."""
        self._volumes = volumes
        self._fetcher = fetcher
        self._turn = turn
        self._turned = time.monotonic()
        self._unproven = Unproven(volumes.volume_size)
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._filler = Filler(
            volumes, fetcher, self._outcomes.put, lambda volume: self._unproven.proven(volume.unproven)
        )
        self._ready: SimpleQueue[Ready | None] = SimpleQueue()
        self._volume: Volume | None = None
        self._together: dict[str, list[Read]] = {}
        self._hands = ThreadPoolExecutor(2, thread_name_prefix="line")
        self._under_way = [self._hands.submit(self._fill), self._hands.submit(self._send)]

    def place(self, piece: Slice) -> None:
        """Put a slice into its volume, and ask for its bytes."""
        if piece.opens or self._volume is None:
            self._open_volume()
        volume, planned = self._open, piece.planned
        place = volume.builder.place(
            planned.object, planned.name, number=planned.number, length=piece.length, part=piece.part, start=piece.start
        )
        self._account(place.row.offset - place.headers)
        self._filler.put(Member(piece, place))
        at, most = 0, self._volumes.volume_size // RANGES_A_VOLUME
        while at < piece.length:
            length = min(self._fetcher.range_size(planned.source), most, piece.length - at)
            self._account(length + REPLY_BYTES)
            self._await_measure(planned.source, length)
            self._ask(planned, piece.start + at, place.data[at : at + length])
            at += length

    def end(self, *, last: bool) -> None:
        """Say that nothing more comes, and wait until all is proven; `last`: this volume is the last of all."""
        if self._volume is not None:
            self._filler.put(Full(last))
            self._volume = None
        self._filler.put(None)
        self._hand_over()
        while wait(self._under_way, timeout=_GLANCE, return_when=FIRST_EXCEPTION).not_done:
            self._take_turn(0.0)
        self._raise_failure()

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what became of volumes and objects since it was asked last."""
        while True:
            try:
                yield self._outcomes.get_nowait()
            except Empty:
                return

    def close(self, seconds: float) -> None:
        """Wait a while for what is on its way to the target; what is not there then is settled by the next run."""
        self._filler.put(None)
        wait(self._under_way, timeout=seconds)
        self._hands.shutdown(wait=False, cancel_futures=True)

    @property
    def _open(self) -> Volume:
        if self._volume is None:
            raise RuntimeError("no volume is under way")
        return self._volume

    def _open_volume(self) -> None:
        if self._volume is not None:
            self._filler.put(Full(last=False))
        self._volume = Volume(self._volumes.volume())
        self._filler.put(self._volume)

    def _account(self, amount: int) -> None:
        """Wait until so many more bytes may be unproven."""
        if time.monotonic() - self._turned > _GLANCE:
            self._take_turn(0.0)
        while not self._unproven.has_room(amount):
            self._take_turn()
        self._unproven.add(amount)
        self._open.unproven += amount

    def _await_measure(self, source: str, length: int) -> None:
        """Wait, with large reads, until it is known how much one should ask for."""
        while not self._fetcher.connections[source].has_use_for(length):
            self._take_turn(_MEASURE_GLANCE)

    def _ask(self, planned: Planned, start: int, into: memoryview) -> None:
        read = Read(len(into), partial(self._read, planned, start, into))
        self._filler.put(read)
        together = self._together.setdefault(planned.source, [])
        together.append(read)
        if len(together) >= _TOGETHER or len(into) >= _TOGETHER_BYTES:
            self._hand_over()

    def _hand_over(self) -> None:
        for source, reads in self._together.items():
            self._fetcher.connections[source].submit(reads)
        self._together.clear()

    def _read(self, planned: Planned, start: int, into: memoryview) -> Object:
        if planned.number in self._filler.given_up:
            return planned.object
        return self._fetcher.read_into(planned.source, planned.object, start, into)

    def _take_turn(self, seconds: float = _GLANCE) -> None:
        """Let the caller do what it has to; then wait for a proof, if there was nothing to do."""
        self._hand_over()
        self._raise_failure()
        self._turned = time.monotonic()
        if not self._turn() and seconds:
            self._unproven.wait(seconds)

    def _raise_failure(self) -> None:
        for each in self._under_way:
            if each.done():
                each.result()

    def _fill(self) -> None:
        try:
            for ready in self._filler.ready():
                self._ready.put(ready)
        finally:
            self._ready.put(None)

    def _send(self) -> None:
        while (ready := self._ready.get()) is not None:
            self._volumes.send(ready.volume)
            self._outcomes.put(ready.outcome)
            self._unproven.proven(ready.unproven)
