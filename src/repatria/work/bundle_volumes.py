"""The volumes of a bundle in the making, and what stands in them: begun, sealed, sent and proven, or dropped."""

from collections.abc import Callable
from dataclasses import dataclass

from repatria.bundle.volume import VolumeBuilder
from repatria.bundle.writer import BundleWriter
from repatria.work.catalogue import Catalogue
from repatria.work.chain_memory import recipient_texts
from repatria.work.claimed_names import ClaimedNames
from repatria.work.parts import ObjectPart
from repatria.work.sealed_rows import VolumeContent
from repatria.work.sending import SealedVolume, Sender, VolumeFacts, is_kept
from repatria.work.settling import require_seen
from repatria.work.volume_memory import VolumeMemory


@dataclass(frozen=True, slots=True)
class BundleVolumes:
    """Volumes of one bundle; safe from several threads."""

    catalogue: Catalogue
    """What is known of the dataset's objects."""
    names: ClaimedNames
    memory: VolumeMemory
    sender: Sender
    writer: BundleWriter

    @property
    def bundle_id(self) -> str:
        """Of the bundle."""
        return self.writer.bundle_id

    @property
    def recipients(self) -> tuple[str, ...]:
        """The public keys to which volumes are sealed."""
        return recipient_texts(self.memory.recipients)

    @property
    def volume_size(self) -> int:
        """Payload bytes of a full volume."""
        return self.memory.volume_size

    def member_name(self, path: str, number: int, *, directory: bool = False) -> str:
        """Return, and take, the member name of the object `number` at a path."""
        return self.names.claim(path, number, directory=directory)

    def part_of(self, path: str, fingerprint: bytes) -> ObjectPart | None:
        """Return how far an object in parts has come, in this bundle and the same version; None if it has not begun."""
        return self.sender.unfinished.parts.of(path, fingerprint)

    def forget(self, number: int) -> None:
        """Give up an object that is not stored after all: its member name is free again.

        What volumes hold already of an object in parts belongs to no object.
        """
        self.names.let_go((number,))
        self.sender.unfinished.parts.forget(number)

    def forget_unsent(self) -> None:
        """Give up every object that has a member name and is in no volume yet; no volume may be in flight."""
        self.names.let_go_all()

    def volume(self) -> VolumeBuilder:
        """Return an empty volume with the next number; end it with `store` or `drop`."""
        return self.memory.volume(self.sender.numbering.next_volume())

    def store(
        self, volume: VolumeBuilder, content: VolumeContent, *, last: bool = False, part: ObjectPart | None = None
    ) -> int:
        """Seal a volume, put it and read it back; return the number under which the target holds it, proven.

        `part` tells of an object that ends in a later volume. `last` pads it as the bundle's last. A lost link is
        waited for as long as patience lasts, then StoppedError (8); a target that refuses, is full, or does not keep
        what it is given is a StoreError (5). What was stored before is safe then.
        """
        return self.send(self.seal(volume, content, last=last, part=part))

    def seal(
        self, volume: VolumeBuilder, content: VolumeContent, *, last: bool = False, part: ObjectPart | None = None
    ) -> SealedVolume:
        """Seal a volume, the first half of `store`; another may be filled while `send` is at the other half."""
        return self.memory.seal(volume, content, last=last, part=part)

    def send(self, volume: SealedVolume) -> int:
        """Put a volume and read it back, the second half of `store`. Volumes that share an object: in their order."""
        sealed = volume.sealed
        number = self._send(volume.facts, lambda number: is_kept(self.writer, self.sender.patience, number, sealed))
        self.memory.sent(volume)
        return number

    def send_from_elsewhere(self, volume: VolumeFacts, put: Callable[[int], bool]) -> int:
        """Do the same for a volume that another machine has filled and sealed, under the next number.

        `put` has it put there under a number, and tells whether the target gave it back; GoneError from it, if that
        machine is gone, gives the volume up and is passed on.
        """

        def put_and_seen(number: int) -> bool:
            if not put(number):
                return False
            require_seen(self.writer, number, volume.row.size, self.sender.patience)
            return True

        return self._send(volume.numbered(self.sender.numbering.next_volume()), put_and_seen)

    def drop(self, volume: VolumeBuilder) -> None:
        """Let go of a volume that was not stored: its number stays unused. Objects that were in it may go into another.

        Those that are not stored after all are given up with `forget`.
        """
        self.sender.numbering.landed(volume.number)

    def _send(self, volume: VolumeFacts, put: Callable[[int], bool]) -> int:
        numbers = dict.fromkeys(member.object for member in volume.content.members)
        number = self.sender.send(volume, put, self.names.marks_of(numbers))
        self.names.let_go(numbers)
        return number
