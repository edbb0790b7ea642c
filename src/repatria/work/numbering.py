"""The numbers that a run gives out: objects and documents of the chain, volumes of the bundle."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NextNumbers:
    """The first numbers that are free."""

    object: int
    document: int


class Numbering:
    """Gives every number once; safe from several threads.

    A number that was given out and not used is a gap, never given again while this run lasts.
    """

    def __init__(self, next_object: int, next_document: int) -> None:
        self._lock = threading.Lock()
        self._object = next_object
        self._document = next_document
        self._volume = 1
        self._in_flight: set[int] = set()

    def next_object(self) -> int:
        """Give a number that no object of the chain has."""
        with self._lock:
            self._object += 1
            return self._object - 1

    def next_document(self) -> int:
        """Give a number that no document of the chain has."""
        with self._lock:
            self._document += 1
            return self._document - 1

    def next_volume(self) -> int:
        """Give the number of a volume, which is in flight from now on."""
        with self._lock:
            number = self._volume
            self._volume += 1
            self._in_flight.add(number)
            return number

    def landed(self, volume: int) -> None:
        """Note that nothing more happens to a volume: it is proven, given up or dropped."""
        with self._lock:
            self._in_flight.discard(volume)

    def settled_up_to(self) -> int:
        """Return the highest number up to which no volume is in flight."""
        with self._lock:
            return min(self._in_flight, default=self._volume) - 1

    def volumes_after(self, highest: int) -> None:
        """Begin a bundle whose highest volume number, as far as the journal knows, is this."""
        with self._lock:
            self._volume = highest + 1
            self._in_flight.clear()

    def free(self) -> NextNumbers:
        """Return the first free numbers."""
        with self._lock:
            return NextNumbers(self._object, self._document)


class NumberSet:
    """A set of numbers in one bit each: an object's number is small, and few are gaps. Safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bits = bytearray()

    def update(self, numbers: Iterable[int]) -> None:
        """Add numbers."""
        with self._lock:
            for number in numbers:
                place = number >> 3
                if place >= len(self._bits):
                    self._bits.extend(bytes(place + 1))
                self._bits[place] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] & 1 << (number & 7))

    def clear(self) -> None:
        """Take every number out."""
        with self._lock:
            self._bits.clear()
