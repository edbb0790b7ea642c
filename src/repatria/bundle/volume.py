"""A volume in the making: a tar in memory, filled member by member; and the arithmetic that plans one.

Plaintext stays in one bytearray, from which `repatria.crypt.seal` makes the age file.
"""

from repatria.bundle import tar
from repatria.bundle.names import part_name
from repatria.bundle.rows import MemberRow, path_bytes
from repatria.model import Object, ObjectKind

CUT_ABOVE = 1 << 20
"""Only objects of more bytes are cut into parts."""
END = len(tar.END_MARKER)
"""Bytes of every volume that no member may use."""
DEFAULT_VOLUME_SIZE = 64 << 20
SMALLEST_VOLUME = 1 << 20
LARGEST_VOLUME = 1 << 30
VOLUME_GRAIN = 64 << 10

_TYPES = {ObjectKind.FILE: tar.FILE, ObjectKind.SYMLINK: tar.SYMLINK, ObjectKind.DIRECTORY: tar.DIRECTORY}


def padme(length: int) -> int:
    """Return the length that Padmé pads `length` to (https://arxiv.org/abs/1806.03160, algorithm 1)."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    mantissa = exponent.bit_length()
    mask = (1 << (exponent - mantissa)) - 1
    return (length + mask) & ~mask


def payload_size(used: int, capacity: int, *, last: bool) -> int:
    """Return the size of a volume's payload whose members take `used` bytes; only a bundle's last may be smaller."""
    return min(tar.padded(padme(used + END)), capacity) if last else capacity


def member_overhead(told: Object, name: str, part: int = 0, length: int | None = None) -> int:
    """Return the bytes of the headers before a member's data; `name` is without its part's suffix.

    `length` is the member's; without one, that of the whole object.
    """
    return len(tar.encode(_header(told, name, part, _data_length(told) if length is None else length)))


def member_span(told: Object, name: str, length: int, part: int = 0) -> int:
    """Return all bytes that a member of `length` data bytes takes in a volume."""
    return member_overhead(told, name, part, length) + tar.padded(length)


def largest_part(room: int, overhead: int) -> int:
    """Return how many bytes of an object a part that is not the last may have in `room`; 0 if none."""
    return max(0, (room - overhead) // tar.BLOCK * tar.BLOCK)


class VolumeBuilder:
    """One volume being filled, by one thread; nothing that it is given ever touches a disk."""

    def __init__(self, number: int, capacity: int = DEFAULT_VOLUME_SIZE) -> None:
        if not SMALLEST_VOLUME <= capacity <= LARGEST_VOLUME or capacity % VOLUME_GRAIN:
            raise ValueError(f"a volume has 1 MiB to 1 GiB, a multiple of 64 KiB, not {capacity} bytes")
        self.number = number
        self.capacity = capacity
        self._bytes = bytearray(capacity)
        self._used = 0
        self._member: MemberRow | None = None
        self._at = 0

    @property
    def used(self) -> int:
        """Bytes that whole members take."""
        return self._used

    @property
    def room(self) -> int:
        """Bytes left for members with their headers; see `member_span`."""
        return self.capacity - END - self._used

    def begin(
        self, told: Object, name: str, *, number: int, length: int | None = None, part: int = 0, start: int = 0
    ) -> None:
        """Begin the member of object `number`, `length` bytes from its `start`; without a length, the whole object.

        `name` is the object's member name (`names.MemberNames.claim`), without the suffix of a part. ValueError if
        there is no room.
        """
        if self._member is not None:
            raise ValueError("a member is under way")
        length = _data_length(told) if length is None else length
        headers = tar.encode(_header(told, name, part, length))
        if len(headers) + tar.padded(length) > self.room:
            raise ValueError("no room for this member")
        self._at = self._used + len(headers)
        self._bytes[self._used : self._at] = headers
        self._member = MemberRow(self.number, self._at, length, number, part, start)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append data of the member begun; ValueError beyond its length."""
        member = self._begun()
        end = self._at + len(chunk)
        if end > member.offset + member.length:
            raise ValueError("more bytes than the member's length")
        self._bytes[self._at : end] = chunk
        self._at = end

    def end(self) -> MemberRow:
        """End the member begun and return its row; ValueError if bytes are wanting."""
        member = self._begun()
        if self._at != member.offset + member.length:
            raise ValueError("fewer bytes than the member's length")
        self._used = tar.padded(self._at)
        self._member = None
        return member

    def abandon(self) -> None:
        """Drop the member begun, if any, as if it had never been."""
        if self._member is not None:
            self._bytes[self._used : self._at] = bytes(self._at - self._used)
            self._member = None

    def payload(self, *, last: bool = False) -> memoryview:
        """Return the whole payload, end marker and padding included; `last`: padded as the last of its bundle."""
        if self._member is not None:
            raise ValueError("a member is under way")
        return memoryview(self._bytes)[: payload_size(self._used, self.capacity, last=last)].toreadonly()

    def _begun(self) -> MemberRow:
        if self._member is None:
            raise ValueError("no member is under way")
        return self._member


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
    )


def _user_name(name: str | None) -> bytes:
    raw = path_bytes(name or "")
    return b"" if b"\x00" in raw else raw
