"""Objects that the chain holds, and that are to be taken again because what holds them is damaged.

The audit log tells of which volumes that was done: damage that comes later is not mended by it.
"""

from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass
from itertools import pairwise

from repatria.work.catalogue import Standing
from repatria.work.journal import Journal

_ALL = "all"


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was sent again of one damaged bundle."""

    time: str
    """When the copy that sent it ended: RFC 3339, UTC."""
    into: frozenset[str] = frozenset()
    """The bundles that it went into."""
    volumes: frozenset[int] | None = frozenset()
    """The volumes whose objects were sent again as far as they still stood; None: those of every volume."""

    def covers(self, volumes: Collection[int]) -> bool:
        """Return whether damage of these volumes costs nothing of the dataset as it stands."""
        return self.volumes is None or self.volumes.issuperset(volumes)

    def after(self, earlier: "Repaired | None") -> "Repaired":
        """Return what was sent again in all, once this follows an earlier repair of the same bundle."""
        if earlier is None:
            return self
        both = None if self.volumes is None or earlier.volumes is None else self.volumes | earlier.volumes
        return Repaired(self.time, earlier.into | self.into, both)


def volumes_text(volumes: Iterable[int] | None) -> str:
    """Return volumes as the audit log holds them: `2,5-9`, or `all` for None."""
    if volumes is None:
        return _ALL
    numbers = sorted(volumes)
    starts = numbers[:1] + [after for before, after in pairwise(numbers) if after != before + 1]
    ends = [before for before, after in pairwise(numbers) if after != before + 1] + numbers[-1:]
    spans = zip(starts, ends, strict=True)
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def parse_volumes(text: str) -> frozenset[int] | None:
    """Return the volumes of such a text, None for all; of what is no such text, none."""
    if text == _ALL:
        return None
    try:
        spans = [part.partition("-") for part in text.split(",") if part]
        return frozenset(number for first, _dash, last in spans for number in range(int(first), int(last or first) + 1))
    except ValueError:
        return frozenset()


def take_again(journal: Journal, numbers: Container[int]) -> Standing:
    """Have the next copy take these objects again, as far as they still stand; return how many those are.

    They stay known, so that one that is gone from the source is buried like any other; but no version of them equals
    the one that is known.
    """
    rows = journal.each("SELECT path, number, size FROM catalogue")
    found = [(path, size) for path, number, size in rows if number in numbers]
    journal.change_many("UPDATE catalogue SET fingerprint=x'' WHERE path=?", ((path,) for path, _size in found))
    return Standing(len(found), sum(size for _path, size in found))
