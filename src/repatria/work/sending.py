"""Bringing one volume to the target: noted as sent, put, read back, noted as proven."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Self

from repatria.bundle import layout
from repatria.bundle.rows import VolumeRow
from repatria.bundle.writer import BundleWriter
from repatria.crypt.seal import Sealed
from repatria.errors import AlreadyExistsError, RefusedError
from repatria.i18n import _
from repatria.work.beginning import Beginning
from repatria.work.numbering import Numbering
from repatria.work.parts import ObjectPart
from repatria.work.patience import Patience
from repatria.work.sealed_rows import VolumeContent
from repatria.work.unfinished import Unfinished

TRIES = 4
"""How often a volume is put, each time under another number, when the target does not keep what it was given."""


class GoneError(Exception):
    """Who was to put a volume is gone; whether it arrived, nobody knows."""


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """A volume that is ready to be sent, as the journal knows it, wherever its bytes are."""

    row: VolumeRow
    content: VolumeContent = field(repr=False)
    """Everything that its index will say."""
    part: ObjectPart | None = field(default=None, repr=False)
    """How far an object has come that ends in a later volume."""

    def numbered(self, number: int) -> Self:
        """Return the same volume under another number."""
        members = [replace(row, volume=number) for row in self.content.members]
        return replace(self, row=replace(self.row, number=number), content=replace(self.content, members=members))


@dataclass(frozen=True, slots=True)
class SealedVolume:
    """A volume that is ready to be sent, and its file."""

    facts: VolumeFacts
    sealed: Sealed = field(repr=False)

    @classmethod
    def of(cls, number: int, sealed: Sealed, content: VolumeContent, part: ObjectPart | None) -> Self:
        """Return the volume that a file holds."""
        row = VolumeRow(
            number,
            len(sealed.data),
            sealed.sha256,
            sealed.head_sha256,
            sealed.payload_size,
            sealed.payload_sha256,
        )
        return cls(VolumeFacts(row, content, part), sealed)


@dataclass(frozen=True, slots=True)
class Sender:
    """Brings volumes of one bundle to the target; from several threads."""

    beginning: Beginning
    unfinished: Unfinished
    numbering: Numbering
    patience: Patience

    def send(self, volume: VolumeFacts, put: Callable[[int], bool], marks: Sequence[bytes] = ()) -> int:
        """Send a volume until the target gives back its bytes; return the number under which it does.

        `put` puts it under a number and tells whether the target gave back its bytes. Wrong ones are left where they
        are, for files are written once: the volume goes under another number. GoneError from `put` gives the number up
        and is passed on.
        """
        self.unfinished.begin(self.beginning)
        for _attempt in range(TRIES):
            number = volume.row.number
            free = asdict(self.numbering.free())
            self.unfinished.sent(
                volume.row,
                volume.content,
                marks=marks,
                part=volume.part,
                next_numbers={f"next_{kind}": value for kind, value in free.items()},
            )
            try:
                kept = put(number)
            except GoneError:
                self._give_up(number)
                raise
            if kept:
                self.unfinished.proven(number)
                self.numbering.landed(number)
                return number
            self._give_up(number)
            self.patience.stop.raise_if_requested()
            volume = volume.numbered(self.numbering.next_volume())
        raise RefusedError(
            _("The target does not keep what it is given: {count} times in a row a volume came back altered.").format(
                count=TRIES
            ),
            advice=_("Have the target's disks and memory checked. What was proven before is safe."),
        )

    def _give_up(self, number: int) -> None:
        self.unfinished.give_up(number)
        self.numbering.landed(number)


def is_kept(writer: BundleWriter, patience: Patience, number: int, sealed: Sealed) -> bool:
    """Put a volume under a number; return whether the target gives back its bytes."""
    with suppress(AlreadyExistsError):  # other bytes are there already: reading them back tells
        patience.insist(lambda: writer.put_volume(number, sealed))
    path = layout.volume_path(number)
    return patience.insist(lambda: writer.read_back(path, sealed.sha256, len(sealed.data)))
