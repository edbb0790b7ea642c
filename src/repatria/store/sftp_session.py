"""The SFTP protocol, version 3 (draft-ietf-secsh-filexfer-02), with OpenSSH's extensions where a server has them.

Requests are sent ahead of their replies, names are bytes, and reads and writes are as large as the server allows: the
three things that make the difference on a long link and with names from before UTF-8. Several threads may share a
session for all but writing.
"""

import contextlib
import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from repatria.store.base import Buffer
from repatria.store.sftp_download import Download
from repatria.store.sftp_exchange import Channel, Exchange
from repatria.store.sftp_packet import READ, Attributes, Code, Kind, Reply, Room, StatusError, entries, text

IN_FLIGHT = 8 << 20
"""Bytes sent before the first reply is waited for."""
SAFE_REQUEST = 32 << 10
"""Bytes of a read or write that every server takes."""
LARGEST_REQUEST = 255 << 10
"""Bytes of a read or write at most, where the server says that it takes as many."""
READ_AHEAD = 16
"""Replies of a folder's listing asked for at once: OpenSSH puts a hundred names into each."""
LINKS_AHEAD = 64
"""Symlinks whose targets are asked for at once."""


class Session:
    """One SFTP conversation over a channel.

    A write must have the session for itself: its bytes could fill the channel while the server waits for another
    thread to take a reply.
    """

    def __init__(self, channel: Channel) -> None:
        self._exchange = Exchange(channel)
        self.largest_read, self.largest_write = self._limits()

    @property
    def broken(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._exchange.broken

    @property
    def extensions(self) -> dict[bytes, bytes]:
        """What the server can beyond the draft, by name."""
        return self._exchange.extensions

    def round_trip(self) -> float:
        """Return how many seconds a question takes that needs no disk."""
        begun = time.monotonic()
        self.real_path(b".")
        return time.monotonic() - begun

    def lstat(self, path: bytes) -> Attributes:
        """Return the attributes of what is at a path, a symlink's its own."""
        return self._ask(Kind.ATTRS, Kind.LSTAT, text(path)).attributes()

    def real_path(self, path: bytes) -> bytes:
        """Return the absolute path, as the server resolves it."""
        reply = self._ask(Kind.NAME, Kind.REALPATH, text(path))
        reply.number()
        return reply.text()

    def read_links(self, paths: Sequence[bytes]) -> Iterator[bytes | None]:
        """Yield the targets of symlinks, None for what is none, or gone."""
        for first in range(0, len(paths), LINKS_AHEAD):
            asked = deque(
                self._exchange.send_all((Kind.READLINK, text(path)) for path in paths[first : first + LINKS_AHEAD])
            )
            try:
                while asked:
                    yield self._target(asked.popleft())
            finally:
                self._exchange.abandon(asked)

    def _target(self, number: int) -> bytes | None:
        try:
            reply = self._exchange.reply(number, Kind.NAME)
        except StatusError:
            return None
        reply.number()
        return reply.text()

    def list(self, path: bytes) -> "Listing":
        """Begin to list a folder; several may be begun before the first is read."""
        return Listing(self, self._exchange, path)

    def open(self, path: bytes, flags: int) -> bytes:
        """Open a file and return its handle."""
        return self._ask(Kind.HANDLE, Kind.OPEN, text(path) + struct.pack(">II", flags, 0)).text()

    def close(self, handle: bytes) -> None:
        """Close a handle; an error that was held back until now is raised."""
        self._ask(Kind.STATUS, Kind.CLOSE, text(handle))

    def close_later(self, handle: bytes) -> None:
        """Close a handle that was only read, without waiting for the reply."""
        with contextlib.suppress(OSError, EOFError):
            self._exchange.abandon([self._exchange.send(Kind.CLOSE, text(handle))])

    def look_and_open(self, path: bytes) -> tuple[Attributes, bytes | StatusError]:
        """Return the attributes of what is at a path, and a handle to read it, or why it has none, in one round trip.

        Only for what was a plain file when it was last seen: opening a pipe would hang.
        """
        looked, opened = self._exchange.send_all(
            ((Kind.LSTAT, text(path)), (Kind.OPEN, text(path) + struct.pack(">II", READ, 0)))
        )
        try:
            attributes: Attributes | StatusError = self._exchange.reply(looked, Kind.ATTRS).attributes()
        except StatusError as error:
            attributes = error
        try:
            handle: bytes | StatusError = self._exchange.reply(opened, Kind.HANDLE).text()
        except StatusError as error:
            handle = error
        if isinstance(attributes, Attributes):
            return attributes, handle
        if isinstance(handle, bytes):
            self.close_later(handle)
        raise attributes

    def read(self, handle: bytes, span: range) -> Download:
        """Begin to read these bytes of an open file, which is closed with them."""
        return Download(self._exchange, handle, span, self.largest_read)

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
                    body = text(handle) + struct.pack(">QI", at, len(part))
                    asked.append(self._exchange.send(Kind.WRITE, body, part))
                    at += len(part)
                    if len(asked) >= ahead:
                        self._exchange.reply(asked.popleft(), Kind.STATUS)
            while asked:
                self._exchange.reply(asked.popleft(), Kind.STATUS)
        finally:
            self._exchange.abandon(asked)
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

    def _ask(self, expected: int, kind: int, body: bytes) -> Reply:
        return self._exchange.reply(self._exchange.send(kind, body), expected)


class Listing:
    """The names in one folder, on their way."""

    def __init__(self, session: Session, exchange: Exchange, path: bytes) -> None:
        self._session = session
        self._exchange = exchange
        self._looked, self._opened = exchange.send_all(((Kind.LSTAT, text(path)), (Kind.OPENDIR, text(path))))
        self._asked: deque[int] = deque()
        self._handle: bytes | None = None
        self._is_open = False
        """Whether it was answered if it opens."""

    def open(self) -> Attributes:
        """Wait until the folder is open, and ask for its first names; return its attributes, a symlink's its own."""
        itself = self._exchange.reply(self._looked, Kind.ATTRS).attributes()
        self._is_open = True
        self._handle = self._exchange.reply(self._opened, Kind.HANDLE).text()
        self._ask(2)
        return itself

    def __iter__(self) -> Iterator[tuple[bytes, Attributes]]:
        """Yield each name and what is known of it, `.` and `..` left out."""
        while self._asked:
            try:
                reply = self._exchange.reply(self._asked.popleft(), Kind.NAME)
            except StatusError as error:
                if error.code == Code.END:
                    return
                raise
            # Ever more ahead: most folders end within the first reply.
            self._ask(min(2, READ_AHEAD - len(self._asked)))
            yield from entries(reply)

    def close(self) -> None:
        """Close the folder, read to its end or not."""
        self._exchange.abandon((self._looked, *self._asked))
        self._asked.clear()
        with contextlib.suppress(StatusError, OSError, EOFError):
            if not self._is_open:
                self._handle, self._is_open = self._exchange.reply(self._opened, Kind.HANDLE).text(), True
            if self._handle is not None:
                self._session.close_later(self._handle)
        self._handle = None

    def _ask(self, count: int) -> None:
        if self._handle is not None:
            self._asked.extend(self._exchange.send_all([(Kind.READDIR, text(self._handle))] * count))
