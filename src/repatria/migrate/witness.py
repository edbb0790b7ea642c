"""Whether a source gives other bytes while it does not give some: what is wrong then is not the link.

A damaged sector, an object that its service cannot find on its disks, a firewall that cuts one file for what is in it:
each looks like a lost link to whoever reads that object alone, and would be waited for as long, in vain.
"""

import threading

from repatria.errors import StoreError
from repatria.model import Object
from repatria.source.base import ObjectSource


class WithheldError(StoreError):
    """An object does not come, time and again, while others of its source do."""


class Witness:
    """Bytes of a source that came not long ago, to be asked for again; for many threads."""

    def __init__(self, source: ObjectSource) -> None:
        self._source = source
        self._known: tuple[Object, int] | None = None
        self._asking = threading.Lock()

    def came(self, told: Object, start: int) -> None:
        """Take in that a read of an object came, from `start` on; a read that fails is never the one that came last."""
        self._known = (told, start)

    def comes(self) -> bool:
        """Return whether what came before comes now, too; False as well while another thread finds that out."""
        known = self._known
        if known is None or not self._asking.acquire(blocking=False):
            return False
        told, start = known
        try:
            with self._source.read(told, start, 1) as reading:
                return sum(map(len, reading.chunks)) == 1
        except StoreError:
            return False
        finally:
            self._asking.release()
