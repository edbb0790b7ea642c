"""Cutting objects into volumes, and the arithmetic of nights: pure; the same input gives the same plan."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from repatria.bundle.volume import (
    CUT_ABOVE,
    END,
    MOST_MEMBERS,
    SMALLEST_VOLUME,
    largest_part,
    member_overhead,
    member_span,
    payload_size,
)
from repatria.model import Object, ObjectKind
from repatria.work.pace import Window

MOST_WASTE = 1 / 32
"""How much of the volumes since the last one that stands alone may stay empty before an object that could be cut."""
_LOOKED_AT = int(2 / MOST_WASTE)
"""Volumes of one object from which their number is reckoned."""
SMALLEST_CUT = SMALLEST_VOLUME // 2
"""An object of fewer bytes goes whole into any volume, whatever size these had in an earlier run of the bundle."""
SMALLEST_PART = 64 << 10
"""Bytes of an object that are not worth a member of their own, unless they are its last."""
LINK_EFFICIENCY = 0.8
"""What is left of a link's nominal rate after protocols, other users and retries."""
_INDEX_BYTES = 200
"""Of an object's rows, beside its path, which stands there twice."""
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
    """Whether it changed while it was copied, came damaged or did not come, and this is the second try."""

    @property
    def length(self) -> int:
        """Data bytes of the whole object in a volume."""
        return self.object.size if self.object.kind is ObjectKind.FILE else 0


@dataclass(slots=True)  # not frozen: one is made for each of millions of objects, and freezing costs half of the making
class Slice:
    """What goes into one member."""

    planned: Planned
    start: int
    length: int
    part: int
    """0: the whole object; else the number of the part."""
    opens: bool = False
    """Whether a volume begins with it."""

    @property
    def ends_object(self) -> bool:
        """Whether the object is complete with this slice."""
        return self.start + self.length == self.planned.length

    @property
    def span(self) -> int:
        """Bytes that its member takes in a volume."""
        return member_span(self.planned.object, self.planned.name, self.length, self.part)


def cut(
    objects: Iterable[Planned], capacity: int, is_given_up: Callable[[int], bool] = lambda _number: False
) -> Iterator[Slice]:
    """Cut a stream of objects into volumes with `capacity` bytes of payload; greedy, in their order.

    A volume is filled until the next object does not fit. That object is cut if it is large enough to be cut and too
    much would stay empty otherwise. Else the volume ends, and the next one begins with a whole object.

    No more parts are cut of an object once its number is given up: a listing may tell of sizes that cannot be.
    """
    cutter = _Cutter(capacity, is_given_up)
    for planned in objects:
        yield from cutter.add(planned)


def volume_count(objects: Iterable[Planned], capacity: int) -> int:
    """Return into how many volumes `cut` puts objects, but for the odd header of a name that a tar cannot hold.

    It takes as long for a huge object as for a large one: volumes that hold nothing but a part of it are reckoned.
    """
    cutter, count = _Cutter(capacity), 0
    for planned in objects:
        volumes, length = _filled_by(planned, capacity)
        if volumes:
            shorter = replace(planned.object, size=planned.object.size - length)
            count += volumes + sum(piece.opens for piece in cutter.add(replace(planned, object=shorter)))
        else:
            count += sum(piece.opens for piece in cutter.add(planned))
    return count


def _filled_by(planned: Planned, capacity: int) -> tuple[int, int]:
    """Return how many volumes in the middle of a huge object need no looking at, and how many of its bytes they hold.

    So many are left that nothing which follows is cut otherwise (MOST_WASTE).
    """
    left = planned.length - planned.done
    if left <= _LOOKED_AT * capacity:
        return 0, 0
    part = largest_part(capacity - END, member_overhead(planned.object, planned.name, planned.parts + 2, capacity))
    volumes = left // part - _LOOKED_AT if part else 0
    return volumes, volumes * part


