"""Filling volumes with the bytes of objects as they come, in their order, and sealing each once it is full."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue

from repatria.bundle.rows import SALT_LENGTH, MemberRow, ObjectRow, path_bytes
from repatria.bundle.volume import Place, VolumeBuilder
from repatria.crypt.errors import HashStateError
from repatria.errors import ChangedError, NotFoundError, StoreError
from repatria.i18n import _
from repatria.migrate.classify import recognise
from repatria.migrate.climbing import FIRST_RANGE
from repatria.migrate.comparing import WrongChecksumError, compare_checksum
from repatria.migrate.connections import Read
from repatria.migrate.fetching import Digest, Fetcher
from repatria.migrate.plan import Planned, Slice
from repatria.migrate.volumes import Volumes
from repatria.migrate.witness import WithheldError
from repatria.model import Finding, FindingKind, Object, ObjectKind
from repatria.work.parts import ObjectPart
from repatria.work.sealed_rows import VolumeContent
from repatria.work.sending import SealedVolume

_SALTS_AT_ONCE = 256
_GLANCE = 0.5
"""Seconds between two looks at whether a stop was asked for, while bytes are waited for."""


@dataclass(slots=True)
class Outcome:
    """What became of a volume, or of an object that is not in it after all."""

    objects: int = 0
    bytes: int = 0
    volumes: int = 0
    findings: list[Finding] = field(default_factory=list)
    again: list[Planned] = field(default_factory=list)
    """Objects that changed, came damaged or did not come, for the first time: to be copied once more."""
    failed: list[Planned] = field(default_factory=list)
    """Objects that are not."""


@dataclass(slots=True, eq=False)
class Volume:
    """A volume under way: its members follow."""

    builder: VolumeBuilder
    unproven: int = 0
    """Bytes that were asked for on its account."""
    objects: list[ObjectRow] = field(default_factory=list)
    members: list[MemberRow] = field(default_factory=list)
    part: ObjectPart | None = None


@dataclass(slots=True)
class Member:
    """A member of the volume under way: the reads of its bytes follow."""

    piece: Slice
    place: Place
    come: int = 0
    """Bytes of it whose reads are over."""


@dataclass(slots=True)
class Full:
    """Nothing more goes into the volume under way."""

    last: bool
    """Whether it is the last of all, padded to less than the volume size."""


@dataclass(slots=True)
class Ready:
    """A volume that is to be sent."""

    volume: SealedVolume
    unproven: int
    outcome: Outcome


Item = Volume | Member | Read | Full


class Filler:
    """Takes bytes in, in the order in which they were asked for; `ready` is for one thread, `put` for another."""

    def __init__(
        self, volumes: Volumes, fetcher: Fetcher, tell: Callable[[Outcome], None], drop: Callable[[Volume], None]
    ) -> None:
        """`tell` is told of objects that are given up, `drop` of volumes in which nothing is left."""
        self._volumes = volumes
        self._fetcher = fetcher
        self._tell = tell
        self._drop = drop
        self._items: SimpleQueue[Item | None] = SimpleQueue()
        self._digests: dict[int, Digest] = {}
        self._salts = _salts()
        self.given_up: set[int] = set()
        """Numbers of objects of which nothing more need be read."""

    def put(self, item: Item | None) -> None:
        """Say what comes next; None: nothing more."""
        self._items.put(item)

    def ready(self) -> Iterator[Ready]:
        """Yield every volume once it is full and sealed.

        What goes wrong with an object is told; a stop is raised, and what is not full yet is lost then.
        """
        volume: Volume | None = None
        try:
            while (item := self._next()) is not None:
                match item:
                    case Volume():
                        volume = item
                    case Member() if volume is not None:
                        self._fill(volume, item)
                    case Full() if volume is not None:
                        full, volume = volume, None
                        if full.members:
                            yield self._sealed(full, last=item.last)
                        else:
                            self._volumes.drop(full.builder)
                            self._drop(full)
        finally:
            if volume is not None:
                self._volumes.drop(volume.builder)

    def _next(self) -> Item | None:
        while True:
            try:
                return self._items.get(timeout=_GLANCE)
            except Empty:
                self._fetcher.patience.stop.raise_if_requested()

    def _fill(self, volume: Volume, member: Member) -> None:
        """Take in one member, whole; or nothing of it, if its object is given up."""
        piece, planned = member.piece, member.piece.planned
        told: Object | None = None
        try:
            if planned.number not in self.given_up:
                told = self._come(volume.builder, member)
        except StoreError as error:
            self._give_up(planned, error)
        if told is None:
            for _read in self._reads(member):  # until all are over, they may write to its place
                pass
            volume.builder.drop_oldest()
            return
        volume.members.append(volume.builder.end_oldest())
        if piece.ends_object:
            volume.objects.append(self._row(planned, told))
        else:
            volume.part = self._part(piece)

    def _come(self, builder: VolumeBuilder, member: Member) -> Object:
        """Wait for all bytes of a member, and return its object as fully as it is known then."""
        digest, told = self._digest(member.piece), member.piece.planned.object
        for read in self._reads(member):
            if read.error is not None:
                raise read.error
            if read.told is not None:
                digest.require_one_version(read.told)
                digest.expect(read.told.checksum)
            digest.update(member.place.data[member.come - read.length : member.come])
            builder.has_come(member.come)
            told = read.told or told
        if member.piece.ends_object:
            compare_checksum(digest, member.piece.planned, self._fetcher.etags)
        return told

    def _reads(self, member: Member) -> Iterator[Read]:
        """Yield the reads of a member that are not taken in yet, each once it is over."""
        connections = self._fetcher.connections[member.piece.planned.source]
        while member.come < member.piece.length:
            read = self._next()
            if not isinstance(read, Read):
                raise TypeError("reads of a member are wanting")
            while not connections.wait(
                read, _GLANCE
            ):  # a source may say nothing for long; a stop is heard all the same
                self._fetcher.patience.stop.raise_if_requested()
            member.come += read.length
            yield read

    def _sealed(self, volume: Volume, *, last: bool) -> Ready:
        content = VolumeContent(volume.objects, volume.members)
        sealed = self._volumes.seal(volume.builder, content, part=volume.part, last=last)
        size = sum(member.length for member in volume.members)
        return Ready(sealed, volume.unproven, Outcome(len(volume.objects), size, volumes=1))

    def _digest(self, piece: Slice) -> Digest:
        """Return the running digest of a slice's object, up to where the slice starts."""
        planned = piece.planned
        digest = self._digests.get(planned.number)
        if digest is None:
            digest = self._resumed(piece) if piece.start else Digest(planned.object, in_parts=piece.part > 0)
            if planned.object.kind is ObjectKind.SYMLINK:
                digest.update(path_bytes(planned.object.link_target or ""))
            self._digests[planned.number] = digest
        return digest

    def _resumed(self, piece: Slice) -> Digest:
        """Go on with the digest of an object whose first parts are stored; read them again if no state was kept."""
        planned = piece.planned
        kept = self._volumes.part_of(planned.object.path, self._volumes.catalogue.fingerprint(planned.object))
        if kept is not None and kept.hash_state is not None:
            try:
                return Digest(planned.object, in_parts=True, state=kept.hash_state)
            except HashStateError:
                pass  # kept by a machine with another libcrypto
        digest = Digest(planned.object, in_parts=True)
        for start in range(0, piece.start, FIRST_RANGE):
            length = min(FIRST_RANGE, piece.start - start)
            fetch = self._fetcher.fetch(planned.source, planned.object, start, length)
            for chunk in fetch:
                digest.update(chunk)
            digest.require_one_version(fetch.told)
        return digest

    def _row(self, planned: Planned, told: Object) -> ObjectRow:
        digest = self._digests.pop(planned.number)
        kind = recognise(planned.object.path, digest.sample).kind if digest.sample else None
        return ObjectRow.of(
            _with_reply(planned.object, told),
            number=planned.number,
            source=planned.source,
            sha256=digest.sha256(),
            salt=next(self._salts),
            checksum=digest.compared(),
            recognised=None if kind == "unknown" else kind,
        )

    def _part(self, piece: Slice) -> ObjectPart:
        planned = piece.planned
        return ObjectPart(
            object=planned.number,
            path=planned.object.path,
            fingerprint=self._volumes.catalogue.fingerprint(planned.object),
            name=planned.name,
            part=piece.part,
            end=piece.start + piece.length,
            hash_state=self._digests[planned.number].state(),
        )

    def _give_up(self, planned: Planned, error: StoreError) -> None:
        self.given_up.add(planned.number)
        self._digests.pop(planned.number, None)
        self._volumes.forget(planned.number)
        passing = isinstance(error, ChangedError | NotFoundError | WrongChecksumError | WithheldError)
        if not planned.again and passing:
            self._tell(Outcome(again=[planned]))
        else:
            self._tell(Outcome(findings=[finding(planned, error)], failed=[planned]))


