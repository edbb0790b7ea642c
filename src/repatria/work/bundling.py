"""The bundle in the making: what both a copy and a digitisation write through, from its first volume to its signature.

A run is opened for a dataset whose lock is held (`repatria.work.lock`). It goes on with the dataset's unfinished bundle
if there is one; else it begins another, of which nothing is at the target until its first volume.

```python
with BundleRun.open(facts, target, recipients=..., signer=..., state=..., sources=...) as run:
    volume = run.volumes.volume()
    number = run.next_object_number()
    volume.begin(told, run.volumes.member_name(told.path, number), number=number)
    ...
    content = VolumeContent([ObjectRow.of(told, number=number, ...)], [volume.end()])
    run.volumes.store(volume, content)
    run.publish_if_due()
    uri = run.finish(findings)
```
"""

import hashlib
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from repatria.bundle import layout
from repatria.bundle.statement import DatasetFacts, FindingEntry, SourceFacts
from repatria.bundle.volume import DEFAULT_VOLUME_SIZE
from repatria.bundle.writer import BundleWriter
from repatria.crypt.recipient import Recipient, parse_recipient
from repatria.crypt.sshsig import Signer
from repatria.i18n import _
from repatria.model import Finding
from repatria.store.base import Store
from repatria.store.registry import join
from repatria.work.arrived import Arrived
from repatria.work.beginning import Beginning
from repatria.work.bundle_volumes import BundleVolumes
from repatria.work.catalogue import Catalogue, Known
from repatria.work.chain_memory import ChainMemory, recipient_texts
from repatria.work.claimed_names import ClaimedNames
from repatria.work.journal import Journal
from repatria.work.numbering import Numbering
from repatria.work.opening import is_there_still, judge_recipients, look_at_chain
from repatria.work.patience import Patience
from repatria.work.publishing import Publisher
from repatria.work.sending import Sender
from repatria.work.settling import head_at_target, look_over, require_head
from repatria.work.state import Remembered, StateFolder
from repatria.work.stoppable import StoppableStore
from repatria.work.unfinished import Unfinished, VolumeState
from repatria.work.volume_memory import VolumeMemory


