"""Reading on from any place in few requests: what is read in order is fetched ahead, in growing steps."""

import threading
from dataclasses import dataclass

from repatria.crypt.errors import PayloadError
from repatria.crypt.seek import ByteRanges

BLOCK = 64 << 10
"""One chunk of an age file: less cannot be decrypted."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """Bytes that are in memory already, as random access."""

    data: bytes | bytearray | memoryview
    signed_size: int | None = None
    """How many bytes it should be, where it may be cut short."""

    @property
    def size(self) -> int:
        """All bytes that there are, or should be."""
        return len(self.data) if self.signed_size is None else self.signed_size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes of a range."""
        return bytes(memoryview(self.data)[offset : offset + length])


class ReadAhead:
    """Random access over a `DecryptingReader`, whose cache keeps what is fetched ahead; safe from several threads.

    A read that goes on where the one before ended fetches twice as many blocks as that did, up to `most`; a jump begins
    again with what it needs. Damage in what is fetched ahead is nothing to whoever did not ask for it.
    """

    def __init__(self, ranges: ByteRanges, *, size: int | None = None, most: int = 32) -> None:
        """Read from `ranges`; without a `size` that is signed, its own is asked for, which takes the last block."""
        self._ranges = ranges
        self._most = most
        self._fetched_from = 0
        self._fetched_to = 0
        self._run = 1
        self._lock = threading.Lock()
        self.size = ranges.size if size is None else size

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
            try:
                self._ranges.read_at(start * BLOCK, min(self._fetched_to * BLOCK, self.size) - start * BLOCK)
            except PayloadError:  # the read itself tells whether that concerns it
                self._run, self._fetched_to = 1, first
