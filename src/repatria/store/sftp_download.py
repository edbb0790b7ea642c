"""The bytes of one open file, asked for ahead."""

import contextlib
import struct
from collections import deque
from collections.abc import Iterator

from repatria.store.sftp_exchange import Exchange
from repatria.store.sftp_packet import Attributes, Code, Kind, ProtocolError, StatusError, text

IN_FLIGHT = 8 << 20
"""Bytes of one file asked for before the first of them has come."""


class Download:
    """Some bytes of an open file, in order; what the file was after the last of them comes along with that."""

    def __init__(self, exchange: Exchange, handle: bytes, span: range, largest: int) -> None:
        """Ask for the first of them, at most `largest` at a time."""
        self._exchange = exchange
        self._handle: bytes | None = handle
        self._largest = largest
        self._left = span
        self._asked: deque[tuple[int, int, int]] = deque()
        """Number of the request, offset, length."""
        self._last_look: int | None = None
        self._ask()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return some bytes; StopIteration once all came, or where the file ended."""
        if not self._asked:
            raise StopIteration
        number, at, length = self._asked.popleft()
        try:
            data = self._exchange.reply(number, Kind.DATA).data
        except StatusError as error:
            if error.code == Code.END:
                raise StopIteration from None
            raise
        if len(data) > length:
            raise ProtocolError("more bytes came than were asked for")
        if not data:
            raise StopIteration
        if len(data) < length:
            self._ask_again(at + len(data), length - len(data))
        else:
            self._ask()
        return data

    def attributes_at_end(self) -> Attributes:
        """Return what the file was after its last bytes were read."""
        if self._handle is None:
            raise ValueError("the file is closed")
        if self._last_look is None:
            self._last_look = self._exchange.send(Kind.FSTAT, text(self._handle))
        number, self._last_look = self._last_look, None
        return self._exchange.reply(number, Kind.ATTRS).attributes()

    def close(self) -> None:
        """Close the file; replies still under way are dropped when they come."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        looks = () if self._last_look is None else (self._last_look,)
        self._exchange.abandon((*(number for number, _at, _length in self._asked), *looks))
        self._asked.clear()
        with contextlib.suppress(OSError, EOFError):
            self._exchange.abandon([self._exchange.send(Kind.CLOSE, text(handle))])

    def _ask(self) -> None:
        """Keep as much under way as may be, and the last look behind the last bytes."""
        if self._handle is None:
            return
        room = max(2, IN_FLIGHT // self._largest) - len(self._asked)
        spans: list[tuple[int, int]] = []
        while self._left and len(spans) < room:
            spans.append((self._left.start, min(self._largest, len(self._left))))
            self._left = self._left[spans[-1][1] :]
        requests = [_read(self._handle, at, length) for at, length in spans]
        if requests and not self._left:
            requests.append((Kind.FSTAT, text(self._handle)))
        numbers = self._exchange.send_all(requests)
        self._asked.extend((number, at, length) for number, (at, length) in zip(numbers, spans, strict=False))
        if len(numbers) > len(spans):
            self._last_look = numbers[-1]

    def _ask_again(self, at: int, length: int) -> None:
        """Ask for what a server kept back, which may give less than it was asked for; the last look comes after it."""
        if self._handle is None:
            return
        number = self._exchange.send(*_read(self._handle, at, length))
        self._asked.appendleft((number, at, length))
        if self._last_look is not None:
            self._exchange.abandon((self._last_look,))
            self._last_look = None


def _read(handle: bytes, at: int, length: int) -> tuple[int, bytes]:
    return Kind.READ, text(handle) + struct.pack(">QI", at, length)
