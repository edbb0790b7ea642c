"""Bringing one volume to the target: noted as sent, put, read back, noted as proven."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from repatria.bundle import layout
from repatria.bundle.writer import BundleWriter
from repatria.crypt.seal import Sealed
from repatria.errors import AlreadyExistsError, RefusedError
from repatria.i18n import _
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
class SealedVolume:
    """A volume that is ready to be sent, with everything that its index will say."""

    number: int
    sealed: Sealed = field(repr=False)
    content: VolumeContent = field(repr=False)
    part: ObjectPart | None = field(default=None, repr=False)
    """How far an object has come that ends in a later volume."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Brings volumes of one bundle to the target; from several threads."""

    unfinished: Unfinished
    writer: BundleWriter
    numbering: Numbering
    patience: Patience

    def send(self, volume: SealedVolume, marks: Sequence[bytes] = (), put: Callable[[int], bool] | None = None) -> int:
        """Send a volume until the target gives back its bytes; return the number under which it does.

        Wrong bytes are left where they are, for files are written once: the volume goes under another number. `put`
        puts it under a number and tells whether the target gave it back, where that is not done here; GoneError from
        it is passed on, the number given up.
        """
        put = put or (lambda number: is_kept(self.writer, self.patience, number, volume.sealed))
        number, content = volume.number, volume.content
        for _attempt in range(TRIES):
            free = asdict(self.numbering.free())
            self.unfinished.sent(
                number,
                volume.sealed,
                content,
                marks=marks,
                part=volume.part,
                next_numbers={f"next_{kind}": value for kind, value in free.items()},
            )
            try:
                kept = put(number)
            except GoneError:
                self.unfinished.give_up(number)
                self.numbering.landed(number)
                raise
            if kept:
                self.unfinished.proven(number)
                self.numbering.landed(number)
                return number
            self.unfinished.give_up(number)
            self.numbering.landed(number)
            self.patience.stop.raise_if_requested()
            number = self.numbering.next_volume()
            content = replace(content, members=[replace(row, volume=number) for row in content.members])
        raise RefusedError(
            _("The target does not keep what it is given: {count} times in a row a volume came back altered.").format(
                count=TRIES
            ),
            advice=_("Have the target's disks and memory checked. What was proven before is safe."),
        )


def is_kept(writer: BundleWriter, patience: Patience, number: int, sealed: Sealed) -> bool:
    """Put a volume under a number; return whether the target gives back its bytes."""
    with suppress(AlreadyExistsError):  # other bytes are there already: reading them back tells
        patience.insist(lambda: writer.put_volume(number, sealed))
    path = layout.volume_path(number)
    return patience.insist(lambda: writer.read_back(path, sealed.sha256, sealed.size))
