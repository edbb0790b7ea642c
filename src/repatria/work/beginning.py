"""What is fixed when a bundle is begun, and stays whichever run goes on with it."""

from dataclasses import dataclass
from typing import Literal

from repatria.bundle.statement import Previous


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is fixed when a bundle is begun."""

    bundle: str
    started: str
    """RFC 3339."""
    recipients: tuple[str, ...]
    previous_bundle: str | None = None
    previous_sha256: str | None = None
    anew: bool = False
    """Whether nothing is known of the bundles before: this one holds the whole dataset, and stands for itself."""

    @property
    def kind(self) -> Literal["full", "delta"]:
        """Return the kind of bundle that is begun, as a statement names it."""
        return "full" if self.anew or self.previous is None else "delta"

    @property
    def previous(self) -> Previous | None:
        """Return the bundle before, as a statement names it."""
        if self.previous_bundle is None or self.previous_sha256 is None:
            return None
        return Previous(bundle=self.previous_bundle, sha256=self.previous_sha256)
