"""Which member names the unfinished bundle has taken, kept as marks: those of sent volumes in the journal.

A listing of a million objects asks some millions of times whether a mark is taken, and the answer is nearly always no:
a Bloom filter gives it without asking the journal.
"""

import struct
import threading
from collections.abc import Iterable

from repatria.work.journal import Journal

_FOUR_NUMBERS = struct.Struct("<4I")


class MarkFilter:
    """A Bloom filter over marks of 16 bytes, which are hashes already: what was added it always tells.

    Of marks that were not added it tells one in a thousand with three million added, and more with more.
    """

    def __init__(self) -> None:
        self._bits = bytearray(1 << 23)  # 2^26 bits; pages of memory that nothing is in cost nothing

    def add(self, mark: bytes) -> None:
        """Add a mark."""
        for number in _FOUR_NUMBERS.unpack(mark):
            self._bits[number >> 9] |= 1 << (number >> 6 & 7)

    def may_hold(self, mark: bytes) -> bool:
        """Return False only if a mark was never added."""
        bits = self._bits
        a, b, c, d = _FOUR_NUMBERS.unpack(mark)
        return bool(
            bits[a >> 9] >> (a >> 6 & 7) & bits[b >> 9] >> (b >> 6 & 7)
            & bits[c >> 9] >> (c >> 6 & 7) & bits[d >> 9] >> (d >> 6 & 7) & 1
        )  # fmt: skip


class NameMarks:
    """Which member names a bundle has taken: those of sent volumes in the journal, others in memory.

    A name that was claimed for an object that is then dropped, or that died with its process, is free again: stock
    tools see no odd names because of a power cut. This is the `NameMemory` of `repatria.bundle.names`.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._kept = MarkFilter()
        for (mark,) in journal.each("SELECT mark FROM names"):
            self._kept.add(mark)
        self._claimed: dict[bytes, int] = {}
        self._by_object: dict[int, list[bytes]] = {}
        self._object = 0

    def claim_for(self, number: int) -> None:
        """Say for which object the marks are that follow; the caller lets one thread at a time claim."""
        self._object = number

    def add(self, mark: bytes, /) -> None:
        """Remember a mark."""
        with self._lock:
            self._claimed[mark] = self._claimed.get(mark, 0) + 1
            self._by_object.setdefault(self._object, []).append(mark)

    def __contains__(self, mark: bytes, /) -> bool:
        # Without the lock: a mark that leaves `_claimed` is in the filter before.
        if mark in self._claimed:
            return True
        return self._kept.may_hold(mark) and self._is_kept(mark)

    def _is_kept(self, mark: bytes) -> bool:
        return self._journal.row("SELECT 1 FROM names WHERE mark=? LIMIT 1", mark) is not None

    def of(self, numbers: Iterable[int]) -> list[bytes]:
        """Return the marks that were claimed for objects and are not in the journal yet."""
        with self._lock:
            return [mark for number in numbers for mark in self._by_object.get(number, ())]

    def let_go(self, numbers: Iterable[int]) -> None:
        """Forget what was claimed for objects in memory: they were dropped, or the journal holds their names."""
        with self._lock:
            for number in numbers:
                for mark in self._by_object.pop(number, ()):
                    self._kept.add(mark)
                    self._claimed[mark] -= 1
                    if not self._claimed[mark]:
                        del self._claimed[mark]

    def let_go_all(self) -> None:
        """Forget everything that was claimed in memory."""
        with self._lock:
            self._by_object.clear()
            self._claimed.clear()
