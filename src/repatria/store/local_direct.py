"""Large files straight to and from the disk, past the system's page cache (`O_DIRECT`, where there is such a thing).

A file that is written once and read back once gains nothing from the cache: it costs a page to find and clear for every
4 KiB, pushes out what others need, and answers the reading back from memory, where the disk itself should be asked.
docs/adr/stores.md has the figures.
"""

import errno
import fcntl
import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from repatria.memory import fresh
from repatria.store.base import Buffer

DIRECT_FROM = 1 << 20
"""Files of fewer bytes go through the cache: for them a disk's single round trip costs more than the cache does."""
BLOCK = 4 << 20
"""Bytes of one request to the disk."""
_GRAIN = 4096
"""What offsets and lengths must be multiples of, on every disk of today."""
_O_DIRECT: int = getattr(os, "O_DIRECT", 0)


def set_direct(file: int, wanted: bool) -> bool:
    """Send an open file's reads and writes past the cache, or through it again; return whether they go past it."""
    if not _O_DIRECT:
        return False
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    try:
        fcntl.fcntl(file, fcntl.F_SETFL, flags | _O_DIRECT if wanted else flags & ~_O_DIRECT)
    except OSError:  # this file system has no other way than its cache
        return False
    return wanted


def write_whole(file: int, chunk: Buffer) -> int:
    """Write all of a chunk and return its length in bytes."""
    view = memoryview(chunk).cast("B")
    written = 0
    while written < len(view):
        written += os.write(file, view[written:])
    return written


def write_file(file: int, data: Iterable[Buffer], size: int) -> int:
    """Write all of `data` to a new file, about `size` bytes; return how many they were."""
    if size < DIRECT_FROM or not set_direct(file, True):
        return sum(write_whole(file, chunk) for chunk in data)
    block = fresh(BLOCK)
    written = filled = 0
    for chunk in data:
        rest = memoryview(chunk).cast("B")
        if not filled:  # what lies in memory as the disk wants it goes there without being copied
            straight = _write_straight(file, rest)
            written, rest = written + straight, rest[straight:]
        while len(rest):
            part = rest[: BLOCK - filled]
            block[filled : filled + len(part)] = part
            filled, rest = filled + len(part), rest[len(part) :]
            if filled == BLOCK:
                _write_block(file, block)
                written, filled = written + BLOCK, 0
    set_direct(file, False)  # the end is no whole block
    return written + write_whole(file, block[:filled])


def _write_straight(file: int, chunk: memoryview) -> int:
    """Write the whole grains of a chunk, if it begins at a page; return how many bytes of it were written."""
    try:
        return os.write(file, chunk[: len(chunk) // _GRAIN * _GRAIN])
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return 0


def _write_block(file: int, block: memoryview) -> None:
    """Write a whole block; where that does not work past the cache, the rest of the file goes through it."""
    written = 0
    try:
        written = os.write(file, block)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    if written < len(block):
        set_direct(file, False)
        write_whole(file, block[written:])


class Blocks:
    """Reads a file from its beginning on, a block at a time, and the next one ahead; close it before the file."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._block, self._spare = fresh(BLOCK), fresh(BLOCK)
        self._from = self._to = 0
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="disk")
        self._ahead: Future[int] | None = None

    def read(self, offset: int, most: int) -> bytes:
        """Return at most `most` bytes from `offset`, which goes on where it was; none at the end of the file."""
        if offset >= self._to:
            length = self._ahead.result() if self._ahead is not None else self._fill(self._spare, offset)
            self._block, self._spare = self._spare, self._block
            self._from, self._to = offset, offset + length
            self._ahead = self._hand.submit(self._fill, self._spare, self._to) if length == BLOCK else None
        return bytes(self._block[offset - self._from : min(offset + most, self._to) - self._from])

    def close(self) -> None:
        """Let go of what was read ahead."""
        self._hand.shutdown()

    def _fill(self, block: memoryview, offset: int) -> int:
        try:
            return os.preadv(self._file, [block], offset)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        set_direct(self._file, False)
        return os.preadv(self._file, [block], offset)


def is_aligned(offset: int) -> bool:
    """Tell whether a file can be read past the cache from here."""
    return offset % _GRAIN == 0
