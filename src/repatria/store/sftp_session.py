"""The SFTP protocol, version 3 (draft-ietf-secsh-filexfer-02), with OpenSSH's extensions where a server has them.

Requests are sent ahead of their replies, names are bytes, and reads and writes are as large as the server allows: the
three things that make the difference on a long link and with names from before UTF-8. A session serves one thread at
a time.
"""

import contextlib
import struct
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Protocol

from repatria.store.base import Buffer
from repatria.store.sftp_packet import Attributes, Code, Kind, ProtocolError, Reply, Room, StatusError, entries, text

IN_FLIGHT = 8 << 20
"""Bytes asked for, or sent, before the first reply is waited for."""
SAFE_REQUEST = 32 << 10
"""Bytes of a read or write that every server takes."""
LARGEST_REQUEST = 255 << 10
"""Bytes of a read or write at most, where the server says that it takes as many."""
LARGEST_PACKET = 1 << 20
TAKE = 16 << 20
"""Bytes taken from the channel at most at a time."""
READ_AHEAD = 4
"""Replies of a folder's listing asked for at once."""


class Channel(Protocol):
    """A connected stream of bytes; both methods raise OSError or EOFError when it breaks."""

    def recv(self, nbytes: int, /) -> bytes:
        """Return some bytes; none if the other side closed."""

    def sendall(self, data: bytes, /) -> object:
        """Send all of the bytes."""


