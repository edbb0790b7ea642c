"""What the machine that copies and a cluster's workers say to each other: an errand is a unit of volumes to bring.

A worker is told where things are and to whom volumes are sealed, never a credential: it has its own, under the same
profiles. It asks first what there is to bring; the machine that copies answers with what is not proven yet, so that an
errand whose worker died goes on where it was. It then tells of each volume that it sealed, and puts it only when it is
told the number under which the journal knows it.
"""

from dataclasses import dataclass, field

from repatria.manifest import SourceTable, TargetTable
from repatria.migrate.etags import Etags
from repatria.migrate.plan import Slice
from repatria.work.parts import ObjectPart
from repatria.work.sending import VolumeFacts


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

    worker: str
    """Its address."""
    fetched: int
    """Bytes."""
    given_up: tuple[int, ...]
    """Numbers of objects that are in no volume after all: the machine that copies sees to them itself."""
    said: tuple[str, ...]
    """Sentences for whoever watches, free of object names."""
    etags: Etags
    """What has shown of the sources' ETags, all in all."""


@dataclass(frozen=True, slots=True)
class WhatToBring:
    """The first question of every attempt; its answer is an `Errand`."""


@dataclass(frozen=True, slots=True)
class MayGoOn:
    """Asked every second; the answer is `GoOn` or `Stop`."""

    news: News


@dataclass(frozen=True, slots=True)
class MayPut:
    """A volume is sealed. The answer is `Put` or `Stop`."""

    news: News
    volume: VolumeFacts
    """Its number is its place in the errand as it was planned, from 0."""


@dataclass(frozen=True, slots=True)
class WasPut:
    """The volume was put and read back. The answer is `GoOn`, `Put` with another number, or `Stop`."""

    kept: bool
    """Whether the target gave back the same bytes."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What is left to bring."""

    volumes: tuple[tuple[int, tuple[Slice, ...]], ...] = field(repr=False)
    """Each with its place in the plan; none: there is nothing to do."""
    parts: tuple[ObjectPart, ...] = field(repr=False)
    """How far objects have come some of whose parts were proven before."""
    last: bool
    """Whether the last of them is the bundle's last."""
    bits_per_second: int | None
    """What this errand may take of the bandwidth; None: as fast as it goes."""
    etags: Etags
    """What has shown of the sources' ETags so far."""


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