class _Cutter:
    """The volume being filled."""

    def __init__(self, capacity: int, is_given_up: Callable[[int], bool] = lambda _number: False) -> None:
        self.capacity = capacity
        self._is_given_up = is_given_up
        self.room = 0
        self.joined = 0
        """Volumes up to this one that objects run through."""
        self.members = 0
        self._opens = False

    def add(self, planned: Planned) -> Iterator[Slice]:
        """Place an object, whole or in parts."""
        part = planned.parts + 1 if planned.parts else 0
        rest = Slice(planned, planned.done, planned.length - planned.done, part)
        span = rest.span
        if span > self.room and self.joined and not self._is_worth_filling(planned, span):
            self.joined = self.room = 0
        if span <= self.room or (not self.joined and span <= self.capacity - END):
            yield self._placed(rest, span)
        else:
            yield from self._parts(planned)

    def _is_worth_filling(self, planned: Planned, span: int) -> bool:
        """Return whether an object that does not fit goes into this volume in parts."""
        if span > self.capacity - END:
            return True
        if planned.length <= CUT_ABOVE:
            return False
        return self.room > MOST_WASTE * self.capacity * self.joined

    def _placed(self, piece: Slice, span: int) -> Slice:
        if span > self.room:
            self._begin_volume()
        opens, self._opens = self._opens, False
        self.members += 1
        self.room = self.room - span if self.members < MOST_MEMBERS else 0
        piece.opens = opens
        return piece

    def _parts(self, planned: Planned) -> Iterator[Slice]:
        start, part = planned.done, planned.parts + 1
        while start < planned.length and not self._is_given_up(planned.number):
            piece = Slice(planned, start, planned.length - start, part)
            if piece.span > self.room:
                piece = Slice(planned, start, self._part_in(self.room, planned, part), part)
            if piece.length < min(SMALLEST_PART, planned.length - start):
                self._begin_volume()
                continue
            yield self._placed(piece, piece.span)
            start, part = start + piece.length, part + 1

    def _begin_volume(self) -> None:
        self.joined += 1
        self.members = 0
        self.room = self.capacity - END
        self._opens = True

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
    index_bytes: int = 0
    """Of all indexes, about."""

    @property
    def target_bytes(self) -> int:
        """Space that the bundle needs at the target."""
        return int((self.payload_bytes + self.index_bytes) * (1 + _AGE_OVERHEAD))


def estimate(slices: Iterable[Slice], capacity: int) -> Estimate:
    """Add up what slices, as `cut` gives them, amount to."""
    total, used, members = Estimate(), 0, 0
    for piece in slices:
        if piece.opens:
            if total.volumes:
                total.payload_bytes += payload_size(used, capacity, members=members)
            total.volumes += 1
            used = members = 0
        used += piece.span
        members += 1
        total.bytes += piece.length
        if piece.ends_object:
            total.objects += 1
            total.index_bytes += _INDEX_BYTES + 2 * len(piece.planned.object.path)
    if total.volumes:
        total.payload_bytes += payload_size(used, capacity, last=True)
    return total


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long bytes take over a link, in the hours of a window."""

    ends: datetime
    transfer: timedelta
    """Time in which bytes flow."""
    nights: int
    """In how many open times of the window; 1 if it is always open."""


def schedule(
    size: int, bits_per_second: float, window: Window, now: datetime, *, efficiency: float = LINK_EFFICIENCY
) -> Schedule:
    """Return when `size` bytes are over a link, begun `now` or when the window opens next.

    The rate is a nominal one, of which objects get the part `efficiency`; 1 for a rate that was measured.
    """
    needed = timedelta(seconds=size * 8 / (bits_per_second * efficiency))
    left = needed
    for nights, stretch in enumerate(window.stretches(now), 1):
        begun = max(stretch.opens, now)
        if left <= stretch.closes - begun:
            return Schedule(begun + left, needed, nights)
        left -= stretch.closes - begun
    return Schedule(now + needed, needed, 1)
