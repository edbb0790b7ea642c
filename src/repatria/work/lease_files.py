"""What the files of leases at a target say: whose they are, which still count, and who goes before whom.

Only names and times count (docs/formats/leases.md); what is inside tells people who has a dataset.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from repatria.bundle import layout
from repatria.errors import StoreError
from repatria.model import Object
from repatria.store.base import Store
from repatria.work.lock import Holder
from repatria.work.process_mark import ProcessMark

STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"([0-9]{8}T[0-9]{6}Z)-([a-z2-7]{16})-(?:([0-9]{4,9})|end)\.json\Z")
_LONGEST = 4096
_LONGEST_WORD = 64
_LARGEST = 1 << 62
"""Numbers of processes and of clock ticks are smaller on every system."""
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""A moment that can be shown, with what is added to it; who writes may name any."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long everything takes, in seconds. The first two are the same for all that share a target."""

    lifetime: float = 40 * 60.0
    """How long after its latest file a lease counts."""
    renewal: float = 15 * 60.0
    """Between two files of a lease."""
    beat: float = 1.0
    """Between two looks while it is not clear yet who has it."""
    patience: float = 20.0
    """How long it may stay unclear."""
    second_look: float = 10.0
    """When a run that holds it looks once more: a store may show files late."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One file of a lease, by its name and time alone."""

    path: str
    token: str
    """Which lease it belongs to: 80 random bits."""
    number: int
    """From 1; 0 for the file that ends the lease."""
    moment: float
    """When it was written, in seconds since the epoch: as the store tells, else as its writer did."""


@dataclass(frozen=True, slots=True)
class SeenLease:
    """The files of one lease that lie at the target."""

    marks: tuple[Mark, ...]
    """By number; never empty."""

    @property
    def token(self) -> str:
        """What tells it from all others."""
        return self.marks[0].token

    @property
    def ended(self) -> bool:
        """Whether its run ended it."""
        return self.marks[0].number == 0

    @property
    def first(self) -> float:
        """When the earliest of its files was written."""
        return min(mark.moment for mark in self.marks)

    @property
    def last(self) -> float:
        """When its run gave the last sign of life."""
        return max(mark.moment for mark in self.marks)

    @property
    def is_renewed(self) -> bool:
        """Whether its run has long begun: it holds the dataset, whoever came first."""
        return self.marks[-1].number > 1

    def is_live(self, now: float, terms: Terms) -> bool:
        """Return whether it counts at a moment of the same clock."""
        return not self.ended and now - self.last <= terms.lifetime


def mark_of(told: Object) -> Mark | None:
    """Return the file of a lease that a listing tells of; None for anything else."""
    match = _NAME.match(told.path.rpartition("/")[2])
    if match is None:
        return None
    try:
        stamp = datetime.strptime(match[1], STAMP).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    moment = stamp if told.mtime_ns is None else told.mtime_ns / 1e9
    return Mark(told.path, match[2], int(match[3] or 0), min(moment, _LATEST))


def gathered(marks: Iterable[Mark]) -> dict[str, SeenLease]:
    """Return the leases that files belong to, by token."""
    by_token: dict[str, list[Mark]] = {}
    for mark in marks:
        by_token.setdefault(mark.token, []).append(mark)
    return {token: SeenLease(tuple(sorted(files, key=lambda mark: mark.number))) for token, files in by_token.items()}


def leases_at(store: Store, dataset_id: str) -> dict[str, SeenLease]:
    """Return the leases of a dataset that lie at its target, ended and expired ones included, by token."""
    marks = map(mark_of, store.list(f"{dataset_id}/{layout.LEASES}/"))
    return gathered(mark for mark in marks if mark is not None)


def goes_before(other: SeenLease, own: SeenLease) -> bool:
    """Return whether of two leases that were claimed at the same time the other one has the dataset."""
    return other.is_renewed or (other.first, other.token) < (own.first, own.token)


@dataclass(frozen=True, slots=True)
class Told:
    """What the latest file of a lease says of its run."""

    holder: Holder
    mark: ProcessMark | None = None
    """The very process; None where that is not told."""


def told_by(store: Store, lease: SeenLease) -> Told:
    """Return what the latest file of a lease says; question marks where it cannot be read."""
    try:
        with store.read(lease.marks[-1].path) as reading:
            data = b""
            for chunk in reading.chunks:
                data += chunk
                if len(data) > _LONGEST:
                    break
        told = json.loads(data)
        pid = _number(told["process"])
        holder = Holder(_word(told["user"]), _word(told["host"]), pid, _word(told["since"]))
        return Told(holder, ProcessMark(_word(told["boot"]), pid, _number(told["started"])) if "boot" in told else None)
    except (StoreError, ValueError, TypeError, KeyError, RecursionError):  # of JSON that is nested too deep
        return Told(Holder("?", "?", 0, "?"))


def is_dead(store: Store, lease: SeenLease) -> bool:
    """Return whether the run that holds a lease was one of this machine, and is gone."""
    mark = told_by(store, lease).mark
    return mark is not None and mark.is_gone()


def _number(value: object) -> int:
    """Return a number that somebody wrote at the target."""
    if not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise ValueError("not a number of this kind")
    return value


def _word(value: object) -> str:
    """Return a word that somebody wrote at the target, fit to be shown."""
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError("not a word")
    return value[:_LONGEST_WORD]
