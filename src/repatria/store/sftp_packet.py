"""The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What a packet is."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


class Code(IntEnum):
    """What a status says; servers may give others."""

    OK = 0
    END = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    UNSUPPORTED = 8


READ, WRITE, CREATE, EXCLUSIVE = 0x01, 0x02, 0x08, 0x20
"""Flags of open."""


class StatusError(Exception):
    """The server answered that it did not do it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"SFTP status {code}")
        self.code = code
        self.text = text


class ProtocolError(Exception):
    """What came is not SFTP."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a server tells of a file; None for what it does not."""

    size: int | None = None
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
    mtime: int | None = None
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Room:
    """The file system behind a path."""

    free: int
    """Bytes that this user may still write."""
    read_only: bool


class Reply:
    """One packet, read field by field; ProtocolError where it ends early."""

    def __init__(self, kind: int, body: memoryview, data: bytes = b"") -> None:
        self.kind = kind
        self.data = data
        """Of a reply to a read: the bytes of the file."""
        self._body = body
        self._at = 0

    def number(self, form: str = ">I") -> int:
        """Return an unsigned number, of 32 bits unless `form` says otherwise."""
        try:
            (value,) = struct.unpack_from(form, self._body, self._at)
        except struct.error as error:
            raise ProtocolError("a packet ends early") from error
        self._at += struct.calcsize(form)
        return int(value)

    def text(self) -> bytes:
        """Return a string of bytes."""
        length = self.number()
        value = self._body[self._at : self._at + length]
        if len(value) != length:
            raise ProtocolError("a packet ends early")
        self._at += length
        return bytes(value)

    @property
    def ended(self) -> bool:
        """Tell whether no field is left."""
        return self._at >= len(self._body)

    def attributes(self) -> Attributes:
        """Return the attributes of a file."""
        flags = self.number()
        size = self.number(">Q") if flags & 1 else None
        uid, gid = (self.number(), self.number()) if flags & 2 else (None, None)
        mode = self.number() if flags & 4 else None
        _atime, mtime = (self.number(), self.number()) if flags & 8 else (None, None)
        if flags & 0x80000000:
            for _extension in range(self.number()):
                self.text(), self.text()
        return Attributes(size, uid, gid, mode, mtime)


def text(value: bytes) -> bytes:
    """Return a string as packets carry it: its length, then its bytes."""
    return struct.pack(">I", len(value)) + value


def entries(reply: Reply) -> Iterator[tuple[bytes, Attributes]]:
    """Yield the names of a folder's listing and what is known of each, `.` and `..` left out."""
    for _entry in range(reply.number()):
        name, _long_name, attributes = reply.text(), reply.text(), reply.attributes()
        if not name or b"/" in name:
            raise ProtocolError("a name in a folder has a slash")
        if name not in {b".", b".."}:
            yield name, attributes
