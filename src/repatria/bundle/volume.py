"""A volume in the making: a tar in memory, filled member by member; and the arithmetic that plans one.

Plaintext stays in one piece of memory, from which `repatria.crypt.sealing` makes the age file, the beginning already
while the rest still comes.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from repatria.bundle import tar
from repatria.bundle.names import part_name
from repatria.bundle.part_comment import part_comment
from repatria.bundle.rows import MemberRow, path_bytes
from repatria.crypt.derive import NONCE_SIZE
from repatria.crypt.header import MAX_HEADER_SIZE
from repatria.crypt.payload import sealed_size
from repatria.crypt.sealing import Sealed, Sealing
from repatria.memory import fresh
from repatria.model import Object, ObjectKind

CUT_ABOVE = 1 << 20
"""Only objects of more bytes are cut into parts."""
END = len(tar.END_MARKER)
"""Bytes of every volume that no member may use."""
MOST_MEMBERS = 32_768
"""A volume of so many is full, whatever its bytes: their rows have to fit into memory, and into an index."""
DEFAULT_VOLUME_SIZE = 64 << 20
SMALLEST_VOLUME = 1 << 20
LARGEST_VOLUME = 1 << 30
LARGEST_FILE = MAX_HEADER_SIZE + NONCE_SIZE + sealed_size(LARGEST_VOLUME)
"""Bytes that the age file of a volume can have."""
VOLUME_GRAIN = 64 << 10
SEALED_FROM = 1 << 20
"""Bytes that are sealed at a time, at least: fewer are not worth waking other threads."""

_TYPES = {ObjectKind.FILE: tar.FILE, ObjectKind.SYMLINK: tar.SYMLINK, ObjectKind.DIRECTORY: tar.DIRECTORY}


def padme(length: int) -> int:
    """Return the length that Padmé pads `length` to (https://arxiv.org/abs/1806.03160, algorithm 1)."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    mantissa = exponent.bit_length()
    mask = (1 << (exponent - mantissa)) - 1
    return (length + mask) & ~mask


def payload_size(used: int, capacity: int, *, last: bool = False, members: int = 0) -> int:
    """Return the size of a volume's payload whose members take `used` bytes.

    Only a bundle's last may be smaller than the volume size, and one that is full because it has so many members.
    """
    smaller = last or members >= MOST_MEMBERS
    return min(tar.padded(padme(used + END)), capacity) if smaller else capacity


def member_overhead(told: Object, name: str, part: int = 0, length: int | None = None) -> int:
    """Return the bytes of the headers before a member's data; `name` is without its part's suffix.

    `length` is the member's; without one, that of the whole object.
    """
    return tar.overhead(_header(told, name, part, _data_length(told) if length is None else length))


def member_span(told: Object, name: str, length: int, part: int = 0) -> int:
    """Return all bytes that a member of `length` data bytes takes in a volume."""
    return member_overhead(told, name, part, length) + tar.padded(length)


def largest_part(room: int, overhead: int) -> int:
    """Return how many bytes of an object a part that is not the last may have in `room`; 0 if none."""
    return max(0, (room - overhead) // tar.BLOCK * tar.BLOCK)


@dataclass(slots=True, eq=False)
class Place:
    """Room for one member of a volume, whose bytes may come in any order."""

    row: MemberRow
    """As it will be, if nothing before it is given up."""
    headers: int
    """Where its headers begin in the volume."""
    data: memoryview
    """The bytes of the member, to be written over."""


class VolumeBuilder:
    """One volume being filled; nothing that it is given ever touches a disk.

    Members are placed, and ended or dropped, in one order; between the two, several threads may write their bytes.
    """

    def __init__(
        self,
        number: int,
        capacity: int = DEFAULT_VOLUME_SIZE,
        *,
        memory: memoryview | None = None,
        begin_sealing: Callable[[memoryview], Sealing] | None = None,
    ) -> None:
        """Begin a volume in `memory` (at least `capacity` bytes, whatever they are), or in fresh memory.

        With `begin_sealing`, what is final is sealed while the rest still comes.
        """
        if not SMALLEST_VOLUME <= capacity <= LARGEST_VOLUME or capacity % VOLUME_GRAIN:
            raise ValueError(f"a volume has 1 MiB to 1 GiB, a multiple of 64 KiB, not {capacity} bytes")
        self.number = number
        self.capacity = capacity
        self.memory = fresh(capacity) if memory is None else memory
        """What the volume lies in: to be used again once it is sealed."""
        self._bytes = self.memory[:capacity]
        self._begin_sealing = begin_sealing
        self._sealing: Sealing | None = None
        self._sealed_up_to = 0
        self._used = 0
        self._placed = 0
        self._members = 0
        self._places: deque[Place] = deque()
        self._at = 0

    @property
    def used(self) -> int:
        """Bytes that whole members take."""
        return self._used

    @property
    def room(self) -> int:
        """Bytes left for members with their headers; see `member_span`."""
        return self.capacity - END - self._placed if self._members < MOST_MEMBERS else 0

    def place(
        self, told: Object, name: str, *, number: int, length: int | None = None, part: int = 0, start: int = 0
    ) -> Place:
        """Make room for the member of object `number`, `length` bytes from its `start`; without a length, the whole.

        `name` is the object's member name (`names.MemberNames.claim`), without the suffix of a part. ValueError if
        there is no room.
        """
        length = _data_length(told) if length is None else length
        headers = tar.encode(_header(told, name, part, length))
        if len(headers) + tar.padded(length) > self.room:
            raise ValueError("no room for this member")
        begin, at = self._placed, self._placed + len(headers)
        self._bytes[begin:at] = headers
        place = Place(MemberRow(self.number, at, length, number, part, start), begin, self._bytes[at : at + length])
        self._placed = at + tar.padded(length)
        self._members += 1
        self._places.append(place)
        return place

    def has_come(self, length: int) -> None:
        """Take in that the first `length` bytes of the oldest member placed are right and will not change."""
        place = self._places[0]
        if place.headers == self._used:
            self._seal_up_to(place.row.offset + length)

    def end_oldest(self) -> MemberRow:
        """End the oldest member placed, all of whose bytes have come, and return its row."""
        place = self._places.popleft()
        moved = place.headers - self._used
        end = place.row.offset + place.row.length
        if moved:  # something before it was dropped
            self._bytes[self._used : end - moved] = bytes(self._bytes[place.headers : end])
        row = replace(place.row, offset=place.row.offset - moved) if moved else place.row
        self._used = tar.padded(end - moved)
        self._clear(end - moved, self._used)
        self._seal_up_to(self._used)
        if not self._places:
            self._placed = self._used
        return row

    def drop_oldest(self) -> None:
        """Drop the oldest member placed, as if it had never been; nobody may write to its place any more."""
        self._places.popleft()
        if self._sealed_up_to > self._used:
            self._sealing = None  # the same key must never seal other bytes: it begins anew
            self._sealed_up_to = 0
        if not self._places:
            self._placed = self._used

    def begin(
        self, told: Object, name: str, *, number: int, length: int | None = None, part: int = 0, start: int = 0
    ) -> None:
        """Begin a member whose bytes come in their order: `place`, for `write` and `end`."""
        if self._places:
            raise ValueError("a member is under way")
        self.place(told, name, number=number, length=length, part=part, start=start)
        self._at = 0

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append data of the member begun; ValueError beyond its length."""
        place, end = self._begun(), self._at + len(chunk)
        if end > place.row.length:
            raise ValueError("more bytes than the member's length")
        place.data[self._at : end] = chunk
        self._at = end

    def end(self) -> MemberRow:
        """End the member begun and return its row; ValueError if bytes are wanting."""
        if self._at != self._begun().row.length:
            raise ValueError("fewer bytes than the member's length")
        return self.end_oldest()

    def abandon(self) -> None:
        """Drop the member begun, if any, as if it had never been."""
        if self._places:
            self.drop_oldest()

    def payload(self, *, last: bool = False) -> memoryview:
        """Return the whole payload, end marker and padding included; `last`: padded as the last of its bundle."""
        if self._places:
            raise ValueError("a member is under way")
        size = payload_size(self._used, self.capacity, last=last, members=self._members)
        self._clear(self._used, size)
        return self._bytes[:size].toreadonly()

    def seal(self, *, last: bool = False) -> Sealed:
        """Return the volume as an age file; a volume that was begun without `begin_sealing` cannot be sealed here."""
        size = len(self.payload(last=last))
        return self._sealing_under_way().finish(size)

    def _seal_up_to(self, final: int) -> None:
        if self._begin_sealing is not None and final - self._sealed_up_to >= SEALED_FROM:
            self._sealing_under_way().advance(final)
            self._sealed_up_to = final

    def _sealing_under_way(self) -> Sealing:
        if self._sealing is None:
            if self._begin_sealing is None:
                raise ValueError("nobody to seal this volume to")
            self._sealing = self._begin_sealing(self._bytes)
        return self._sealing

    def _clear(self, start: int, end: int) -> None:
        self._bytes[start:end] = bytes(end - start)

    def _begun(self) -> Place:
        if not self._places:
            raise ValueError("no member is under way")
        return self._places[0]


def _data_length(told: Object) -> int:
    return told.size if told.kind is ObjectKind.FILE else 0


def _header(told: Object, name: str, part: int, length: int) -> tar.Header:
    directory = told.kind is ObjectKind.DIRECTORY
    raw = path_bytes(part_name(name, part)) + (b"/" if directory else b"")
    return tar.Header(
        name=raw,
        size=length,
        type=_TYPES[told.kind],
        mode=(0o755 if directory else 0o644) if told.mode is None else told.mode & 0o777,
        mtime=0 if told.mtime_ns is None else told.mtime_ns // 1_000_000_000,
        link=path_bytes(told.link_target or ""),
        owner=_user_name(told.owner),
        group=_user_name(told.group),
        true_path=None if name == told.path else path_bytes(told.path),
        comment=part_comment(told) if part else b"",
    )


@lru_cache(maxsize=1024)
def _user_name(name: str | None) -> bytes:
    raw = path_bytes(name or "")
    return b"" if b"\x00" in raw else raw