class BundleRun:
    """A bundle in the making; all but `open`, `finish` and `close` may be called from several threads."""

    bundle_id: str
    uri: str
    """Of this bundle, as it will be once finished."""
    volumes: BundleVolumes
    """Its volumes: what is brought goes into these."""

    def __init__(
        self,
        facts: DatasetFacts,
        target: Store,
        *,
        recipients: Sequence[Recipient],
        signer: Signer,
        state: StateFolder,
        sources: Sequence[SourceFacts],
        volume_size: int,
        patience: Patience,
    ) -> None:
        self._facts = facts
        self._patience = patience
        self._target = StoppableStore(target, patience.stop)
        self._recipients = tuple(recipients)
        self._signer = signer
        self._state = state
        self._sources = tuple(sources)
        self._memory = VolumeMemory(volume_size, self._recipients)
        self._publishing = threading.Lock()
        self._journal = Journal(state.dataset(facts.id), state.key())
        self.catalogue = Catalogue(self._journal)
        """What is known of the dataset's objects."""
        self.findings: list[Finding] = []
        """What was seen at the target that should not be there."""
        self._unfinished = Unfinished(self._journal, self.catalogue)
        self._chain = ChainMemory(self._journal, self.catalogue, self._unfinished)
        self._numbering = Numbering(
            int(self._journal.fact("next_object") or 1), int(self._journal.fact("next_document") or 1)
        )

    @classmethod
    def open(
        cls,
        facts: DatasetFacts,
        target: Store,
        *,
        recipients: Sequence[Recipient],
        signer: Signer,
        state: StateFolder,
        sources: Sequence[SourceFacts] = (),
        volume_size: int = DEFAULT_VOLUME_SIZE,
        patience: Patience | None = None,
    ) -> Self:
        """Open the dataset's bundle in the making: the unfinished one, every sent volume settled, or a new one.

        Errors: StoreError (5) if the target cannot be reached at this first contact, UsageError (2) or
        UnverifiableError (3) if the chain at the target is not the one that this machine knows.
        """
        run = cls(
            facts,
            target,
            recipients=recipients,
            signer=signer,
            state=state,
            sources=sources,
            volume_size=volume_size,
            patience=patience or Patience(),
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
        head = self._chain.head()
        return self._uri_of(head.bundle) if head else None

    @property
    def moved_sources(self) -> list[tuple[str, str]]:
        """URIs, before and now, of sources that lay elsewhere for the last finished bundle."""
        return self._chain.moved_sources(self._sources)

    @property
    def proven(self) -> int:
        """How many volumes of this bundle are safe at the target."""
        return self._unfinished.count(VolumeState.PROVEN)

    @property
    def arrived(self) -> Arrived:
        """How much of this bundle is safe at the target."""
        return self._unfinished.arrived()

    def known(self, path: str) -> Known | None:
        """Return what is known of the object at a path, None if it is new or gone."""
        return self.catalogue.known(path)

    def next_object_number(self) -> int:
        """Return a number that no object of the chain has or will have."""
        return self._numbering.next_object()

    def next_document_number(self) -> int:
        """Return a number that no document of the chain has or will have."""
        return self._numbering.next_document()

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
        require_head(found, self._chain.head(), self._facts.id)
        files = self._publisher.close_bundle(
            self._sources, strays, _entries(findings), self.catalogue.standing(), self._numbering.free()
        )
        self._chain.finishing(files, hashlib.sha256(files[layout.STATEMENT]).hexdigest())
        self._deliver_and_commit()
        return self.uri

    def _go_on(self) -> None:
        """Attach to the unfinished bundle, or begin one."""
        seen = self._state.remembered(self._facts.id)
        signer = self._signer.fingerprint
        opening = look_at_chain(self._target, self._facts.id, self._unfinished, self._chain, seen, signer)
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
            self._attach(self._chain.new_beginning(self._recipients), self._recipients)

    def _resume(self, beginning: Beginning) -> None:
        if not is_there_still(self._unfinished, self._target, self._writer, self._patience):
            self._patience.progress.say(
                _(
                    "Files of the unfinished bundle {bundle} are gone from the target; its objects are sent anew."
                ).format(bundle=beginning.bundle)
            )
            self._unfinished.clear()
        elif self._chain.is_finishing():
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
        self._publisher = Publisher(
            self._facts, beginning, self._unfinished, self._writer, recipients, self._signer, self._patience
        )
        self._numbering.volumes_after(self._unfinished.highest_volume())
        self.volumes = BundleVolumes(
            self.catalogue,
            ClaimedNames(self._journal, beginning.bundle),
            self._memory,
            Sender(beginning, self._unfinished, self._numbering, self._patience),
            self._writer,
        )

    def _recipients_of(self, beginning: Beginning) -> tuple[Recipient, ...]:
        """Return those to whom a bundle was begun: its last index must open for all who can open its volumes."""
        if beginning.recipients == recipient_texts(self._recipients):
            return self._recipients
        return tuple(parse_recipient(text) for text in beginning.recipients)

    def _deliver_and_commit(self) -> None:
        """Put the files that finish the bundle; then, and only then, the catalogue takes in what it holds."""
        self._publisher.deliver()
        head = self._chain.commit(self.bundle_id, self.uri, self._sources)
        self._state.remember(self._facts.id, Remembered(self._signer.fingerprint, head.bundle, head.statement_sha256))

    def _uri_of(self, bundle_id: str) -> str:
        return join(self._target.uri, f"{self._facts.id}/{bundle_id}")


def _entries(findings: Sequence[Finding]) -> list[FindingEntry]:
    """Return the findings that name an object, as the statement holds them."""
    named = (finding for finding in findings if finding.subject.startswith("object "))
    return [FindingEntry(kind=str(each.kind), object=int(each.subject.removeprefix("object "))) for each in named]
