"""HTTP/1.1 over a connection, as little of it as S3 needs.

One request costs a tenth of a millisecond of processor time here, three times as much in `http.client` and fifteen
times in boto3, and a dataset of many small objects is nothing but requests. Bodies stay buffers; nothing is copied
that need not be. RFC 9112 is what framing follows.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from repatria.store.base import Buffer
from repatria.store.s3_link import LONGEST_HEAD, STALL_SECONDS, BrokenError, NoAnswerError, Origin, connected
from repatria.store.s3_wire import Wire

ANSWER_SECONDS = 120.0
"""How long a service may ponder what it was given, or asked, once it has shown to ponder; that the link lives meanwhile
is the kernel's to see."""
CONTINUE_SECONDS = 2.0
"""How long a service is waited for that does not say whether it wants a body."""
ASKED_FIRST = 1 << 20
"""Bytes of a body from which a service is asked whether it wants it, before it is sent (`Expect: 100-continue`)."""
MOST_INTERIM = 100
"""Replies of 1xx before the one that counts: a service that is busy for long may send one every few seconds."""
LARGEST_SIZE = (1 << 63) - 1
"""Bytes that an object may be said to have: what every file system and SQLite can count."""
PIECE = 1 << 18
"""Bytes received or sent in one call at most: a slow link must move as many within STALL_SECONDS."""
HEAD_PIECE = 1 << 14
"""Bytes received at most while a head is read: enough for that of a reply and a small body behind it."""
_SIZE = re.compile(r"[0-9]{1,19}")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")

Buffers = Sequence[Buffer]
"""A body in pieces: joining 64 MiB takes longer than sending them."""


class UnusedError(BrokenError):
    """A kept connection ended before a byte of the reply came: as a rule the service closed it for being idle."""


