"""Whether a source gives other bytes while it does not give some: what is wrong then is not the link.

A damaged sector, an object that its service cannot find on its disks, a firewall that cuts one file for what is in it,
one object for which a service always asks for patience: each looks like a lost link or a busy service to whoever reads
that object alone, and would be waited for as long, in vain.

The other way round, a link may carry little replies and none that are larger (path MTU, a proxy's limit). So as many
bytes are asked for as do not come, if as many are known to be there; what came of fewer says less (`Witness.blames`).
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from repatria.errors import StoreError
from repatria.model import Object, ObjectKind
from repatria.source.base import ObjectSource
from repatria.work.patience import TRANSIENT

MOST_BLAMED = 8
"""Objects in a row that are blamed though only fewer bytes than theirs come: where all do not come, it is the link."""
_REMEMBERED = 32
"""Reads that came last: enough that one of another object, and as large, is mostly among them."""
_LOOKED_AT = 1000
"""Objects of a listing, when none has come yet: as many as S3 tells of in one reply."""


class WithheldError(StoreError):
    """An object does not come, time and again, while others of its source do."""


@dataclass(frozen=True, slots=True)
class _Came:
    """A range that came, or should."""

    told: Object
    start: int
    length: int


class Witness:
    """Bytes of a source that came not long ago, to be asked for again; for many threads."""

    def __init__(self, source: ObjectSource, count: Callable[[int], None] = lambda _amount: None) -> None:
        """`count` is told of bytes that the link carries."""
        self._source = source
        self._count = count
        self._came: deque[_Came] = deque(maxlen=_REMEMBERED)
        self._blamed: set[str] = set()
        self._aside: set[str] = set()
        self._lock = threading.Lock()
        """Of the three above; none is held up by an answer that is waited for."""
        self._asking = threading.Lock()
        self._asked_at = -math.inf
        self._asked_for = 0
        self._comes = 0

    def came(self, told: Object, start: int, length: int) -> None:
        """Take in that a read of an object came whole; one of nothing says nothing."""
        if not length:
            return
        with self._lock:
            self._came.append(_Came(told, start, length))
            self._blamed.clear()

    def ask(self, length: int, but: str) -> int:
        """Return how many bytes come now, `length` (or one) at most, of what came before; 0 if that does not come.

        They are another object's than that with the path `but`, if another's came. If nothing did, they are any other's
        of the listing. Threads that want to know at the same time ask once.
        """
        wanted_at = time.monotonic()
        with self._asking:
            if self._asked_at < wanted_at or self._asked_for < length:
                self._asked_at, self._asked_for = time.monotonic(), length
                self._comes = self._ask(max(1, length), but)
            return self._comes

    def blames(self, path: str, *, is_sure: bool) -> bool:
        """Return whether it is the object with this path that is at fault, and not the link, while other bytes come.

        `is_sure`: as many come as are wanted of it. Else it is one of a few: of many in a row, with nothing that came
        between them, none is.
        """
        with self._lock:
            if not is_sure and path not in self._blamed:
                if len(self._blamed) >= MOST_BLAMED:
                    return False
                self._blamed.add(path)
            return True

    def put_aside(self, path: str) -> None:
        """Take in that the object with this path is given up for now."""
        with self._lock:
            self._aside.add(path)

    def was_put_aside(self, path: str) -> bool:
        """Return whether it was given up before: what is tried now is its last chance, and not cut short."""
        with self._lock:
            return path in self._aside

    def _ask(self, length: int, but: str) -> int:
        known: _Came | None = None
        try:
            known = self._best(length, but) or self._found(length, but)
            if known is None:
                return 0
            wanted = min(length, known.length)
            with self._source.read(known.told, known.start, wanted) as reading:
                comes = sum(map(len, reading.chunks))
        except TRANSIENT:
            return 0
        except StoreError:  # it is gone, or another by now: it says nothing of the link, and is not asked for again
            with self._lock:
                if known is not None and known in self._came:
                    self._came.remove(known)
            return 0
        self._count(comes)
        return comes if comes == wanted else 0

    def _best(self, length: int, but: str) -> _Came | None:
        """Return of what came what says most: of another object, as large as possible, the last."""
        with self._lock:
            latest = reversed(self._came)
            return max(latest, key=lambda each: (each.told.path != but, min(each.length, length)), default=None)

    def _found(self, length: int, but: str) -> _Came | None:
        """Return the beginning of an object among the first of the listing, as large as possible."""
        listed = islice(self._source.list(), _LOOKED_AT)
        others = (each for each in listed if each.kind is ObjectKind.FILE and each.size and each.path != but)
        found = max(others, key=lambda each: min(each.size, length), default=None)
        return None if found is None else _Came(found, 0, found.size)
