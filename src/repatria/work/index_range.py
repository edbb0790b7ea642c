"""How many volumes one index covers: pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one index may hold at most; but for a single volume, which it always may."""

    volumes: int
    objects: int
    pages: int
    row_bytes: int
    """Of all rows, as `PackedContent.size` tells."""


@dataclass(frozen=True, slots=True)
class Range:
    """Volumes that one index may cover: all up to `last` are proven or given up."""

    first: int
    last: int
    is_full: bool
    """Whether a limit keeps it from covering one more."""


def next_range(first: int, volumes: Iterable[tuple[int, int, int, int]], limits: Limits) -> Range | None:
    """Return what an index from the volume `first` on may cover, None if there is nothing.

    `volumes` are the proven ones, by number: number, objects, pages, and bytes of rows of each.
    """
    covered = 0
    left = limits
    for number, objects, pages, row_bytes in volumes:
        left = Limits(left.volumes - 1, left.objects - objects, left.pages - pages, left.row_bytes - row_bytes)
        if covered and min(left.volumes, left.objects, left.pages, left.row_bytes) < 0:
            return Range(first, covered, is_full=True)
        covered = number
    is_full = min(left.volumes, left.objects, left.pages, left.row_bytes) <= 0
    return Range(first, covered, is_full) if covered else None
