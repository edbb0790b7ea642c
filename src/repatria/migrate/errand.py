"""What the machine that copies and a cluster's workers say to each other: an errand is a unit of volumes to bring.

A worker is told where things are and to whom volumes are sealed, never a credential: it has its own, under the same
profiles. It asks first what there is to bring; the machine that copies answers with what is not proven yet, so that an
errand whose worker died goes on where it was. It then tells of each volume that it sealed, and puts it only when it is
told the number under which the journal knows it.
"""

from dataclasses import dataclass, field

from repatria.manifest import SourceTable, TargetTable
from repatria.migrate.filling import Outcome
from repatria.migrate.plan import Slice
from repatria.work.bundling import ObjectPart
from repatria.work.sealed_rows import VolumeContent


@dataclass(frozen=True, slots=True)
class Site:
    """What a worker needs to know of a copy; no secret is in it."""

    sources: tuple[SourceTable, ...]
    target: TargetTable
    dataset: str
    bundle: str
    recipients: tuple[str, ...]
    """Public keys."""
    volume_size: int
    patience: float
    """Seconds for which a worker waits for a lost link."""
    language: str


@dataclass(frozen=True, slots=True)
class News:
    """What happened at a worker since it said so last."""

    fetched: int = 0
    """Bytes."""
    given_up: tuple[int, ...] = ()
    """Numbers of objects that are in no volume after all."""
    outcomes: tuple[Outcome, ...] = ()
    """What became of these."""


@dataclass(frozen=True, slots=True)
class WhatToBring:
    """The first question of every attempt; its answer is an `Errand`."""


@dataclass(frozen=True, slots=True)
class IsThereMore:
    """Asked every few seconds; the answer is `GoOn` or `Stop`."""

    news: News


@dataclass(frozen=True, slots=True)
class MayPut:
    """A volume is sealed. The answer is `Put` or `Stop`."""

    news: News
    place: int
    """Of the volume in the errand as it was planned, from 0."""
    size: int
    """Of the age file, whose digests follow."""
    sha256: bytes
    head_sha256: bytes
    payload_sha256: bytes
    payload_size: int
    content: VolumeContent = field(repr=False)
    part: ObjectPart | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class WasPut:
    """The volume was put and read back. The answer is `GoOn`, or `Put` with another number."""

    kept: bool
    """Whether the target gave back the same bytes."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What is left to bring."""

    volumes: tuple[tuple[int, tuple[Slice, ...]], ...] = field(repr=False)
    """Each with its place in the plan."""
    part: ObjectPart | None = field(repr=False)
    """How far the first object has come, if some of its parts are proven."""
    last: bool
    """Whether the last of them is the bundle's last."""
    bits_per_second: int | None
    """What this errand may take of the bandwidth; None: as fast as it goes."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """The worker goes on."""

    bits_per_second: int | None


@dataclass(frozen=True, slots=True)
class Put:
    """The volume is noted as sent under this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Stop:
    """The worker ends; what it has not put is of no use."""
