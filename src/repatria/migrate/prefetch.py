"""Reading the slices of a unit ahead of the worker that fills its volumes, over many connections at once.

The slices are cut into ranges; ranges are read side by side, in whatever order they come, and handed out in their own
order, so that digests run straight through. A window bounds what is read ahead of the worker, and so the memory.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial

from repatria.migrate.fetching import Fetcher
from repatria.migrate.plan import Slice
from repatria.model import Object

RANGE = 1 << 20
"""Bytes of one read: at 8 Mbit/s a second of one connection, so that a broken one costs little."""
WINDOW_BYTES = 40 << 20
WINDOW_READS = 256
"""How far the reads of one unit run ahead of its worker, at most; and never more than a volume."""
_GLANCE = 0.5
"""Seconds between two looks at whether a stop was asked for, while a read is waited for."""


@dataclass(slots=True)
class _Ahead:
    piece: Slice
    length: int
    future: "Future[tuple[Object, bytes]]"


class Prefetch:
    """The slices of one unit on their way; asked for in their order, by one thread."""

    def __init__(self, fetcher: Fetcher, slices: Iterable[Slice], order: int, volume_size: int) -> None:
        """Begin to read; of several units, the one with the lower `order` goes first."""
        self._fetcher = fetcher
        self._given_up: set[int] = set()
        self._ranges = self._cut(slices)
        self._next = next(self._ranges, None)
        self._order = order
        self._window = min(WINDOW_BYTES, volume_size)
        self._read = 0
        self._ahead: deque[_Ahead] = deque()
        self._ahead_bytes = 0
        self._top_up()

    def chunks(self, piece: Slice) -> Iterator[tuple[Object, bytes]]:
        """Yield a slice's bytes, each with the object as fully as the reply told of it; or raise what its read raised.

        A slice that is not read to its end is skipped when the next one is asked for.
        """
        while piece.length and self._ahead and self._ahead[0].piece is not piece:
            self._let_go()
        while self._ahead and self._ahead[0].piece is piece:
            result = self._awaited(self._ahead[0].future)
            self._let_go()
            yield result

    def give_up(self, number: int) -> None:
        """Read nothing more of the object with this number."""
        self._given_up.add(number)

    def close(self) -> None:
        """Let what was read ahead fall."""
        self._next = None
        while self._ahead:
            self._let_go()

    def _awaited(self, future: "Future[tuple[Object, bytes]]") -> tuple[Object, bytes]:
        """Return what a read brings; while it hangs in a source that says nothing, a stop is heard all the same."""
        while not wait((future,), timeout=_GLANCE).done:
            self._fetcher.patience.stop.raise_if_requested()
        return future.result()

    def _let_go(self) -> None:
        first = self._ahead.popleft()
        first.future.cancel()
        self._ahead_bytes -= first.length
        self._top_up()

    def _top_up(self) -> None:
        while self._next is not None and len(self._ahead) < WINDOW_READS:
            piece, start, length = self._next
            if self._ahead and self._ahead_bytes + length > self._window:
                return
            self._next = next(self._ranges, None)
            source = piece.planned.source
            self._read += 1
            future = self._fetcher.connections[source].submit(
                (self._order, self._read), partial(self._fetcher.read, source, piece.planned.object, start, length)
            )
            self._ahead.append(_Ahead(piece, length, future))
            self._ahead_bytes += length

    def _cut(self, slices: Iterable[Slice]) -> Iterator[tuple[Slice, int, int]]:
        """Yield every slice cut into ranges: (slice, start in the object, length)."""
        for piece in slices:
            end = piece.start + piece.length
            for start in range(piece.start, end, RANGE):
                if piece.planned.number in self._given_up:
                    break
                yield piece, start, min(RANGE, end - start)
