"""Whether a source gives other bytes while it does not give some: what is wrong then is not the link.

A damaged sector, an object that its service cannot find on its disks, a firewall that cuts one file for what is in it:
each looks like a lost link to whoever reads that object alone, and would be waited for as long, in vain.
"""

import math
import threading
import time
from itertools import islice

from repatria.errors import StoreError
from repatria.model import Object, ObjectKind
from repatria.source.base import ObjectSource

_LOOKED_AT = 1000
"""Objects of a listing, when none has come yet: as many as S3 tells of in one reply."""


class WithheldError(StoreError):
    """An object does not come, time and again, while others of its source do."""


class Witness:
    """Bytes of a source that came not long ago, to be asked for again; for many threads."""

    def __init__(self, source: ObjectSource) -> None:
        self._source = source
        self._known: tuple[Object, int] | None = None
        self._asking = threading.Lock()
        self._asked_at = -math.inf
        self._comes = False

    def came(self, told: Object, start: int) -> None:
        """Take in that a read of an object came, from `start` on; a read that fails is never the one that came last."""
        self._known = (told, start)

    def comes(self, but: str) -> bool:
        """Return whether what came before comes now; if nothing did, another object than that with the path `but`.

        Threads that want to know at the same time ask once.
        """
        wanted_at = time.monotonic()
        with self._asking:
            if self._asked_at < wanted_at:
                self._asked_at = time.monotonic()
                self._comes = self._ask(but)
            return self._comes

    def _ask(self, but: str) -> bool:
        try:
            known = self._known or self._found(but)
            if known is None:
                return False
            with self._source.read(*known, 1) as reading:
                return sum(map(len, reading.chunks)) == 1
        except StoreError:
            return False

    def _found(self, but: str) -> tuple[Object, int] | None:
        """Return the beginning of an object among the first of the listing."""
        listed = islice(self._source.list(), _LOOKED_AT)
        others = (each for each in listed if each.kind is ObjectKind.FILE and each.size and each.path != but)
        found = next(others, None)
        return None if found is None else (found, 0)
