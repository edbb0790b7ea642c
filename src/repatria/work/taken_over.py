"""What became of an unfinished bundle that another machine left behind."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What was taken over of an unfinished bundle."""

    bundle: str
    volumes: int = 0
    bytes: int = 0
    """Of these volumes, as they lie at the target."""
    objects: int = 0
    strays: int = 0
    """Volumes that no signature binds: what is in them is sent again."""
    stray_bytes: int = 0
    going_on: int = 0
    """Objects of which parts had arrived, and which go on after these."""
    begun_again: int = 0
    """Objects of which parts had arrived, and which begin again: damaged, or of a version that nothing tells."""
    damaged: tuple[str, ...] = ()
    """Volumes that are not what was signed, as far as they had to be read: paths within the bundle."""


class Obstacle(StrEnum):
    """Why an unfinished bundle cannot be gone on with, although it is signed."""

    MISSING = "missing"
    DAMAGED = "damaged"
    IN_THE_WAY = "in the way"
    """Nobody signed the file, the next one must go there, and it cannot be removed."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """An unfinished bundle that cannot be gone on with, because of one file."""

    bundle: str
    file: str
    """Its path within the bundle."""
    obstacle: Obstacle
