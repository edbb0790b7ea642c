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
        self.exhausted = False
        """Whether the end of the stream was seen: then `waiting` holds all that is left."""

    @property
    def waiting(self) -> tuple[_T, ...]:
        """The items that were looked at and not yet asked for."""
        return tuple(self._waiting)

    def look(self) -> None:
        """Look as far ahead as memory allows."""
        while not self.exhausted and len(self._waiting) < self._limit:
            try:
                self._waiting.append(next(self._items))
            except StopIteration:
                self.exhausted = True

    def __iter__(self) -> Iterator[_T]:
        return self

    def __next__(self) -> _T:
        if len(self._waiting) <= self._limit // 2:
            self.look()
        if not self._waiting:
            raise StopIteration
        return self._waiting.popleft()
