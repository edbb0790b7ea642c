"""Missing pages, suspected: gaps in the numbers of scans' names, and in those printed at pages' head or foot.

Pure arithmetic over what is known of a dossier. A number is told by a name or read by an engine, so what is found is
a suspicion and never more; it is silent where too little speaks for it (docs/adr/reviewing.md).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

LONGEST_GAP = 20
"""Numbers that may miss in one place: beyond, numbering begins anew rather than pages are missing."""
LEAST_NAMES = 3
"""Names that make a series."""
LEAST_RUN = 2
"""Pages numbered on, before a gap and after it: a single number may be misread."""
STRIDES = (1, 2)
"""Pages a number: pagination, and foliation, which numbers every other one."""

_TRAILING_NUMBER = re.compile(r"^(.*?)(\d{1,6})$", re.DOTALL)
_ROMAN_OR_SIDE = r"(?:\s*(?:r|v|ro|vo|r°|v°|recto|verso))?"
_PRINTED = re.compile(
    rf"^[\W_]*(?:p|pp|page|pages|f|fo|fol|folio|f°|n°)?[\W_]*(\d{{1,4}}){_ROMAN_OR_SIDE}(?:\s*(?:/|sur)\s*\d{{1,4}})?[\W_]*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers that are not there."""

    before: int
    """Place, in the sequence that was given, of the item before which they are missing."""
    first: int
    last: int


def gaps_in_names(names: Sequence[str]) -> Iterator[Gap]:
    """Yield the gaps in series of names that differ in a last number alone: `page-001`, `page-002`, `page-004`.

    Names come without their endings. A series that has more gaps than members numbers something else than pages.
    """
    series: dict[str, list[tuple[int, int]]] = {}
    for place, name in enumerate(names):
        if match := _TRAILING_NUMBER.match(name):
            series.setdefault(match[1], []).append((int(match[2]), place))
    for members in series.values():
        members.sort()
        found = [
            Gap(place, before + 1, number - 1)
            for (before, _place), (number, place) in pairwise(members)
            if 1 < number - before <= LONGEST_GAP + 1
        ]
        missing = sum(gap.last - gap.first + 1 for gap in found)
        if len(members) >= LEAST_NAMES and missing < len(members):
            yield from found


def printed_number(text: str) -> int | None:
    """Return the number that stands alone on a page's first or last line; None if none does, or they disagree."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    ends = dict.fromkeys(lines[:1] + lines[-1:])
    numbers = {int(match[1]) for line in ends if (match := _PRINTED.match(line))}
    return numbers.pop() if len(numbers) == 1 else None


def gaps_in_print(numbers: Sequence[int | None]) -> Iterator[Gap]:
    """Yield the gaps in the numbers printed on consecutive pages; None where none was read.

    Where pages are whole, number and place advance alike. A gap is where, after at least LEAST_RUN numbered pages that
    do so, at least as many go on with a higher difference: single misread numbers are runs of one, and no gap.
    """
    stride = max(STRIDES, key=lambda each: _support(numbers, each))
    runs = [run for run in _runs(numbers, stride) if len(run) >= LEAST_RUN]
    for before, after in pairwise(runs):
        ahead = _difference(after[0], stride) - _difference(before[0], stride)
        if 0 < ahead <= LONGEST_GAP:
            place, number = after[0]
            last = number - 1
            yield Gap(place, last - ahead + 1, last)


_Numbered = tuple[int, int]
"""The place of a page, and its number."""


def _difference(numbered: _Numbered, stride: int) -> int:
    place, number = numbered
    return number - place // stride


def _support(numbers: Sequence[int | None], stride: int) -> int:
    """Return how many pages agree with their neighbours."""
    return sum(len(run) for run in _runs(numbers, stride) if len(run) >= LEAST_RUN)


def _runs(numbers: Iterable[int | None], stride: int) -> list[list[_Numbered]]:
    numbered = [(place, number) for place, number in enumerate(numbers) if number is not None]
    return [list(run) for _key, run in groupby(numbered, key=lambda each: _difference(each, stride))]
