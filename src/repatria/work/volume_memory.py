"""Memory in which volumes are filled and sealed, on the machine that copies as on a cluster's worker."""

from collections.abc import Sequence

from repatria.bundle.volume import VolumeBuilder
from repatria.crypt.payload import sealed_size
from repatria.crypt.recipient import Recipient
from repatria.crypt.sealing import Sealing
from repatria.memory import Pool
from repatria.work.parts import ObjectPart
from repatria.work.sealed_rows import VolumeContent
from repatria.work.sending import SealedVolume

_ROOM_FOR_HEADS = 64 << 10
"""Bytes for the header of an age file to some forty recipients; one to more finds memory of its own."""


class VolumeMemory:
    """Gives volumes their memory, and takes it back for the next ones; safe from several threads."""

    def __init__(self, volume_size: int, recipients: Sequence[Recipient]) -> None:
        self.volume_size = volume_size
        """Payload bytes of a full volume."""
        self.recipients = tuple(recipients)
        """To whom volumes are sealed."""
        self._pool = Pool(sealed_size(volume_size) + _ROOM_FOR_HEADS)

    def volume(self, number: int) -> VolumeBuilder:
        """Return an empty volume, which is encrypted as it is filled."""
        into = self._pool.take()
        return VolumeBuilder(
            number,
            self.volume_size,
            memory=self._pool.take(),
            begin_sealing=lambda payload: Sealing(payload, self.recipients, into),
        )

    def seal(
        self, volume: VolumeBuilder, content: VolumeContent, *, last: bool = False, part: ObjectPart | None = None
    ) -> SealedVolume:
        """Seal a volume; the memory in which it was filled is free again. `last` pads it as the bundle's last."""
        sealed = volume.seal(last=last)
        self._pool.give(volume.memory)
        return SealedVolume.of(volume.number, sealed, content, part)

    def sent(self, volume: SealedVolume) -> None:
        """Take back the memory of a volume that nobody needs any more."""
        self._pool.give(volume.sealed.memory)
