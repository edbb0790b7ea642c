"""Which objects were met whole: members of volumes against rows of the index. No IO."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from repatria.bundle import tar
from repatria.bundle.errors import MalformedError
from repatria.bundle.names import is_natural, part_name, possible_names
from repatria.bundle.rows import MemberRow, ObjectRow, path_bytes, path_text
from repatria.crypt.seek import ByteRanges
from repatria.errors import CryptError
from repatria.i18n import _
from repatria.model import FindingKind, ObjectKind
from repatria.verify.report import Verdict, of_object

_TYPES = {ObjectKind.FILE: tar.FILE, ObjectKind.SYMLINK: tar.SYMLINK, ObjectKind.DIRECTORY: tar.DIRECTORY}
RowOf = Callable[[int], ObjectRow | None]
_PIECE = 1 << 20


@dataclass(slots=True)
class _Met:
    """An object as the volumes show it: its parts so far, hashed in their order."""

    name: str | None = None
    """Its member name, without the suffix of a part; None as long as no header of it was met."""
    header: tar.Header | None = None
    parts: int = 0
    size: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    in_order: bool = True


_Lost = dict[FindingKind, set[int]]
"""Which volumes cost an object, by what is wrong with them."""


class ObjectLedger:
    """Takes every member of every volume, volumes by number, and says which objects are whole and right.

    What it keeps is a number for each object of the index at hand, a digest for each object in parts that is not whole
    yet, and for each object that damage touches in which volumes.
    """

    def __init__(self) -> None:
        self.right = 0
        """Objects that were met whole and as they were signed."""
        self._judged: set[int] = set()
        self._in_parts: dict[int, _Met] = {}
        self._lost: dict[int, _Lost] = {}

    def take(self, walk: tar.TarWalk, members: Iterator[MemberRow], row_of: RowOf) -> Iterator[Verdict]:
        """Read one volume's tar to its end; MalformedError where tar and index do not agree."""
        for entry in walk.entries():
            member = next(members, None)
            if member is None or (entry.offset, entry.header.size) != (member.offset, member.length):
                raise MalformedError(_("The volume's members are not those that the index describes."))
            yield from self._take_member(entry.header, member, walk.data(), row_of)
        if next(members, None) is not None:
            raise MalformedError(_("The volume has fewer members than the index describes."))

    def salvage(
        self, payload: ByteRanges | None, members: Iterator[MemberRow], row_of: RowOf, kind: FindingKind
    ) -> Iterator[Verdict]:
        """Read what still authenticates of a damaged volume, each member where the index has it, as `restore` does.

        Chunks stand alone: only objects that have bytes in a damaged one are lost, and these are of this `kind`. None
        is a volume of which nothing can be decrypted.
        """
        for member in members:
            if payload is None and member.length:
                self._lose(member, kind)
                continue
            try:
                yield from self._take_member(None, member, _bytes_of(payload, member), row_of)
            except CryptError:
                self._lose(member, kind)

    def _lose(self, member: MemberRow, kind: FindingKind) -> None:
        self._lost.setdefault(member.object, {}).setdefault(kind, set()).add(member.volume)

    def _take_member(
        self, header: tar.Header | None, member: MemberRow, data: Iterator[bytes], row_of: RowOf
    ) -> Iterator[Verdict]:
        met = self._meet(header, member)
        for chunk in data:
            met.digest.update(chunk)
        row = None if member.part else row_of(member.object)
        if row is not None:
            yield from self._judge(row, met)

    def settle(self, rows: Iterator[ObjectRow], *, partial: bool) -> Iterator[Verdict]:
        """Judge the objects of one index whose volumes were all taken.

        With `partial` only a sample of the volumes was: an object that was not met whole, and of which nothing is
        known to be lost, is then not judged.
        """
        for row in rows:
            if row.number in self._judged:
                continue
            met = self._in_parts.pop(row.number, None)
            lost = self._lost.get(row.number)
            if lost is not None:
                yield _lost_verdict(row, lost)
            elif met is not None and not (partial and met.size != row.size):
                yield from self._judge(row, met)
            elif not partial:
                yield of_object(
                    FindingKind.MISSING, row.number, _("Its bytes are in no volume that can be read."), path=row.path
                )
        self._judged.clear()
        self._lost.clear()

    def _meet(self, header: tar.Header | None, member: MemberRow) -> _Met:
        met = self._in_parts.setdefault(member.object, _Met()) if member.part else _Met()
        met.parts += 1 if member.part else 0
        met.in_order &= (member.part, member.start) == (met.parts, met.size)
        if header is not None:
            name = path_text(header.name.rstrip(b"/") if header.type == tar.DIRECTORY else header.name)
            if met.name is None:
                met.name, met.header = name.removesuffix(part_name("", member.part)), header
            met.in_order &= name == part_name(met.name, member.part)
        met.size += member.length
        return met

    def _judge(self, row: ObjectRow, met: _Met) -> Iterator[Verdict]:
        again = row.number in self._judged
        self._judged.add(row.number)
        is_link = row.kind == ObjectKind.SYMLINK
        digest = hashlib.sha256(path_bytes(row.link_target or "")) if is_link else met.digest
        length = row.size if row.kind == ObjectKind.FILE else 0
        if again or not met.in_order or met.size != length or digest.digest() != row.sha256:
            detail = _("Its bytes are not those that were signed.")
            yield of_object(FindingKind.ALTERED, row.number, detail, path=row.path)
        elif met.name is not None and met.header is not None and not _is_named(row, met.name, met.header):
            detail = _("The volume holds it under another name or kind than the index.")
            yield of_object(FindingKind.ALTERED, row.number, detail, path=row.path)
        else:
            self.right += 1


def _bytes_of(payload: ByteRanges | None, member: MemberRow) -> Iterator[bytes]:
    """Yield the bytes of a member; without a payload it has none."""
    if payload is None:
        return
    for at in range(0, member.length, _PIECE):
        length = min(_PIECE, member.length - at)
        piece = payload.read_at(member.offset + at, length)
        if len(piece) != length:
            raise MalformedError(_("The archive inside a volume ends too early."))
        yield piece


def _lost_verdict(row: ObjectRow, lost: _Lost) -> Verdict:
    details = {
        FindingKind.MISSING: _("A volume that holds bytes of it is not there: {volumes}."),
        FindingKind.ALTERED: _("Damage touches its bytes, in volume {volumes}."),
        FindingKind.UNVERIFIABLE: _("The store refuses to give a volume that holds bytes of it: {volumes}."),
    }
    kinds = [kind for kind in details if kind in lost]
    told = (details[kind].format(volumes=", ".join(map(str, sorted(lost[kind])))) for kind in kinds)
    volumes = frozenset[int]().union(*lost.values())
    return of_object(kinds[0], row.number, " ".join(told), path=row.path, volumes=volumes)


def _is_named(row: ObjectRow, name: str, header: tar.Header) -> bool:
    if header.type != _TYPES[ObjectKind(row.kind)] or header.link != path_bytes(row.link_target or ""):
        return False
    if name == row.path:
        return is_natural(row.path)
    return name in possible_names(row.path, row.number) and header.true_path == path_bytes(row.path)
