"""What the ETags of sources are worth as checksums, learned while a copy runs (docs/adr/source-checksums.md)."""

from dataclasses import dataclass, field
from typing import Self

LARGEST_QUESTION = 64 << 20
"""Bytes of the largest object that is read a second time only to find out what a source's ETags are."""


@dataclass(slots=True)
class Etags:
    """Which sources put MD5s into their ETags; for one thread."""

    _proven: set[str] = field(default_factory=set)
    """Sources of which an ETag was the MD5 of its object."""
    _asked: set[str] = field(default_factory=set)
    """Sources of which an object's ETag was not its MD5, before any was."""

    def agreed(self, source: str) -> None:
        """Note that an object's ETag is its MD5."""
        self._proven.add(source)

    def speak_against(self, source: str, size: int) -> bool:
        """Return whether it tells anything of an object's bytes that its ETag is not their MD5.

        It does where other ETags of the source are MD5s; and once where nothing is known yet, because that object may
        be a damaged one. When it has been read again, or costs too much to be, the source is taken to put something
        else there.
        """
        if source in self._proven:
            return True
        is_first = source not in self._asked
        self._asked.add(source)
        return is_first and size <= LARGEST_QUESTION

    def copy(self) -> Self:
        """Return the same knowledge, to be added to elsewhere."""
        return type(self)(set(self._proven), set(self._asked))

    def learn(self, other: "Etags") -> None:
        """Take in what has shown elsewhere."""
        self._proven |= other._proven
        self._asked |= other._asked
