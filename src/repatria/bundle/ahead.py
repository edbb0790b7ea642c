"""Reading on from any place in few requests: what is read in order is fetched ahead, in growing steps."""

import threading
from dataclasses import dataclass

from repatria.crypt.seek import ByteRanges

BLOCK = 64 << 10
"""One chunk of an age file: less cannot be decrypted."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """Bytes that are in memory already, as random access."""

    data: bytes | bytearray | memoryview

    @property
    def size(self) -> int:
        """All bytes there are."""
        return len(self.data)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes of a range."""
        return bytes(memoryview(self.data)[offset : offset + length])


class ReadAhead:
    """Random access over a `DecryptingReader`, whose cache keeps what is fetched ahead; safe from several threads.

    A read that goes on where the one before ended fetches twice as many blocks as that did, up to `most`; a jump begins
    again with what it needs.
    """

    def __init__(self, ranges: ByteRanges, *, most: int = 32) -> None:
        self._ranges = ranges
        self._most = most
        self._fetched_from = 0
        self._fetched_to = 0
        self._run = 1
        self._lock = threading.Lock()
        self.size = ranges.size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        with self._lock:
            self._fetch(offset // BLOCK, -(-end // BLOCK))
        return self._ranges.read_at(offset, end - offset)

    def _fetch(self, first: int, after: int) -> None:
        if self._fetched_from <= first and after <= self._fetched_to:
            return
        goes_on = self._fetched_from <= first <= self._fetched_to
        self._run = min(self._run * 2, self._most) if goes_on else 1
        self._fetched_from = first
        start = max(first, self._fetched_to) if goes_on else first
        self._fetched_to = max(after, start + self._run)
        if self._fetched_to - start > after - first:
            self._ranges.read_at(start * BLOCK, min(self._fetched_to * BLOCK, self.size) - start * BLOCK)