@dataclass(slots=True)
class Reply:
    """The head of a reply, and its body to be read or closed."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: "Body" = field(repr=False)


class Connection:
    """One connection: a request, then its reply, then the next request; used by one thread at a time."""

    def __init__(self, origin: Origin) -> None:
        """Connect; NoConnectionError, or ssl.SSLCertVerificationError."""
        self.used = False
        self._received = b""
        self._wire = Wire(connected(origin), STALL_SECONDS)

    def ask(self, head: str, body: Buffers | None, *, is_head: bool, within: float = 0.0) -> Reply:
        """Send a request whose head ends before the empty line; return the reply to it.

        NoAnswerError if none comes `within` so many seconds, which are STALL_SECONDS at least, and ANSWER_SECONDS at
        most or for what has a body.
        """
        used, self.used = self.used, True
        self._wire.limit(STALL_SECONDS)
        try:
            if body is None or size_of(body) < ASKED_FIRST:
                self._send_all([f"{head}\r\n".encode("latin-1"), *(body or ())])
            else:
                self._send_all([f"{head}Expect: 100-continue\r\n\r\n".encode("latin-1")])
                early = self._early_reply(is_head=is_head)
                if early is not None:
                    return early
                self._send_all(body)
            granted = max(STALL_SECONDS, min(within, ANSWER_SECONDS))
            self._wire.limit(granted if body is None else ANSWER_SECONDS)
            reply = self._reply(is_head=is_head)
        except (BrokenError, ConnectionError) as error:
            if used and not self._received:
                raise UnusedError(str(error)) from error
            raise
        self._wire.limit(STALL_SECONDS)
        return reply

    def is_idle(self) -> bool:
        """Return whether the other side is silent, as it should be: a closed connection can be read.

        So can a reply to nothing that was asked, such as a 408 of a proxy that is tired of waiting: whoever does not
        look takes it for the answer to the next request.
        """
        return not self._received and not self._wire.has_something()

    def receive(self, most: int) -> bytes:
        """Return some of what comes; BrokenError at the end of the connection.

        Memory for `most` bytes is taken, however few come: a hundred connections wait here at a time.
        """
        if self._received:
            received, self._received = self._received, b""
            return received
        received = self._wire.receive(min(most, PIECE))
        if not received:
            raise BrokenError("the connection ended")
        return received

    def put_back(self, data: bytes) -> None:
        """Keep what was received beyond what was asked for."""
        self._received = data + self._received

    def read_line(self) -> bytes:
        """Return what comes up to the next end of line."""
        return self.read_until(b"\r\n")

    def read_until(self, end: bytes) -> bytes:
        """Return what comes up to `end`, without it."""
        data = self.receive(HEAD_PIECE)
        while (at := data.find(end)) < 0:
            if len(data) > LONGEST_HEAD:
                raise BrokenError("the head of a reply has no end")
            data += self.receive(HEAD_PIECE)
        self._received = data[at + len(end) :]
        return data[:at]

    def close(self) -> None:
        """End the connection."""
        self._wire.close()

    def _send_all(self, buffers: Iterable[Buffer]) -> None:
        """Send in pieces, each of which has its own time: `sendall` would give the whole body no more than one."""
        for buffer in buffers:
            rest = memoryview(buffer)
            while rest:
                rest = rest[self._wire.send(rest[:PIECE]) :]

    def _early_reply(self, *, is_head: bool) -> Reply | None:
        """Return the reply of a service that refuses before it has the body, None if it is to be sent."""
        self._wire.limit(CONTINUE_SECONDS)
        try:  # not asked of the system whether there is anything: under TLS there may be, and none of it a reply
            self.put_back(self.receive(HEAD_PIECE))
        except TimeoutError as error:
            if error.errno is not None:
                raise
            return None
        finally:
            self._wire.limit(STALL_SECONDS)
        reply = self._one_reply(is_head=is_head)
        if reply.status == 100:
            return None
        reply.body.close_connection()
        return reply

    def _reply(self, *, is_head: bool) -> Reply:
        for _number in range(MOST_INTERIM):
            try:
                reply = self._one_reply(is_head=is_head)
            except TimeoutError as error:
                if error.errno is not None:
                    raise  # the kernel's: nobody acknowledges what was sent
                raise NoAnswerError(str(error)) from error
            if reply.status >= 200:
                return reply
        raise BrokenError("the reply does not come")

    def _one_reply(self, *, is_head: bool) -> Reply:
        lines = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _space, rest = lines[0].partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise BrokenError("the reply is no HTTP")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _colon, value = line.partition(":")
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        status = int(rest[:3])
        empty = is_head or status < 200 or status in {204, 304}
        return Reply(status, headers, Body(self, headers, empty=empty, old=version == "HTTP/1.0"))


class Body:
    """The body of a reply: read to its end, it leaves the connection for the next request."""

    def __init__(self, connection: Connection, headers: Mapping[str, str], *, empty: bool, old: bool) -> None:
        self._connection = connection
        self._chunked = not empty and headers.get("transfer-encoding", "").lower() == "chunked"
        self._left = 0 if empty or self._chunked else _length(headers)
        """Bytes to come, of this chunk if it is chunked; None to the connection's end."""
        self._ended = not self._chunked and self._left == 0
        says = headers.get("connection", "").lower()
        self._keeps = self._left is not None and "close" not in says and (not old or "keep-alive" in says)
        self._give_back: Callable[[Connection], None] | None = None
        self._error: OSError | None = None

    def when_ended(self, give_back: Callable[[Connection], None]) -> None:
        """Give the connection back as soon as the body has ended, if it can take another request."""
        self._give_back = give_back
        if self._ended:
            self._release()

    def read(self, most: int) -> bytes:
        """Return up to `most` bytes, none after the end; OSError if that does not come, once what came was returned."""
        if self._error is not None:
            raise self._error
        pieces: list[bytes] = []
        wanted = most
        while wanted and not self._ended:
            try:
                piece = self._receive(wanted)
            except OSError as error:
                if not pieces:
                    raise
                self._error = error
                break
            pieces.append(piece)
            wanted -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_all(self, most: int) -> bytes:
        """Return the whole body; BrokenError if it has more than `most` bytes."""
        data = self.read(most)
        if not self._ended and self.read(1):  # or it raises what broke it off
            raise BrokenError("the reply is longer than it may be")
        return data

    def close_connection(self) -> None:
        """Use the connection for nothing more, however the body ends."""
        self._keeps = False

    def close(self) -> None:
        """Let go of the connection; one whose body was not read to its end is not used again."""
        if not self._ended:
            self._ended = True
            self._keeps = False
            self._release()

    def _receive(self, wanted: int) -> bytes:
        """Return at most `wanted` bytes of the body, none if its end is found."""
        if self._chunked and not self._left and not self._begin_chunk():
            self._end()
            return b""
        most = wanted if self._left is None else min(wanted, self._left)
        try:
            data = self._connection.receive(most)
        except BrokenError:
            if self._left is not None:
                raise
            self._end()
            return b""
        if len(data) > most:
            self._connection.put_back(data[most:])
            data = data[:most]
        if self._left is not None:
            self._left -= len(data)
            if not self._left and not self._chunked:
                self._end()
            elif not self._left:
                self._connection.read_line()
        return data

    def _begin_chunk(self) -> bool:
        """Read the size of the next chunk, and what follows the last one; return whether there is one."""
        size = self._connection.read_line().partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(size):
            raise BrokenError("the reply is no HTTP")
        self._left = int(size, 16)
        if not self._left:
            self._skip_trailers()
        return self._left > 0

    def _skip_trailers(self) -> None:
        left = LONGEST_HEAD
        while line := self._connection.read_line():
            left -= len(line)
            if left < 0:
                raise BrokenError("the trailers of a reply have no end")

    def _end(self) -> None:
        self._ended = True
        self._release()

    def _release(self) -> None:
        if self._keeps and self._give_back is not None:
            self._give_back(self._connection)
        else:
            self._connection.close()


def size_of(body: Buffers) -> int:
    """Return the bytes of a body."""
    return sum(map(len, body))


def size_told(text: str) -> int:
    """Return the bytes that a service says something has; BrokenError if it is no number that can be meant."""
    if not _SIZE.fullmatch(text) or int(text) > LARGEST_SIZE:
        raise BrokenError("the reply tells no size")
    return int(text)


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length")
    return None if text is None else size_told(text)
