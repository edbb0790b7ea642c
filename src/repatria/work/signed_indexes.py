"""The indexes of an unfinished bundle, as far as its signed checkpoints reach."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from repatria.bundle import layout
from repatria.bundle.errors import MalformedError
from repatria.bundle.files import BundleFolder, FileRanges
from repatria.bundle.index import Index, IndexMeta
from repatria.bundle.names import part_name
from repatria.bundle.part_comment import told_by_part
from repatria.bundle.rows import MemberRow, VolumeRow, path_text
from repatria.bundle.statement import Checkpoint, IndexEntry
from repatria.bundle.tar import TarWalk
from repatria.crypt.identity import Identity
from repatria.crypt.seek import DecryptingReader
from repatria.i18n import _
from repatria.model import Object

_READ_AT_ONCE = 4 << 20


@dataclass(frozen=True, slots=True)
class BegunObject:
    """An object of which only parts are there, the first of them among them or not."""

    path: str
    name: str
    """The member name, without the suffix of a part."""
    told: Object | None
    """The object as the source told of it; None where the parts do not say."""
    parts: tuple[MemberRow, ...]
    """By their numbers; never empty."""
    volumes: tuple[VolumeRow, ...]
    """Of each part, the volume that it lies in."""

    @property
    def number(self) -> int:
        """The object's number."""
        return self.parts[0].object

    @property
    def end(self) -> int | None:
        """Up to where in the object all bytes are there; None if one of its parts is wanting."""
        end = 0
        for number, part in enumerate(self.parts, 1):
            if (part.part, part.start) != (number, end):
                return None
            end += part.length
        return end


def _by_part(member: MemberRow) -> int:
    return member.part


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

    def begun(self) -> list[BegunObject]:
        """Return the objects of which only parts are there, by number."""
        volumes = {row.number: row for index in self.opened for row in index.volumes()}
        whole = {row.number for index in self.opened for row in index.objects()}
        parts: dict[int, list[MemberRow]] = {}
        for index in self.opened:
            for volume in index.volumes():
                for member in index.members(volume.number):
                    if member.object not in whole:
                        parts.setdefault(member.object, []).append(member)
        return [self._begun(sorted(parts[number], key=_by_part), volumes) for number in sorted(parts)]

    def bytes_of(self, begun: BegunObject) -> Iterator[bytes]:
        """Yield the bytes of all parts in their order, as they lie at the target."""
        for member, volume in zip(begun.parts, begun.volumes, strict=True):
            reader = self._reader(volume)
            for start in range(0, member.length, _READ_AT_ONCE):
                yield reader.read_at(member.offset + start, min(_READ_AT_ONCE, member.length - start))

    def _begun(self, parts: Sequence[MemberRow], volumes: Mapping[int, VolumeRow]) -> BegunObject:
        """Return what the header of the last part tells of its object."""
        last = parts[-1]
        for entry in TarWalk(io.BufferedReader(self._reader(volumes[last.volume]))).entries():
            if entry.offset == last.offset:
                name = path_text(entry.header.name).removesuffix(part_name("", last.part))
                path = path_text(entry.header.true_path) if entry.header.true_path else name
                told = told_by_part(path, entry.header.comment)
                return BegunObject(path, name, told, tuple(parts), tuple(volumes[each.volume] for each in parts))
        raise MalformedError(_("The index names a member that its volume does not hold."))

    def _reader(self, volume: VolumeRow) -> DecryptingReader:
        ranges = FileRanges(self._folder, layout.volume_path(volume.number), volume.size)
        return DecryptingReader(ranges, self._identities, head_sha256=volume.head_sha256)

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
