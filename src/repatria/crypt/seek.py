"""Reading any part of an age file by decrypting only the chunks it touches."""

import hashlib
import hmac
import io
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from repatria.crypt.errors import HeadChangedError, PayloadError
from repatria.crypt.header import Head, read_head
from repatria.crypt.payload import (
    CHUNK_SIZE,
    SEALED_CHUNK_SIZE,
    PayloadCipher,
    chunk_count,
    payload_size_of,
    truncated,
)
from repatria.crypt.unwrap import Identity, unwrap_file_key
from repatria.i18n import _

_CACHED_CHUNKS: Final = 64
_RUN: Final = 64
"""Chunks fetched by one range request at most: 4 MiB."""


class ByteRanges(Protocol):
    """Random access to bytes kept anywhere; safe to use from several threads."""

    @property
    def size(self) -> int:
        """All bytes there are."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; the range lies within `size`."""


def fetch_head(ranges: ByteRanges, head_sha256: bytes | None = None) -> Head:
    """Read the head of an age file by ranges; HeadChangedError unless it has the digest that was signed."""
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        data = ranges.read_at(position, min(size, ranges.size - position)) if position < ranges.size else b""
        position += len(data)
        return data

    head, _rest = read_head(read)
    if head_sha256 is not None and not hmac.compare_digest(hashlib.sha256(head.raw).digest(), head_sha256):
        raise HeadChangedError(
            _("This encrypted file is not the one that was signed for: its head has another digest."),
            advice=_("Another file stands in its place. Verify the bundle, and restore the file from another copy."),
        )
    return head


class DecryptingReader(io.RawIOBase):
    """The payload of an age file as a read-only, seekable file; reads may come from several threads by `read_at`.

    The head's digest, where one is given, is checked before any identity is used, and `size` (of the age file, as
    signed) before anything is read. Every chunk is authenticated before a byte of it is given out, the last one as the
    last before the payload's size is trusted: CryptError subclasses tell which of these failed.
    """

    def __init__(
        self,
        ranges: ByteRanges,
        identities: Iterable[Identity],
        *,
        head_sha256: bytes | None = None,
        size: int | None = None,
    ) -> None:
        super().__init__()
        if size is not None and ranges.size != size:
            raise PayloadError(
                _("The encrypted file has {seen} bytes instead of {expected}.").format(seen=ranges.size, expected=size),
                advice=_("Fetch the file again from where it was made; do not trust this copy."),
            )
        head = fetch_head(ranges, head_sha256)
        self._ranges = ranges
        self._cipher = PayloadCipher(unwrap_file_key(head.header, identities), head.nonce)
        self.payload_offset = len(head)
        self._claimed_size = payload_size_of(ranges.size - self.payload_offset)
        self._chunk_count = chunk_count(self._claimed_size)
        self._size_is_proven = False
        self._position = 0
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def payload_size(self) -> int:
        """Bytes of the payload; authenticates the last chunk the first time."""
        if not self._size_is_proven:
            self._chunks(self._chunk_count - 1, self._chunk_count)
        return self._claimed_size

    @property
    def size(self) -> int:
        """The same as `payload_size`: a reader is itself random access to bytes."""
        return self.payload_size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the payload's bytes from `offset`: `length` of them, fewer only where the payload ends."""
        return b"".join(self._parts(offset, length))

    def _parts(self, offset: int, length: int) -> Iterator[memoryview]:
        """Yield what of each chunk lies in the range; chunks are fetched a run at a time."""
        end = offset + length
        if end > self._claimed_size:
            end = self.payload_size
        while offset < end:
            first = offset // CHUNK_SIZE
            after = min(chunk_count(end), first + _RUN)
            for number, chunk in enumerate(self._chunks(first, after), first):
                part = memoryview(chunk)[offset - number * CHUNK_SIZE : end - number * CHUNK_SIZE]
                yield part
                offset += len(part)

    def _chunks(self, first: int, after: int) -> list[bytes]:
        """Return the plaintext of the chunks from `first` up to `after`, one range request for all that are missing."""
        with self._lock:
            known = {number: self._cache[number] for number in range(first, after) if number in self._cache}
            for number in known:
                self._cache.move_to_end(number)
        missing = [number for number in range(first, after) if number not in known]
        if missing:
            known.update(self._fetch(missing[0], missing[-1] + 1))
        return [known[number] for number in range(first, after)]

    def _fetch(self, first: int, after: int) -> dict[int, bytes]:
        start = self.payload_offset + first * SEALED_CHUNK_SIZE
        end = min(self.payload_offset + after * SEALED_CHUNK_SIZE, self._ranges.size)
        sealed = memoryview(self._ranges.read_at(start, end - start))
        if len(sealed) != end - start:
            raise truncated()
        opened = {}
        for number in range(first, after):
            position = (number - first) * SEALED_CHUNK_SIZE
            last = number == self._chunk_count - 1
            opened[number] = self._cipher.open_chunk(sealed[position : position + SEALED_CHUNK_SIZE], number, last)
            self._size_is_proven |= last
        with self._lock:
            self._cache.update(opened)
            while len(self._cache) > _CACHED_CHUNKS:
                self._cache.popitem(last=False)
        return opened

    # What io.RawIOBase builds the rest on.

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # any writable buffer
        """Fill `buffer` from the current position; short only at the end of the payload."""
        self._check_open()
        view = memoryview(buffer).cast("B")
        count = 0
        for part in self._parts(self._position, len(view)):
            view[count : count + len(part)] = part
            count += len(part)
        self._position += count
        return count

    def readall(self) -> bytes:
        """Return all that is left."""
        self._check_open()
        data = self.read_at(self._position, max(0, self.payload_size - self._position))
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; relative to the end only after the last chunk was authenticated."""
        self._check_open()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence)
        if base is None:
            base = self.payload_size
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position in the payload."""
        self._check_open()
        return self._position

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on a closed reader")
