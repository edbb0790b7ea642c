"""The indexes of an unfinished bundle, as far as its signed checkpoints reach."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from repatria.bundle import layout
from repatria.bundle.errors import BundleError, MalformedError
from repatria.bundle.files import BundleFolder, FileRanges
from repatria.bundle.index import Index, IndexMeta
from repatria.bundle.names import part_name
from repatria.bundle.part_comment import told_by_part
from repatria.bundle.rows import MemberRow, VolumeRow, path_text
from repatria.bundle.statement import Checkpoint, IndexEntry
from repatria.bundle.tar import TarWalk
from repatria.crypt.errors import NoMatchError
from repatria.crypt.identity import Identity
from repatria.crypt.seek import DecryptingReader
from repatria.errors import CryptError
from repatria.i18n import _
from repatria.model import Object

_READ_AT_ONCE = 4 << 20
_Row = TypeVar("_Row")


class DamagedFileError(BundleError):
    """A file of an unfinished bundle is not what was signed."""

    def __init__(self, file: str) -> None:
        super().__init__(_("{path} is not what was signed.").format(path=file))
        self.file = file
        """Its path within the bundle."""


@contextmanager
def _reading(file: str) -> Iterator[None]:
    """Name the file that cannot be read; that a key does not open it is no damage."""
    try:
        yield
    except (NoMatchError, DamagedFileError):
        raise
    except CryptError as error:
        raise DamagedFileError(file) from error


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


def _members(index: Index) -> Iterator[MemberRow]:
    for volume in index.volumes():
        yield from index.members(volume.number)


def _by_part(member: MemberRow) -> int:
    return member.part


class SignedIndexes:
    """The indexes that a checkpoint binds, opened; DamagedFileError if one is not what was signed."""

    def __init__(self, folder: BundleFolder, checkpoint: Checkpoint, identities: Sequence[Identity]) -> None:
        self._folder = folder
        self._checkpoint = checkpoint
        self._identities = identities
        self.opened: list[Index] = []
        try:
            for number, entry in enumerate(checkpoint.indexes, 1):
                with _reading(entry.name):
                    self.opened.append(self._open(number, entry))
        except BaseException:
            self.close()
            raise

    def rows(self, read: Callable[[Index], Iterable[_Row]], only: IndexEntry | None = None) -> Iterator[_Row]:
        """Yield rows of all indexes, or of one; DamagedFileError names the index that cannot be read."""
        for entry, index in zip(self._checkpoint.indexes, self.opened, strict=True):
            if only in {None, entry}:
                with _reading(entry.name):
                    yield from read(index)

    def begun(self) -> list[BegunObject]:
        """Return the objects of which only parts are there, by number; DamagedFileError if none of them can be read."""
        volumes = {row.number: row for row in self.rows(Index.volumes)}
        whole = {row.number for row in self.rows(Index.objects)}
        parts: dict[int, list[MemberRow]] = {}
        for member in self.rows(_members):
            if member.object not in whole:
                parts.setdefault(member.object, []).append(member)
        return [self._begun(sorted(parts[number], key=_by_part), volumes) for number in sorted(parts)]

    def bytes_of(self, begun: BegunObject) -> Iterator[bytes]:
        """Yield the bytes of all parts in their order, as they lie at the target; DamagedFileError names a volume."""
        for member, volume in zip(begun.parts, begun.volumes, strict=True):
            with _reading(layout.volume_path(volume.number)):
                reader = self._reader(volume)
                for start in range(0, member.length, _READ_AT_ONCE):
                    yield reader.read_at(member.offset + start, min(_READ_AT_ONCE, member.length - start))

    def _begun(self, parts: Sequence[MemberRow], volumes: Mapping[int, VolumeRow]) -> BegunObject:
        """Return what the header of the last part tells of its object, or of the last one that can be read."""
        damaged: DamagedFileError | None = None
        for part in reversed(parts):
            try:
                with _reading(layout.volume_path(part.volume)):
                    name, path, told = self._told(part, volumes[part.volume])
            except DamagedFileError as error:
                damaged = damaged or error
                continue
            return BegunObject(path, name, told, tuple(parts), tuple(volumes[each.volume] for each in parts))
        raise damaged or MalformedError(_("The index names a member that its volume does not hold."))

    def _told(self, part: MemberRow, volume: VolumeRow) -> tuple[str, str, Object | None]:
        """Return what the header of a part tells of its object: the member's name, the path, and the version."""
        for entry in TarWalk(io.BufferedReader(self._reader(volume))).entries():
            if entry.offset == part.offset:
                name = path_text(entry.header.name).removesuffix(part_name("", part.part))
                path = path_text(entry.header.true_path) if entry.header.true_path else name
                return name, path, told_by_part(path, entry.header.comment)
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
