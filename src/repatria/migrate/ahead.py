"""Looking ahead in a stream, as far as memory allows: whoever sees its end knows its total."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Ahead(Generic[_T]):
    """An iterator that holds up to `limit` items before they are asked for."""

    def __init__(self, items: Iterable[_T], limit: int) -> None:
        self._items = iter(items)
        self._waiting: deque[_T] = deque()
        self._limit = limit
        self._error: Exception | None = None
        self.exhausted = False
        """Whether the end of the stream was seen: then `waiting` holds all that is left."""

    @property
    def waiting(self) -> tuple[_T, ...]:
        """The items that were looked at and not yet asked for."""
        return tuple(self._waiting)

    def look(self, count: int) -> bool:
        """Look at `count` more items, as far as memory allows; return whether there was any.

        What goes wrong is raised when the items before it were asked for.
        """
        wanted = min(len(self._waiting) + count, self._limit)
        before = len(self._waiting)
        while not self.exhausted and self._error is None and len(self._waiting) < wanted:
            try:
                self._waiting.append(next(self._items))
            except StopIteration:
                self.exhausted = True
            except Exception as error:
                self._error = error
        return len(self._waiting) > before

    def __iter__(self) -> Iterator[_T]:
        return self

    def __next__(self) -> _T:
        if not self._waiting:
            self.look(1)
        if self._waiting:
            return self._waiting.popleft()
        if self._error is not None:
            raise self._error
        raise StopIteration
