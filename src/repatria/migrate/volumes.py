"""What the line of bytes asks of a bundle in the making: the whole of it here, its stand-in on a cluster's worker."""

from typing import Protocol

from repatria.bundle.volume import VolumeBuilder
from repatria.model import Object
from repatria.work.parts import ObjectPart
from repatria.work.sealed_rows import VolumeContent
from repatria.work.sending import SealedVolume


class Fingerprints(Protocol):
    """Knows one version of an object from another."""

    def fingerprint(self, told: Object) -> bytes:
        """Return what is the same for the same version only."""


class Volumes(Protocol):
    """Makes volumes and brings them to the target; as `BundleVolumes` does, which says what each call means."""

    @property
    def volume_size(self) -> int:
        """Payload bytes of a full volume."""

    @property
    def catalogue(self) -> Fingerprints:
        """What is known of objects."""

    def volume(self) -> VolumeBuilder:
        """Return an empty volume."""

    def seal(
        self, volume: VolumeBuilder, content: VolumeContent, *, last: bool = False, part: ObjectPart | None = None
    ) -> SealedVolume:
        """Seal a volume."""

    def send(self, volume: SealedVolume) -> int:
        """Put a volume and read it back."""

    def drop(self, volume: VolumeBuilder) -> None:
        """Let go of a volume."""

    def forget(self, number: int) -> None:
        """Give up an object."""

    def part_of(self, path: str, fingerprint: bytes) -> ObjectPart | None:
        """Return how far an object in parts has come."""
