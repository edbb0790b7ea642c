"""Requests and replies of SFTP over one connected stream, from several threads at once.

Every request has a number and its reply bears it (draft-ietf-secsh-filexfer-02, section 3), so that many can be under
way and their replies may come in any order. Of the threads that wait for a reply, one receives for all.
"""

import struct
import threading
from collections.abc import Iterable
from typing import Protocol

from repatria.store.base import Buffer
from repatria.store.sftp_packet import Code, Kind, ProtocolError, Reply, StatusError

VERSION = 3
LARGEST_PACKET = 1 << 20
_HEAD = struct.Struct(">IBII")
"""Length, kind, number, and the first field, which every reply to a request has."""


class Channel(Protocol):
    """A connected stream of bytes; both methods raise OSError or EOFError when it breaks, or nothing moves for long."""

    def recv(self, nbytes: int, /) -> bytes:
        """Return some bytes, at most `nbytes`; none if the other side closed."""

    def sendall(self, data: Buffer, /) -> object:
        """Send all of the bytes."""


class Exchange:
    """One SFTP conversation; what is sent ahead must not need more room than the channel has for its replies."""

    def __init__(self, channel: Channel) -> None:
        """Agree on the version; ProtocolError if the server speaks another."""
        self._channel = channel
        self._sending = threading.Lock()
        self._number = 0
        self._change = threading.Condition(threading.Lock())
        self._receiving = False
        self._received: dict[int, Reply] = {}
        self._due: set[int] = set()
        self._unwanted: set[int] = set()
        self._broken: BaseException | None = None
        self.extensions = self._greet()
        """What the server can beyond the draft, by name."""

    @property
    def broken(self) -> bool:
        """Whether it came out of step, or the channel broke: nothing can be asked any more."""
        return self._broken is not None

    def send(self, kind: int, body: bytes, payload: Buffer = b"") -> int:
        """Send one request, `payload` right behind its body, and return its number."""
        with self._sending:
            number = self._next_number()
            head = struct.pack(">IBI", 5 + len(body) + len(payload), kind, number) + body
            self._push(head, payload)
        return number

    def send_all(self, requests: Iterable[tuple[int, bytes]]) -> list[int]:
        """Send requests at one stroke and return their numbers."""
        with self._sending:
            numbers, packets = [], []
            for kind, body in requests:
                numbers.append(self._next_number())
                packets.append(struct.pack(">IBI", 5 + len(body), kind, numbers[-1]) + body)
            if packets:
                self._push(b"".join(packets))
        return numbers

    def reply(self, number: int, expected: int) -> Reply:
        """Wait for the reply to a request, once; StatusError if it is a status other than success."""
        with self._change:
            while number not in self._received:
                if self._broken is not None:
                    raise EOFError("the conversation broke") from self._broken
                if self._receiving:
                    self._change.wait()
                else:
                    self._receive_one()
            reply = self._received.pop(number)
        if reply.kind == Kind.STATUS:
            code = reply.number()
            if code != Code.OK or expected != Kind.STATUS:
                raise StatusError(code, "" if reply.ended else reply.text().decode("utf-8", "replace"))
        elif reply.kind != expected:
            raise ProtocolError(f"a packet of kind {reply.kind} came where {expected} was due")
        return reply

    def abandon(self, numbers: Iterable[int]) -> None:
        """Let the replies to these requests come and go."""
        with self._change:
            for number in numbers:
                if self._received.pop(number, None) is None and number in self._due:
                    self._unwanted.add(number)

    def _greet(self) -> dict[bytes, bytes]:
        self._push(struct.pack(">IBI", 5, Kind.INIT, VERSION))
        length, kind = struct.unpack(">IB", self._take(5))
        if not 5 <= length <= LARGEST_PACKET or kind != Kind.VERSION:
            raise ProtocolError("the server does not speak SFTP")
        reply = Reply(kind, memoryview(self._take(length - 1)))
        if reply.number() < VERSION:
            raise ProtocolError("the server does not speak SFTP 3")
        extensions: dict[bytes, bytes] = {}
        while not reply.ended:
            name = reply.text()
            extensions[name] = reply.text()
        return extensions

    def _next_number(self) -> int:
        self._number = (self._number + 1) & 0xFFFFFFFF
        with self._change:
            self._due.add(self._number)
        return self._number

    def _push(self, *pieces: Buffer) -> None:
        try:
            for piece in pieces:
                if piece:
                    self._channel.sendall(piece)
        except BaseException as error:
            self._break(error)
            raise

    def _receive_one(self) -> None:
        """Receive one packet for whoever waits for it; the lock, which is held, is open meanwhile."""
        self._receiving = True
        self._change.release()
        try:
            number, reply = self._receive_packet()
        except BaseException as error:
            self._break(error)
            raise
        finally:
            self._change.acquire()
            self._receiving = False
            self._change.notify_all()
        if number not in self._due:
            self._broken = ProtocolError("a reply to nothing that was asked")
            raise self._broken
        self._due.discard(number)
        if number in self._unwanted:
            self._unwanted.discard(number)
        else:
            self._received[number] = reply

    def _receive_packet(self) -> tuple[int, Reply]:
        """Return a reply and the number of its request.

        The bytes of a file are received into their own object, so that nothing moves them again.
        """
        length, kind, number, field = _HEAD.unpack(self._take(_HEAD.size))
        if not _HEAD.size - 4 <= length <= LARGEST_PACKET:
            raise ProtocolError(f"a packet of {length} bytes")
        rest = self._take(length - (_HEAD.size - 4))
        if kind == Kind.DATA:
            if field != len(rest):
                raise ProtocolError("a packet ends early")
            return number, Reply(kind, memoryview(b""), rest)
        return number, Reply(kind, memoryview(struct.pack(">I", field) + rest))

    def _take(self, length: int) -> bytes:
        """Return exactly `length` bytes of what the server sent."""
        taken = self._channel.recv(length) if length else b""
        if len(taken) == length:
            return taken
        pieces = [taken]
        left = length - len(taken)
        while left:
            if not pieces[-1]:
                raise EOFError
            pieces.append(self._channel.recv(left))
            left -= len(pieces[-1])
        return b"".join(pieces)

    def _break(self, error: BaseException) -> None:
        if self._broken is None:
            self._broken = error