class Session:
    """One SFTP conversation over a channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._unread = memoryview(b"")
        self._number = 0
        self._received: dict[int, Reply] = {}
        self._unwanted: set[int] = set()
        self._send(Kind.INIT, struct.pack(">I", 3))
        version = self._receive_packet()
        if version.kind != Kind.VERSION or version.number() < 3:
            raise ProtocolError("the server does not speak SFTP 3")
        self.extensions: dict[bytes, bytes] = {}
        while not version.ended:
            name = version.text()
            self.extensions[name] = version.text()
        self.largest_read, self.largest_write = self._limits()

    def lstat(self, path: bytes) -> Attributes:
        """Return the attributes of what is at a path, a symlink's its own."""
        return self._ask(Kind.ATTRS, Kind.LSTAT, text(path)).attributes()

    def real_path(self, path: bytes) -> bytes:
        """Return the absolute path, as the server resolves it."""
        reply = self._ask(Kind.NAME, Kind.REALPATH, text(path))
        reply.number()
        return reply.text()

    def read_link(self, path: bytes) -> bytes:
        """Return a symlink's target."""
        reply = self._ask(Kind.NAME, Kind.READLINK, text(path))
        reply.number()
        return reply.text()

    def list(self, path: bytes) -> Iterator[tuple[bytes, Attributes]]:
        """Yield the names in a folder and what is known of each, `.` and `..` left out."""
        handle = self._ask(Kind.HANDLE, Kind.OPENDIR, text(path)).text()
        asked: deque[int] = deque()
        more = True
        try:
            while more or asked:
                while more and len(asked) < READ_AHEAD:
                    asked.append(self._request(Kind.READDIR, text(handle)))
                try:
                    reply = self._reply(asked.popleft(), Kind.NAME)
                except StatusError as error:
                    if error.code != Code.END:
                        raise
                    more = False
                    continue
                yield from entries(reply)
        finally:
            self._abandon(asked)
            self.close_later(handle)

    def open(self, path: bytes, flags: int) -> bytes:
        """Open a file and return its handle."""
        return self._ask(Kind.HANDLE, Kind.OPEN, text(path) + struct.pack(">II", flags, 0)).text()

    def close(self, handle: bytes) -> None:
        """Close a handle; an error that was held back until now is raised."""
        self._ask(Kind.STATUS, Kind.CLOSE, text(handle))

    def close_later(self, handle: bytes) -> None:
        """Close a handle that was only read, without waiting for the reply."""
        with contextlib.suppress(OSError, EOFError):
            self._unwanted.add(self._request(Kind.CLOSE, text(handle)))

    def fstat(self, handle: bytes) -> Attributes:
        """Return the attributes of an open file."""
        return self._ask(Kind.ATTRS, Kind.FSTAT, text(handle)).attributes()

    def read(self, handle: bytes, start: int, stop: int) -> Generator[bytes, None, None]:
        """Yield the bytes from `start` to `stop`; fewer only where the file ends."""
        ahead = max(2, IN_FLIGHT // self.largest_read)
        asked: deque[tuple[int, int, int]] = deque()
        ask_from = start
        try:
            while asked or ask_from < stop:
                while ask_from < stop and len(asked) < ahead:
                    length = min(self.largest_read, stop - ask_from)
                    asked.append((self._request_read(handle, ask_from, length), ask_from, length))
                    ask_from += length
                number, at, length = asked.popleft()
                try:
                    data = self._reply(number, Kind.DATA).text()
                except StatusError as error:
                    if error.code == Code.END:
                        return
                    raise
                if not data:
                    return
                if len(data) < length:
                    # A server may give less than was asked for; the rest goes to the front.
                    rest = at + len(data)
                    asked.appendleft((self._request_read(handle, rest, length - len(data)), rest, length - len(data)))
                yield data
        finally:
            self._abandon(number for number, _at, _length in asked)

    def write(self, handle: bytes, data: Iterable[Buffer]) -> int:
        """Write chunks one after the other from the beginning and return how many bytes they were."""
        ahead = max(2, IN_FLIGHT // self.largest_write)
        asked: deque[int] = deque()
        at = 0
        try:
            for chunk in data:
                view = memoryview(chunk).cast("B")
                for start in range(0, len(view), self.largest_write):
                    part = view[start : start + self.largest_write]
                    asked.append(
                        self._request(Kind.WRITE, text(handle) + struct.pack(">QI", at, len(part)) + bytes(part))
                    )
                    at += len(part)
                    if len(asked) >= ahead:
                        self._reply(asked.popleft(), Kind.STATUS)
            while asked:
                self._reply(asked.popleft(), Kind.STATUS)
        finally:
            self._abandon(asked)
        return at

    def set_attributes(self, target: bytes, mode: int | None, mtime: int | None, *, is_handle: bool) -> None:
        """Set permission bits and modification time (seconds) of a path, followed if it is a symlink, or a handle."""
        flags, values = 0, b""
        if mode is not None:
            flags, values = flags | 4, values + struct.pack(">I", mode & 0o7777)
        if mtime is not None:
            flags, values = flags | 8, values + struct.pack(">II", mtime, mtime)
        if flags:
            kind = Kind.FSETSTAT if is_handle else Kind.SETSTAT
            self._ask(Kind.STATUS, kind, text(target) + struct.pack(">I", flags) + values)

    def flush(self, handle: bytes) -> None:
        """Have the server flush a file to its disk; a server that cannot does nothing."""
        if b"fsync@openssh.com" in self.extensions:
            self._ask(Kind.STATUS, Kind.EXTENDED, text(b"fsync@openssh.com") + text(handle))

    def rename(self, old: bytes, new: bytes) -> None:
        """Rename; StatusError if the new name is taken (OpenSSH links and unlinks, so that this has no race)."""
        self._ask(Kind.STATUS, Kind.RENAME, text(old) + text(new))

    @property
    def can_replace(self) -> bool:
        """Whether the server can rename over a file."""
        return b"posix-rename@openssh.com" in self.extensions

    def rename_over(self, old: bytes, new: bytes) -> None:
        """Rename, in one stroke in place of what has the new name (OpenSSH PROTOCOL, section 4.3)."""
        self._ask(Kind.STATUS, Kind.EXTENDED, text(b"posix-rename@openssh.com") + text(old) + text(new))

    def make_folder(self, path: bytes) -> None:
        """Make a folder."""
        self._ask(Kind.STATUS, Kind.MKDIR, text(path) + struct.pack(">I", 0))

    def make_link(self, path: bytes, target: bytes) -> None:
        """Make a symlink; OpenSSH has the two arguments in this order, against the draft, and others follow it."""
        self._ask(Kind.STATUS, Kind.SYMLINK, text(target) + text(path))

    def remove(self, path: bytes) -> None:
        """Remove a file or symlink."""
        self._ask(Kind.STATUS, Kind.REMOVE, text(path))

    def remove_folder(self, path: bytes) -> None:
        """Remove an empty folder."""
        self._ask(Kind.STATUS, Kind.RMDIR, text(path))

    def room(self, path: bytes) -> Room | None:
        """Return what the file system behind a path has left, None if the server cannot tell."""
        if b"statvfs@openssh.com" not in self.extensions:
            return None
        reply = self._ask(Kind.EXTENDED_REPLY, Kind.EXTENDED, text(b"statvfs@openssh.com") + text(path))
        fields = [reply.number(">Q") for _field in range(11)]
        return Room(free=fields[1] * fields[4], read_only=bool(fields[9] & 1))

    def _limits(self) -> tuple[int, int]:
        """Return the largest read and write that the server takes."""
        if b"limits@openssh.com" not in self.extensions:
            return SAFE_REQUEST, SAFE_REQUEST
        reply = self._ask(Kind.EXTENDED_REPLY, Kind.EXTENDED, text(b"limits@openssh.com"))
        _packet, read, write = (reply.number(">Q") for _field in range(3))
        return (min(read or SAFE_REQUEST, LARGEST_REQUEST), min(write or SAFE_REQUEST, LARGEST_REQUEST))

    def _request_read(self, handle: bytes, start: int, length: int) -> int:
        return self._request(Kind.READ, text(handle) + struct.pack(">QI", start, length))

    def _ask(self, expected: int, kind: int, body: bytes) -> Reply:
        return self._reply(self._request(kind, body), expected)

    def _request(self, kind: int, body: bytes) -> int:
        self._number = (self._number + 1) & 0xFFFFFFFF
        self._send(kind, struct.pack(">I", self._number) + body)
        return self._number

    def _reply(self, number: int, expected: int) -> Reply:
        """Wait for the reply to a request; StatusError if it is a status other than success."""
        while number not in self._received:
            reply = self._receive_packet()
            answered = reply.number()
            if answered in self._unwanted:
                self._unwanted.discard(answered)
            else:
                self._received[answered] = reply
        reply = self._received.pop(number)
        if reply.kind == Kind.STATUS:
            code = reply.number()
            if code != Code.OK or expected != Kind.STATUS:
                raise StatusError(code, "" if reply.ended else reply.text().decode("utf-8", "replace"))
        elif reply.kind != expected:
            raise ProtocolError(f"a packet of kind {reply.kind} came where {expected} was due")
        return reply

    def _abandon(self, numbers: Iterable[int]) -> None:
        """Let the replies to these requests come and go."""
        for number in numbers:
            if self._received.pop(number, None) is None:
                self._unwanted.add(number)

    def _send(self, kind: int, body: bytes) -> None:
        self._channel.sendall(struct.pack(">IB", len(body) + 1, kind) + body)

    def _receive_packet(self) -> Reply:
        (length,) = struct.unpack(">I", self._receive(4))
        if not 1 <= length <= LARGEST_PACKET:
            raise ProtocolError(f"a packet of {length} bytes")
        packet = self._receive(length)
        return Reply(packet[0], packet[1:])

    def _receive(self, length: int) -> memoryview:
        """Return exactly `length` bytes of what the server sent.

        All that has come is taken at once: paramiko moves the whole rest of its buffer for every smaller piece.
        """
        while len(self._unread) < length:
            more = self._channel.recv(TAKE)
            if not more:
                raise EOFError
            self._unread = memoryview(bytes(self._unread) + more if self._unread else more)
        taken, self._unread = self._unread[:length], self._unread[length:]
        return taken
