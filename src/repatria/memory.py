"""Memory: large pieces for what is filled, sealed, sent and then filled again; and how seldom it is tidied."""

import contextlib
import gc
import mmap
import threading
from typing import Final

_MAPPED_FROM: Final = 1 << 20
_COLLECT_AFTER: Final = 50_000


def fresh(size: int) -> memoryview:
    """Return zeroed memory; from 1 MiB on it begins at a page, so that disks can read and write it by themselves.

    In large pages, where the system has some: finding and clearing as many small ones takes longer than encrypting
    what goes there (0.5 against 0.07 s a GiB on the machine of docs/adr/units-and-parts.md).
    """
    if size < _MAPPED_FROM:
        return memoryview(bytearray(size))
    memory = mmap.mmap(-1, size)
    with contextlib.suppress(AttributeError, OSError):  # quicker, and only that
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)


class Pool:
    """Memory that goes from hand to hand; safe from several threads."""

    def __init__(self, size: int) -> None:
        """Make a pool of pieces of `size` bytes; there are as many as were ever in use at a time."""
        self._size = size
        self._lock = threading.Lock()
        self._free: list[memoryview] = []

    def take(self) -> memoryview:
        """Return a piece, whatever is in it."""
        with self._lock:
            if self._free:
                return self._free.pop()
        return fresh(self._size)

    def give(self, piece: memoryview) -> None:
        """Give back a piece that nobody uses any more; one of another size is let go."""
        if len(piece) == self._size:
            with self._lock:
                self._free.append(piece)


def collect_seldom() -> None:
    """Look for cycles among the objects of this process only after 50,000 new ones.

    What lists and copies makes hundreds of thousands of small objects that stay, and next to no cycles; looking through
    them time and again took a twelfth of a copy's processor time.
    """
    gc.set_threshold(_COLLECT_AFTER)
