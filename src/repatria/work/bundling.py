"""The bundle in the making: what a copy and a digitisation both write through.

A run is opened for a dataset whose lock is held (`repatria.work.lock`). It goes on with the dataset's unfinished bundle
if there is one; else it begins another, of which nothing is at the target until its first volume.

```python
with BundleRun.open(facts, target, recipients=..., signer=..., state=..., sources=...) as run:
    volume = run.volume()
    number = run.next_object_number()
    volume.begin(told, run.member_name(told.path, number), number=number)
    ...
    run.store(volume, [ObjectRow.of(told, number=number, ...)], [volume.end()])
    run.publish_if_due()
    uri = run.finish(findings)
```
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from repatria.bundle import layout
from repatria.bundle.names import MemberNames
from repatria.bundle.rows import DescriptionRow, DocumentRow, MemberRow, ObjectRow, PageRow
from repatria.bundle.statement import DatasetFacts, FindingEntry, SourceFacts
from repatria.bundle.volume import DEFAULT_VOLUME_SIZE, VolumeBuilder
from repatria.bundle.writer import BundleWriter
from repatria.crypt.payload import sealed_size
from repatria.crypt.recipient import Recipient, parse_recipient
from repatria.crypt.sealing import Sealing
from repatria.crypt.sshsig import Signer
from repatria.i18n import _
from repatria.memory import Pool
from repatria.model import Finding
from repatria.progress import SILENT, Progress
from repatria.store.base import Store
from repatria.store.registry import join
from repatria.work.beginning import Beginning
from repatria.work.catalogue import Catalogue, Known, Standing
from repatria.work.chain_memory import ChainMemory, recipient_texts
from repatria.work.journal import Journal
from repatria.work.name_marks import NameMarks
from repatria.work.numbering import Numbering
from repatria.work.opening import judge_recipients, look_at_chain
from repatria.work.parts import ObjectPart
from repatria.work.patience import Patience
from repatria.work.publishing import Publisher
from repatria.work.sealed_rows import VolumeContent
from repatria.work.sending import SealedVolume, Sender, VolumeFacts, is_kept
from repatria.work.settling import (
    head_at_target,
    is_lost,
    list_payload,
    look_over,
    missing_volumes,
    require_head,
    require_seen,
    settle_sent,
)
from repatria.work.state import Remembered, StateFolder
from repatria.work.stop import StopSignal
from repatria.work.stoppable import StoppableStore
from repatria.work.unfinished import Arrived, Unfinished, VolumeState

ROOM_FOR_HEADS = 64 << 10
"""Bytes for the header of an age file to some forty recipients; one to more finds memory of its own."""


class BundleRun:
    """A bundle in the making; all but `open`, `finish` and `close` may be called from several threads."""

    bundle_id: str
    uri: str
    """Of this bundle, as it will be once finished."""

    def __init__(
        self,
        facts: DatasetFacts,
        target: Store,
        *,
        recipients: Sequence[Recipient],
        signer: Signer,
        state: StateFolder,
        sources: Sequence[SourceFacts] = (),
        volume_size: int = DEFAULT_VOLUME_SIZE,
        patience: Patience | None = None,
    ) -> None:
        self._facts = facts
        self._patience = patience or Patience()
        self._target = StoppableStore(target, self._patience.stop)
        self._recipients = tuple(recipients)
        self._signer = signer
        self._state = state
        self._sources = tuple(sources)
        self._volume_size = volume_size
        self._buffers = Pool(sealed_size(volume_size) + ROOM_FOR_HEADS)
        self._lock = threading.Lock()
        self._publishing = threading.Lock()
        self._journal = Journal(state.dataset(facts.id), state.key())
        self.catalogue = Catalogue(self._journal)
        """What is known of the dataset's objects."""
        self.findings: list[Finding] = []
        """What was seen at the target that should not be there."""
        self._unfinished = Unfinished(self._journal, self.catalogue)
        self._memory = ChainMemory(self._journal, self.catalogue, self._unfinished)
        self._marks = NameMarks(self._journal)
        self._numbering = Numbering(
            int(self._journal.fact("next_object") or 1), int(self._journal.fact("next_document") or 1)
        )

    @classmethod
    def open(  # noqa: PLR0913 -- a bundle is made of these
        cls,
        facts: DatasetFacts,
        target: Store,
        *,
        recipients: Sequence[Recipient],
        signer: Signer,
        state: StateFolder,
        sources: Sequence[SourceFacts] = (),
        volume_size: int = DEFAULT_VOLUME_SIZE,
        stop: StopSignal | None = None,
        progress: Progress = SILENT,
        patience: Patience | None = None,
    ) -> Self:
        """Open the dataset's bundle in the making: the unfinished one, every sent volume settled, or a new one.

        Errors: StoreError (5) if the target cannot be reached at this first contact, UsageError (2) or
        UnverifiableError (3) if the chain at the target is not the one that this machine knows.
        """
        patience = patience or Patience(stop or StopSignal(), progress=progress)
        run = cls(
            facts,
            target,
            recipients=recipients,
            signer=signer,
            state=state,
            sources=sources,
            volume_size=volume_size,
            patience=patience,
        )
        try:
            run._go_on()
        except BaseException:
            run.close()
            raise
        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the journal; what is unfinished is gone on with by the next run."""
        self._journal.close()

    @property
    def latest_uri(self) -> str | None:
        """The URI of the dataset's last finished bundle, None if there is none."""
        head = self._memory.head()
        return self._uri_of(head.bundle) if head else None

    @property
    def moved_sources(self) -> list[tuple[str, str]]:
        """URIs, before and now, of sources that lay elsewhere for the last finished bundle."""
        return self._memory.moved_sources(self._sources)

    @property
    def proven(self) -> int:
        """How many volumes of this bundle are safe at the target."""
        return self._unfinished.count(VolumeState.PROVEN)

    @property
    def bytes_proven(self) -> int:
        """The payload bytes of those volumes."""
        return self._unfinished.bytes_proven()

    @property
    def arrived(self) -> Arrived:
        """How much of this bundle is safe at the target."""
        return self._unfinished.arrived()

    @property
    def volume_size(self) -> int:
        """Payload bytes of a full volume."""
        return self._volume_size

    @property
    def recipients(self) -> tuple[str, ...]:
        """The public keys to which volumes are sealed."""
        return recipient_texts(self._recipients)

    def known(self, path: str) -> Known | None:
        """Return what is known of the object at a path, None if it is new or gone."""
        return self.catalogue.known(path)

    def part_of(self, path: str, fingerprint: bytes) -> ObjectPart | None:
        """Return how far an object in parts has come, in this bundle and the same version; None if it has not begun."""
        return self._unfinished.parts.of(path, fingerprint)

    def forget_unsent(self) -> None:
        """Give up every object that has a member name and is in no volume yet; no volume may be in flight."""
        self._marks.let_go_all()

    def next_object_number(self) -> int:
        """Return a number that no object of the chain has or will have."""
        return self._numbering.next_object()

    def next_document_number(self) -> int:
        """Return a number that no document of the chain has or will have."""
        return self._numbering.next_document()

    def volume(self) -> VolumeBuilder:
        """Return an empty volume with the next number; end it with `store` or `drop`."""
        into = self._buffers.take()
        return VolumeBuilder(
            self._numbering.next_volume(),
            self._volume_size,
            memory=self._buffers.take(),
            begin_sealing=lambda payload: Sealing(payload, self._recipients, into),
        )

    def member_name(self, path: str, number: int, *, directory: bool = False) -> str:
        """Return, and take, the member name of the object `number` at a path."""
        with self._lock:
            self._marks.claim_for(number)
            return self._names.claim(path, number, directory=directory)

    def forget(self, number: int) -> None:
        """Give up an object that is not stored after all: its member name is free again.

        What volumes hold already of an object in parts belongs to no object.
        """
        self._marks.let_go((number,))
        self._unfinished.parts.forget(number)

    def store(
        self,
        volume: VolumeBuilder,
        objects: Sequence[ObjectRow],
        members: Sequence[MemberRow],
        *,
        documents: Sequence[DocumentRow] = (),
        pages: Sequence[PageRow] = (),
        descriptions: Sequence[DescriptionRow] = (),
        last: bool = False,
        part: ObjectPart | None = None,
    ) -> int:
        """Seal a volume, put it and read it back; return the number under which the target holds it, proven.

        `objects` are those that end in this volume; `part` tells of one that ends in a later one. `last` pads it as the
        bundle's last. A lost link is waited for as long as patience lasts, then StoppedError (8); a target that
        refuses, is full, or does not keep what it is given is a StoreError (5). What was stored before is safe then.
        """
        return self.send(
            self.seal(
                volume,
                objects,
                members,
                documents=documents,
                pages=pages,
                descriptions=descriptions,
                last=last,
                part=part,
            )
        )

    def seal(
        self,
        volume: VolumeBuilder,
        objects: Sequence[ObjectRow],
        members: Sequence[MemberRow],
        *,
        documents: Sequence[DocumentRow] = (),
        pages: Sequence[PageRow] = (),
        descriptions: Sequence[DescriptionRow] = (),
        last: bool = False,
        part: ObjectPart | None = None,
    ) -> SealedVolume:
        """Seal a volume, the first half of `store`; another may be filled while `send` is at the other half."""
        sealed = volume.seal(last=last)
        self._buffers.give(volume.memory)
        return SealedVolume.of(
            volume.number, sealed, VolumeContent(objects, members, documents, pages, descriptions), part
        )

    def send(self, volume: SealedVolume) -> int:
        """Put a volume and read it back, the second half of `store`. Volumes that share an object: in their order."""
        sealed = volume.sealed
        number = self._send(volume.facts, lambda number: is_kept(self._writer, self._patience, number, sealed))
        self._buffers.give(sealed.memory)
        return number

    def send_from_elsewhere(self, volume: VolumeFacts, put: Callable[[int], bool]) -> int:
        """Do the same for a volume that another machine has filled and sealed, under the next number.

        `put` has it put there under a number, and tells whether the target gave it back; GoneError from it, if that
        machine is gone, gives the volume up and is passed on.
        """

        def put_and_seen(number: int) -> bool:
            if not put(number):
                return False
            require_seen(self._writer, number, volume.row.size, self._patience)
            return True

        return self._send(volume.numbered(self._numbering.next_volume()), put_and_seen)

    def drop(self, volume: VolumeBuilder) -> None:
        """Let go of a volume that was not stored: its number stays unused. Objects that were in it may go into another.

        Those that are not stored after all are given up with `forget`.
        """
        self._numbering.landed(volume.number)

    def bury(self, number: int) -> None:
        """Write a tombstone for an object that is gone from the source."""
        self.bury_all((number,))

    def bury_all(self, numbers: Iterable[int]) -> int:
        """Write tombstones for objects that are gone; return how many."""
        with self._journal.transaction():
            buried = self._unfinished.bury(numbers, layout.rfc3339(datetime.now(UTC)))
            if buried:
                self._unfinished.begin(self._beginning)
        return buried

    def publish_if_due(self) -> None:
        """Publish an index, with its checkpoint, if enough volumes or objects wait for one."""
        with self._publishing:
            covered = self._publisher.is_due(self._numbering.settled_up_to())
            if covered is not None:
                self._publisher.publish(covered, self._numbering.free())

    def finish(self, findings: Sequence[Finding] = ()) -> str | None:
        """Publish what is left, sign, and finish the bundle; return its URI, None if there was nothing new.

        Findings that name an object have `object N` as their subject. What was found at the target itself is added to
        `findings` of this run.
        """
        free = self._numbering.free()
        self._journal.set_facts(next_object=free.object, next_document=free.document)
        if self._unfinished.is_empty():
            self._unfinished.clear()
            return None
        self._publisher.publish_rest(self._numbering.free())
        strays, unexpected = look_over(self._unfinished, self._target, self._writer, self._patience)
        self.findings += unexpected
        found = self._patience.insist(lambda: head_at_target(self._target, self._facts.id))
        require_head(found, self._memory.head(), self._facts.id)
        files = self._publisher.close_bundle(
            self._sources, strays, _entries(findings), self.catalogue.standing(), self._numbering.free()
        )
        self._memory.finishing(files, hashlib.sha256(files[layout.STATEMENT]).hexdigest())
        self._deliver_and_commit()
        return self.uri

    def _send(self, volume: VolumeFacts, put: Callable[[int], bool]) -> int:
        numbers = dict.fromkeys(member.object for member in volume.content.members)
        self._unfinished.begin(self._beginning)
        number = self._sender.send(volume, put, self._marks.of(numbers))
        self._marks.let_go(numbers)
        return number

    def _go_on(self) -> None:
        """Attach to the unfinished bundle, or begin one."""
        seen = self._state.remembered(self._facts.id)
        signer = self._signer.fingerprint
        opening = look_at_chain(self._target, self._facts.id, self._unfinished, self._memory, seen, signer)
        judge_recipients(self._target, self._facts.id, opening.head, self._recipients, self._patience.progress)
        beginning = opening.beginning
        if beginning is not None:
            self._attach(beginning, self._recipients_of(beginning))
            if opening.is_finished:
                # Whatever became of its files since: it is signed and the head, and `verify` names what is missing.
                self._deliver_and_commit()
            else:
                self._resume(beginning)
        if self._unfinished.beginning() is None:
            self._attach(self._memory.new_beginning(self._recipients), self._recipients)

    def _resume(self, beginning: Beginning) -> None:
        listed = list_payload(self._target, self._facts.id, beginning.bundle)
        if is_lost(self._unfinished, listed):
            self._patience.progress.say(
                _(
                    "Files of the unfinished bundle {bundle} are gone from the target; its objects are sent anew."
                ).format(bundle=beginning.bundle)
            )
            self._unfinished.clear()
            return
        for volume in missing_volumes(self._unfinished, listed):
            self._unfinished.give_up(volume.number)
        settle_sent(self._unfinished, self._writer, self._patience)
        if self._memory.is_finishing():
            self._deliver_and_commit()
        else:
            self._publisher.deliver()
            if beginning.recipients != recipient_texts(self._recipients):
                # Its volumes are sealed to others: it ends here as it is, and what is left goes into the next bundle.
                self.finish()

    def _attach(self, beginning: Beginning, recipients: Sequence[Recipient]) -> None:
        self._beginning = beginning
        self.bundle_id = beginning.bundle
        self.uri = self._uri_of(beginning.bundle)
        self._writer = BundleWriter(self._target, self._facts.id, beginning.bundle)
        self._names = MemberNames(self._marks, self._journal.marks(b"names")(beginning.bundle.encode()))
        self._publisher = Publisher(
            self._facts, beginning, self._unfinished, self._writer, recipients, self._signer, self._patience
        )
        self._numbering.volumes_after(self._unfinished.highest_volume())
        self._sender = Sender(self._unfinished, self._numbering, self._patience)

    def _recipients_of(self, beginning: Beginning) -> tuple[Recipient, ...]:
        """Return those to whom a bundle was begun: its last index must open for all who can open its volumes."""
        if beginning.recipients == recipient_texts(self._recipients):
            return self._recipients
        return tuple(parse_recipient(text) for text in beginning.recipients)

    def _deliver_and_commit(self) -> None:
        """Put the files that finish the bundle; then, and only then, the catalogue takes in what it holds."""
        self._publisher.deliver()
        head = self._memory.commit(self.bundle_id, self.uri, self._sources)
        self._state.remember(self._facts.id, Remembered(self._signer.fingerprint, head.bundle, head.statement_sha256))

    def _uri_of(self, bundle_id: str) -> str:
        return join(self._target.uri, f"{self._facts.id}/{bundle_id}")


def _entries(findings: Sequence[Finding]) -> list[FindingEntry]:
    """Return the findings that name an object, as the statement holds them."""
    named = (finding for finding in findings if finding.subject.startswith("object "))
    return [FindingEntry(kind=str(each.kind), object=int(each.subject.removeprefix("object "))) for each in named]


__all__ = ["BundleRun", "DatasetFacts", "Known", "ObjectPart", "SourceFacts", "Standing"]
