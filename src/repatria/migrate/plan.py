"""Cutting objects into volumes, and the arithmetic of nights: pure; the same input gives the same plan."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from repatria.bundle.volume import CUT_ABOVE, END, largest_part, member_overhead, member_span, payload_size
from repatria.model import Object, ObjectKind
from repatria.work.pace import Window

MOST_WASTE = 1 / 32
"""How much of a unit may stay empty when it ends before an object that could be cut."""
SMALLEST_PART = 64 << 10
"""Bytes of an object that are not worth a member of their own, unless they are its last."""
LINK_EFFICIENCY = 0.8
"""What is left of a link's nominal rate after protocols, other users and retries."""
_INDEX_BYTES_PER_OBJECT = 450
_AGE_OVERHEAD = 1 / 4096
"""A 16-byte tag for each 64 KiB."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An object that is to be copied, with what it is called in the bundle."""

    object: Object
    number: int
    name: str
    """Its member name, without the suffix of a part."""
    source: str = ""
    """The name of the source that it is read from."""
    done: int = 0
    """Bytes that earlier volumes of this bundle hold already."""
    parts: int = 0
    """How many parts those are."""
    again: bool = False
    """Whether it changed while it was copied, and this is the second try."""

    @property
    def length(self) -> int:
        """Data bytes of the whole object in a volume."""
        return self.object.size if self.object.kind is ObjectKind.FILE else 0


@dataclass(frozen=True, slots=True)
class Slice:
    """What goes into one member."""

    planned: Planned
    start: int
    length: int
    part: int
    """0: the whole object; else the number of the part."""

    @property
    def ends_object(self) -> bool:
        """Whether the object is complete with this slice."""
        return self.start + self.length == self.planned.length

    @property
    def span(self) -> int:
        """Bytes that its member takes in a volume."""
        return member_span(self.planned.object, self.planned.name, self.length, self.part)


@dataclass(slots=True)
class Unit:
    """Volumes that one worker fills in order, because objects run from one into the next."""

    volumes: list[list[Slice]] = field(default_factory=list)
    last: bool = False
    """Whether its last volume is the last of all: that one is padded to less than the volume size."""

    @property
    def bytes(self) -> int:
        """Data bytes of all its slices."""
        return sum(piece.length for volume in self.volumes for piece in volume)


def cut(objects: Iterable[Planned], capacity: int) -> Iterator[Unit]:
    """Cut a stream of objects into units of volumes with `capacity` bytes of payload; greedy, in their order.

    A volume is filled until the next object does not fit. That object is cut if it is large enough to be cut and too
    much would stay empty otherwise; the unit goes on with its next part. Else the unit ends, so that units stay short.
    """
    cutter = _Cutter(capacity)
    waiting: Unit | None = None
    for planned in objects:
        for unit in cutter.add(planned):
            if waiting is not None:
                yield waiting
            waiting = unit
    if cutter.unit.volumes:
        if waiting is not None:
            yield waiting
        waiting = cutter.unit
    if waiting is not None:
        waiting.last = True
        yield waiting


class _Cutter:
    """The unit being filled."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.unit = Unit()
        self.room = 0

    def add(self, planned: Planned) -> Iterator[Unit]:
        """Place an object; yield a unit that ended before it."""
        part = planned.parts + 1 if planned.parts else 0
        rest = Slice(planned, planned.done, planned.length - planned.done, part)
        span = rest.span
        if span > self.room and self.unit.volumes and not self._is_worth_filling(planned, span):
            yield self.unit
            self.unit, self.room = Unit(), 0
        if span <= self.room or (not self.unit.volumes and span <= self.capacity - END):
            self._place(rest, span)
        else:
            self._place_parts(planned)

    def _is_worth_filling(self, planned: Planned, span: int) -> bool:
        """Return whether an object that does not fit goes into this unit in parts."""
        if span > self.capacity - END:
            return True
        if planned.length <= CUT_ABOVE:
            return False
        return self.room > MOST_WASTE * self.capacity * len(self.unit.volumes)

    def _place(self, piece: Slice, span: int) -> None:
        if span > self.room:
            self._begin_volume()
        self.unit.volumes[-1].append(piece)
        self.room -= span

    def _place_parts(self, planned: Planned) -> None:
        start, part = planned.done, planned.parts + 1
        while start < planned.length:
            piece = Slice(planned, start, planned.length - start, part)
            if piece.span > self.room:
                piece = Slice(planned, start, self._part_in(self.room, planned, part), part)
            if piece.length < min(SMALLEST_PART, planned.length - start):
                self._begin_volume()
                continue
            self._place(piece, piece.span)
            start, part = start + piece.length, part + 1

    def _begin_volume(self) -> None:
        self.unit.volumes.append([])
        self.room = self.capacity - END

    def _part_in(self, room: int, planned: Planned, part: int) -> int:
        """Return the length of a part that is not the last in `room`; 0 if there is none."""
        return largest_part(room, member_overhead(planned.object, planned.name, part, self.capacity))


@dataclass(slots=True)
class Estimate:
    """What a copy will need."""

    objects: int = 0
    bytes: int = 0
    """To be read at the source."""
    volumes: int = 0
    payload_bytes: int = 0
    """Of all volumes, padded."""

    @property
    def target_bytes(self) -> int:
        """Space that the bundle needs at the target."""
        return int(self.payload_bytes * (1 + _AGE_OVERHEAD)) + self.objects * _INDEX_BYTES_PER_OBJECT


def estimate(units: Iterable[Unit], capacity: int) -> Estimate:
    """Add up what units amount to."""
    total = Estimate()
    for unit in units:
        for number, volume in enumerate(unit.volumes, 1):
            total.volumes += 1
            used = sum(piece.span for piece in volume)
            total.payload_bytes += payload_size(used, capacity, last=unit.last and number == len(unit.volumes))
            total.objects += sum(piece.ends_object for piece in volume)
        total.bytes += unit.bytes
    return total


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long bytes take over a link, in the hours of a window."""

    ends: datetime
    transfer: timedelta
    """Time in which bytes flow."""
    nights: int
    """In how many open times of the window; 1 if it is always open."""


def schedule(size: int, bits_per_second: int, window: Window, now: datetime) -> Schedule:
    """Return when `size` bytes are over a link of a nominal rate, begun `now` or when the window opens next."""
    needed = timedelta(seconds=size * 8 / (bits_per_second * LINK_EFFICIENCY))
    left = needed
    for nights, stretch in enumerate(window.stretches(now), 1):
        begun = max(stretch.opens, now)
        if left <= stretch.closes - begun:
            return Schedule(begun + left, needed, nights)
        left -= stretch.closes - begun
    return Schedule(now + needed, needed, 1)
