"""The bytes of one object, taken up again where the connection broke."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from repatria.errors import UnreachableError

PATIENCE = 5
"""How often a reading that breaks off is taken up again without one new byte."""
FIRST_PAUSE = 0.2
"""Seconds before the first new attempt; twice as long before each further one."""


class Chunks(Protocol):
    """The bytes that one request gives."""

    def __next__(self) -> bytes:
        """Return some bytes; StopIteration when all came, UnreachableError if the connection broke before."""

    def close(self) -> None:
        """Let go of the connection."""


class Resuming:
    """The bytes of an object from `start` on; `reopen` asks for them from an offset, pinned to the same version."""

    def __init__(self, first: Chunks, start: int, reopen: Callable[[int], Chunks]) -> None:
        self._chunks: Chunks | None = first
        self._at = start
        self._reopen = reopen
        self._tries = 0
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while not self._ended:
            try:
                return self._next()
            except UnreachableError:
                self._release()
                self._tries += 1
                if self._tries > PATIENCE:
                    self._ended = True
                    raise
                time.sleep(FIRST_PAUSE * 2 ** (self._tries - 1))
            except BaseException:
                self.close()
                raise
        raise StopIteration

    def close(self) -> None:
        """Let go of the connection, read to the end or not."""
        self._ended = True
        self._release()

    def _next(self) -> bytes:
        if self._chunks is None:
            self._chunks = self._reopen(self._at)
        chunk = next(self._chunks)
        self._at += len(chunk)
        self._tries = 0
        return chunk

    def _release(self) -> None:
        if self._chunks is not None:
            self._chunks.close()
            self._chunks = None
