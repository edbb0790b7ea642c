"""Filling the volumes of one unit with the bytes of its objects, and bringing each to the target."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from repatria.bundle.rows import MemberRow, ObjectRow, path_bytes
from repatria.bundle.volume import VolumeBuilder
from repatria.crypt.errors import HashStateError
from repatria.errors import ChangedError, NotFoundError, StoreError
from repatria.i18n import _
from repatria.migrate.classify import recognise
from repatria.migrate.fetching import Digest, Fetcher
from repatria.migrate.plan import Planned, Slice, Unit
from repatria.migrate.prefetch import Prefetch
from repatria.model import Finding, FindingKind, Object, ObjectKind
from repatria.work.bundling import BundleRun
from repatria.work.unfinished import ObjectPart

_SALT_LENGTH = 16


class WrongChecksumError(StoreError):
    """An object's bytes do not have the checksum that the source itself keeps of it."""


@dataclass(slots=True)
class Outcome:
    """What became of a unit."""

    objects: int = 0
    bytes: int = 0
    volumes: int = 0
    findings: list[Finding] = field(default_factory=list)
    again: list[Planned] = field(default_factory=list)
    """Objects that changed, or came damaged, for the first time: to be copied once more."""


class Filler:
    """Copies one unit; used by one thread."""

    def __init__(self, run: BundleRun, fetcher: Fetcher, unit: Unit, order: int = 0) -> None:
        """Prepare to copy `unit`; of several, the one with the lower `order` is read first."""
        self._run = run
        self._fetcher = fetcher
        self._unit = unit
        self._order = order
        self._digests: dict[int, Digest] = {}
        self._given_up: set[int] = set()
        self.outcome = Outcome()

    def copy(self) -> Outcome:
        """Fill and store the volumes of a unit, in order.

        What goes wrong with an object is in the outcome; what goes wrong with the target, or a stop, is raised, and
        what was stored before stays.
        """
        unit = self._unit
        slices = (piece for volume in unit.volumes for piece in volume)
        self._prefetch = Prefetch(self._fetcher, slices, self._order, self._run.volume_size)
        try:
            for number, volume in enumerate(unit.volumes, 1):
                self._fetcher.patience.stop.raise_if_requested()
                self._copy_volume(volume, last=unit.last and number == len(unit.volumes))
        finally:
            self._prefetch.close()
        return self.outcome

    def _copy_volume(self, pieces: Sequence[Slice], *, last: bool) -> None:
        volume = self._run.volume()
        rows: list[ObjectRow] = []
        members: list[MemberRow] = []
        part: ObjectPart | None = None
        try:
            for piece in pieces:
                told = self._copy_slice(volume, piece)
                if told is None:
                    continue
                members.append(volume.end())
                if piece.ends_object:
                    rows.append(self._row(piece.planned, told))
                else:
                    part = self._part(piece)
        except BaseException:
            self._run.drop(volume)
            raise
        if not members:
            self._run.drop(volume)
            return
        self._run.store(volume, rows, members, part=part, last=last)
        self.outcome.volumes += 1
        self.outcome.objects += len(rows)
        self.outcome.bytes += sum(member.length for member in members)

    def _copy_slice(self, volume: VolumeBuilder, piece: Slice) -> Object | None:
        """Write one member, all but its end; return the object as fully as it is known, None if it is given up."""
        planned = piece.planned
        if planned.number in self._given_up:
            return None
        volume.begin(
            planned.object, planned.name, number=planned.number, length=piece.length, part=piece.part, start=piece.start
        )
        try:
            told = planned.object
            digest = self._digest(piece)
            for found, chunk in self._prefetch.chunks(piece):
                if told is planned.object:
                    digest.expect(found.checksum)
                told = found
                volume.write(chunk)
                digest.update(chunk)
            if piece.ends_object:
                _check(digest)
        except StoreError as error:
            volume.abandon()
            self._give_up(planned, error)
            return None
        return told

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
        kept = self._run.part_of(planned.object.path, self._run.catalogue.fingerprint(planned.object))
        if kept is not None and kept.hash_state is not None:
            try:
                return Digest(planned.object, in_parts=True, state=kept.hash_state)
            except HashStateError:
                pass  # kept by a machine with another libcrypto
        digest = Digest(planned.object, in_parts=True)
        for chunk in self._fetcher.fetch(planned.source, planned.object, 0, piece.start):
            digest.update(chunk)
        return digest

    def _row(self, planned: Planned, told: Object) -> ObjectRow:
        digest = self._digests.pop(planned.number)
        kind = recognise(planned.object.path, digest.sample).kind if digest.sample else None
        return ObjectRow.of(
            _with_reply(planned.object, told),
            number=planned.number,
            source=planned.source,
            sha256=digest.sha256(),
            salt=os.urandom(_SALT_LENGTH),
            checksum=digest.compared(),
            recognised=None if kind == "unknown" else kind,
        )

    def _part(self, piece: Slice) -> ObjectPart:
        planned = piece.planned
        return ObjectPart(
            object=planned.number,
            path=planned.object.path,
            fingerprint=self._run.catalogue.fingerprint(planned.object),
            name=planned.name,
            part=piece.part,
            end=piece.start + piece.length,
            hash_state=self._digests[planned.number].state(),
        )

    def _give_up(self, planned: Planned, error: StoreError) -> None:
        self._given_up.add(planned.number)
        self._prefetch.give_up(planned.number)
        self._digests.pop(planned.number, None)
        self._run.forget(planned.number)
        changed = isinstance(error, ChangedError | NotFoundError)
        if not planned.again and (changed or isinstance(error, WrongChecksumError)):
            self.outcome.again.append(planned)
        else:
            self.outcome.findings.append(finding(planned, error))


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
    else:
        kind, detail = (
            FindingKind.FAILED,
            _("The source did not give it. Check its rights there; the next run tries again."),
        )
    return Finding(kind, f"object {planned.number}", detail, path=planned.object.path)


def _check(digest: Digest) -> None:
    try:
        digest.compared()
    except ValueError as error:
        raise WrongChecksumError(
            _("Its bytes do not have the {algorithm} checksum that the source keeps of it.").format(algorithm=error)
        ) from error


def _with_reply(planned: Object, told: Object) -> Object:
    """Return the object as it was planned, with what only a reply to a read tells of it."""
    return replace(
        planned,
        content_type=planned.content_type or told.content_type,
        metadata=planned.metadata or told.metadata,
        tags=planned.tags or told.tags,
    )
