"""The indexes of an unfinished bundle, as far as its signed checkpoints reach."""

import io
from collections.abc import Iterator, Sequence

from repatria.bundle import layout
from repatria.bundle.errors import MalformedError
from repatria.bundle.files import BundleFolder, FileRanges
from repatria.bundle.index import Index, IndexMeta
from repatria.bundle.names import part_name
from repatria.bundle.rows import MemberRow, VolumeRow, path_text
from repatria.bundle.statement import Checkpoint, IndexEntry
from repatria.bundle.tar import TarWalk
from repatria.crypt.identity import Identity
from repatria.crypt.seek import DecryptingReader
from repatria.i18n import _


class SignedIndexes:
    """The indexes that a checkpoint binds, opened; CryptError or BundleError if one is not what was signed."""

    def __init__(self, folder: BundleFolder, checkpoint: Checkpoint, identities: Sequence[Identity]) -> None:
        self._folder = folder
        self._checkpoint = checkpoint
        self._identities = identities
        self.opened: list[Index] = []
        try:
            for number, entry in enumerate(checkpoint.indexes, 1):
                self.opened.append(self._open(number, entry))
        except BaseException:
            self.close()
            raise

    def entries(self) -> Iterator[tuple[IndexEntry, Index]]:
        """Yield what was signed of each index, and the index."""
        return zip(self._checkpoint.indexes, self.opened, strict=True)

    def incomplete(self) -> list[MemberRow]:
        """Return the last part of each object of which only parts are there."""
        whole = {row.number for index in self.opened for row in index.objects()}
        last: dict[int, MemberRow] = {}
        for index in self.opened:
            for volume in index.volumes():
                last |= {each.object: each for each in index.members(volume.number) if each.object not in whole}
        return [last[number] for number in sorted(last)]

    def path_of(self, member: MemberRow, volume: VolumeRow) -> str:
        """Return the path of the object that a member is a part of, as its header in the volume has it."""
        ranges = FileRanges(self._folder, layout.volume_path(volume.number), volume.size)
        reader = DecryptingReader(ranges, self._identities, head_sha256=volume.head_sha256)
        for entry in TarWalk(io.BufferedReader(reader)).entries():
            if entry.offset == member.offset:
                name = path_text(entry.header.name).removesuffix(part_name("", member.part))
                return path_text(entry.header.true_path) if entry.header.true_path else name
        raise MalformedError(_("The index names a member that its volume does not hold."))

    def close(self) -> None:
        """Close them."""
        for index in self.opened:
            index.close()

    def _open(self, number: int, entry: IndexEntry) -> Index:
        ranges = FileRanges(self._folder, entry.name, entry.size)
        index = Index(DecryptingReader(ranges, self._identities, head_sha256=bytes.fromhex(entry.head_sha256)))
        folder = self._folder
        if index.meta != IndexMeta(folder.dataset_id, folder.bundle_id, number, entry.first_volume, entry.last_volume):
            index.close()
            raise MalformedError(_("{path} is the index of something else.").format(path=entry.name))
        return index
