"""How far a copy has come, and what is left: what is said when it stops."""

import time
from dataclasses import dataclass, field

from repatria.i18n import ngettext


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left to bring home, and how fast that went."""

    bytes: int
    bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Halt:
    """Where a run stopped."""

    unproven: int
    """Bytes of objects that were under way, and not proven: at most so many are read and sent once more."""
    left: Remainder | None = None
    """What is left, where time was up."""


@dataclass(slots=True)
class Headway:
    """How far one run has come with the bytes that it has to bring home."""

    begun: float = field(default_factory=time.monotonic)
    total: int | None = None
    """Known once the whole listing was seen."""
    placed: int = 0
    """Of the objects that have their places in volumes."""
    before: int = 0
    """Of these, what earlier runs had brought."""

    @property
    def to_bring(self) -> int | None:
        """Bytes that this run has to bring in all; None as long as that is not known."""
        return None if self.total is None else self.total - self.before

    def leave_out(self, size: int, before: int) -> None:
        """Reckon without an object of so many bytes that had its place, and of which earlier runs brought some."""
        self.take_in(-size)
        self.before -= before

    def take_in(self, size: int) -> None:
        """Reckon with an object of so many bytes, too, which has its place."""
        self.placed += size
        if self.total is not None:
            self.total += size

    def remainder(self, come: int) -> Remainder | None:
        """Return what is left once `come` bytes are proven; None as long as that, or the speed, is not known."""
        seconds = time.monotonic() - self.begun
        if self.to_bring is None or not come or not seconds:
            return None
        return Remainder(max(0, self.to_bring - come), come / seconds)


@dataclass(slots=True)
class Volumes:
    """How many volumes a copy has, as far as is known."""

    planned: int
    """Those of earlier runs of the bundle, and of the units begun so far."""
    ahead: int | None = None
    """Those of this run in all, known once the whole listing was seen."""
    before: int = field(init=False)

    def __post_init__(self) -> None:
        self.before = self.planned

    def sentence(self, safe: int) -> str:
        """Return what is said when a run stops."""
        if self.ahead is None:
            return ngettext(
                "Nothing is lost. {count} volume is safe at the target; run the same command again to go on.",
                "Nothing is lost. {count} volumes are safe at the target; run the same command again to go on.",
                safe,
            ).format(count=f"{safe:,}")
        total = max(self.before + self.ahead, self.planned)
        return ngettext(
            "Nothing is lost. {safe} of {count} volume is safe at the target; run the same command again to go on.",
            "Nothing is lost. {safe} of {count} volumes are safe at the target; run the same command again to go on.",
            total,
        ).format(safe=f"{safe:,}", count=f"{total:,}")
