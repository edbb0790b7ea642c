"""Which objects were met whole: members of volumes against rows of the index. No IO."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from repatria.bundle import tar
from repatria.bundle.errors import MalformedError
from repatria.bundle.names import is_natural, part_name, possible_names
from repatria.bundle.rows import MemberRow, ObjectRow, path_bytes, path_text
from repatria.i18n import _
from repatria.model import ObjectKind
from repatria.verify.report import Verdict, altered, missing

_TYPES = {ObjectKind.FILE: tar.FILE, ObjectKind.SYMLINK: tar.SYMLINK, ObjectKind.DIRECTORY: tar.DIRECTORY}
RowOf = Callable[[int], ObjectRow | None]


@dataclass(slots=True)
class _Met:
    """An object as the volumes show it: its parts so far, hashed in their order."""

    name: str
    """Its member name, without the suffix of a part."""
    header: tar.Header
    parts: int = 0
    size: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    in_order: bool = True


class ObjectLedger:
    """Takes every member of every volume, volumes by number, and says which objects are whole and right.

    What it keeps is a number for each object of the index at hand, and a digest for each object in parts that is not
    whole yet.
    """

    def __init__(self) -> None:
        self.right = 0
        """Objects that were met whole and as they were signed."""
        self._judged: set[int] = set()
        self._in_parts: dict[int, _Met] = {}

    def take(self, walk: tar.TarWalk, members: Iterator[MemberRow], row_of: RowOf) -> Iterator[Verdict]:
        """Read one volume's tar to its end; MalformedError where tar and index do not agree."""
        for entry in walk.entries():
            member = next(members, None)
            if member is None or (entry.offset, entry.header.size) != (member.offset, member.length):
                raise MalformedError(_("The volume's members are not those that the index describes."))
            met = self._meet(entry.header, member)
            for chunk in walk.data():
                met.digest.update(chunk)
            row = None if member.part else row_of(member.object)
            if row is not None:
                yield from self._judge(row, met)
        if next(members, None) is not None:
            raise MalformedError(_("The volume has fewer members than the index describes."))

    def settle(self, rows: Iterator[ObjectRow], *, partial: bool) -> Iterator[Verdict]:
        """Judge the objects of one index whose volumes were all taken.

        With `partial` only a sample of the volumes was: an object that was not met whole is then not judged.
        """
        for row in rows:
            if row.number in self._judged:
                continue
            met = self._in_parts.pop(row.number, None)
            if met is not None and not (partial and met.size != row.size):
                yield from self._judge(row, met)
            elif not partial:
                yield missing(_subject(row), _("Its bytes are in no volume that can be read."), path=row.path)
        self._judged.clear()

    def _meet(self, header: tar.Header, member: MemberRow) -> _Met:
        name = path_text(header.name.rstrip(b"/") if header.type == tar.DIRECTORY else header.name)
        met = self._in_parts.get(member.object) if member.part else None
        if met is None:
            met = _Met(name.removesuffix(part_name("", member.part)), header)
            if member.part:
                self._in_parts[member.object] = met
        met.parts += 1 if member.part else 0
        met.in_order &= (member.part, member.start) == (met.parts, met.size) and name == part_name(
            met.name, member.part
        )
        met.size += member.length
        return met

    def _judge(self, row: ObjectRow, met: _Met) -> Iterator[Verdict]:
        again = row.number in self._judged
        self._judged.add(row.number)
        is_link = row.kind == ObjectKind.SYMLINK
        digest = hashlib.sha256(path_bytes(row.link_target or "")) if is_link else met.digest
        length = row.size if row.kind == ObjectKind.FILE else 0
        if again or not met.in_order or met.size != length or digest.digest() != row.sha256:
            yield altered(_subject(row), _("Its bytes are not those that were signed."), path=row.path)
        elif not _is_named(row, met):
            yield altered(
                _subject(row), _("The volume holds it under another name or kind than the index."), path=row.path
            )
        else:
            self.right += 1


def _subject(row: ObjectRow) -> str:
    return _("object {number}").format(number=row.number)


def _is_named(row: ObjectRow, met: _Met) -> bool:
    header = met.header
    if header.type != _TYPES[ObjectKind(row.kind)] or header.link != path_bytes(row.link_target or ""):
        return False
    if met.name == row.path:
        return is_natural(row.path)
    return met.name in possible_names(row.path, row.number) and header.true_path == path_bytes(row.path)