def _salts() -> Iterator[bytes]:
    """Yield random salts, drawn many at once: while the system draws, other threads take the turn."""
    while True:
        drawn = os.urandom(SALT_LENGTH * _SALTS_AT_ONCE)
        yield from (drawn[at : at + SALT_LENGTH] for at in range(0, len(drawn), SALT_LENGTH))


def finding(planned: Planned, error: StoreError) -> Finding:
    """Return what is said of an object that could not be copied."""
    if isinstance(error, NotFoundError):
        kind, detail = FindingKind.CHANGED, _("It was removed at the source while it was copied.")
    elif isinstance(error, ChangedError):
        kind, detail = (
            FindingKind.CHANGED,
            _("It changed while it was copied, twice; the next run takes it as it is then."),
        )
    elif isinstance(error, WrongChecksumError):
        kind, detail = FindingKind.FAILED, error.message
    elif isinstance(error, WithheldError):
        kind, detail = (
            FindingKind.FAILED,
            _("Its source fails to give it, time and again, while it gives others; the next run tries again."),
        )
    else:
        kind, detail = (
            FindingKind.FAILED,
            _("The source did not give it. Check its rights there; the next run tries again."),
        )
    return Finding(kind, f"object {planned.number}", detail, path=planned.object.path)


def _with_reply(planned: Object, told: Object) -> Object:
    """Return the object as it was planned, with what only a reply to a read tells of it."""
    return replace(
        planned,
        content_type=planned.content_type or told.content_type,
        metadata=planned.metadata or told.metadata,
        tags=planned.tags or told.tags,
    )
