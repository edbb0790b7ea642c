"""What a bundle in the making shows at its target: indexes with checkpoints, and at last the files that finish it.

Every file goes through the journal's outbox: its bytes are kept first, then put, then read back. Whatever interrupts
that, the next run puts the very same bytes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from repatria.bundle import layout
from repatria.bundle.closing import PayloadFile, closing_files
from repatria.bundle.index_building import IndexMeta, IndexRows, build_index
from repatria.bundle.rows import Tombstone, VolumeRow
from repatria.bundle.statement import (
    Checkpoint,
    DatasetFacts,
    FindingEntry,
    IndexEntry,
    SourceFacts,
    Statement,
    Totals,
)
from repatria.bundle.writer import BundleWriter
from repatria.crypt.payload import Buffer
from repatria.crypt.recipient import Recipient
from repatria.crypt.seal import Sealed, seal
from repatria.crypt.sshsig import Signer
from repatria.errors import AlreadyExistsError, RefusedError
from repatria.i18n import _
from repatria.work.beginning import Beginning
from repatria.work.catalogue import Standing
from repatria.work.index_range import Limits, Range
from repatria.work.numbering import NextNumbers
from repatria.work.patience import Patience
from repatria.work.reckoning import volume_counts
from repatria.work.unfinished import Unfinished, VolumeState

LIMITS = Limits(volumes=64, objects=100_000, pages=5_000, row_bytes=48 << 20)
"""Of one index: it is built in memory, and one lookup in it takes few requests (docs/formats/index.md)."""
TOMBSTONES_PER_INDEX = 500_000


@dataclass(slots=True)
class Publisher:
    """Publishes the indexes and the end of one bundle; one thread at a time."""

    facts: DatasetFacts
    beginning: Beginning
    unfinished: Unfinished
    writer: BundleWriter
    recipients: Sequence[Recipient]
    signer: Signer
    patience: Patience

    def is_due(self, last: int) -> Range | None:
        """Return what an index should cover now, among the volumes up to `last`; None if it can wait."""
        covered = self.unfinished.open_range(last, LIMITS)
        return covered if covered is not None and covered.is_full else None

    def publish(self, covered: Range | None, numbers: NextNumbers) -> None:
        """Publish one index over a range of volumes, or over tombstones alone, and sign the checkpoint."""
        earlier = self.unfinished.indexes()
        number = len(earlier) + 1
        buried = self.unfinished.open_tombstones(TOMBSTONES_PER_INDEX)
        first, last = (covered.first, covered.last) if covered else (0, 0)
        meta = IndexMeta(self.facts.id, self.beginning.bundle, number, first, last)
        sealed = seal(build_index(meta, self._rows(covered, buried)), self.recipients)
        entry = _index_entry(number, sealed, first, last)
        checkpoint = self._checkpoint((*earlier, entry), numbers)
        path = layout.checkpoint_path(number)
        files: dict[str, Buffer] = {
            layout.index_path(number): sealed.data,
            path: checkpoint,
            layout.signature_path(path): self.signer.sign(checkpoint).encode(),
        }
        self.unfinished.publish(number, entry, covered, buried, files)
        self.deliver()

    def publish_rest(self, numbers: NextNumbers) -> None:
        """Publish everything that waits for an index; in a first bundle without objects, an index of nothing."""
        while True:
            covered = self.unfinished.open_range(self.unfinished.highest_volume(), LIMITS)
            if covered is None and not self.unfinished.open_tombstones(1):
                return
            self.publish(covered, numbers)

    def deliver(self) -> None:
        """Put every file of the outbox, in order, and read it back."""
        while (waiting := self.unfinished.outbox.first()) is not None:
            path, data = waiting
            digest = hashlib.sha256(data).digest()
            try:
                self.patience.insist(partial(self.writer.put, path, data))
                same = self.patience.insist(partial(self.writer.read_back, path, digest, len(data)))
            except AlreadyExistsError:
                same = False
            if not same:
                raise _spoilt(f"{self.facts.id}/{self.beginning.bundle}/{path}")
            self.unfinished.outbox.delivered(path, digest if path.startswith(layout.CHECKPOINT_FOLDER) else None)

    def close_bundle(
        self,
        sources: Sequence[SourceFacts],
        strays: Iterable[VolumeRow],
        findings: Sequence[FindingEntry],
        standing: Standing,
        numbers: NextNumbers,
    ) -> dict[str, bytes]:
        """Return the files that finish the bundle, in their order.

        `strays` are volumes that were given up, but came to the target after all with the right bytes: they belong to
        the bag, without members.
        """
        unfinished = self.unfinished
        volumes = sorted((*unfinished.volumes(VolumeState.PROVEN), *strays), key=lambda volume: volume.number)
        indexes = unfinished.indexes()
        draft = Statement(
            dataset=self.facts,
            bundle=self.beginning.bundle,
            kind=self.beginning.kind,
            sources=tuple(sources),
            started=self.beginning.started,
            finished=layout.rfc3339(datetime.now(UTC)),
            previous=self.beginning.previous,
            recipients=self.beginning.recipients,
            tool=layout.TOOL,
            objects=unfinished.reckoning.objects(numbers),
            documents=unfinished.reckoning.documents(numbers),
            tombstones=unfinished.tombstones(),
            totals=Totals(objects=standing.objects, bytes=standing.bytes),
            merkle_root=unfinished.reckoning.merkle_root(),
            checksums_compared=unfinished.reckoning.checksums_compared(),
            durability="read-back",
            files={},
            indexes=indexes,
            volumes=volume_counts(volumes),
            findings=tuple(findings),
        )
        payload = [PayloadFile(layout.volume_path(row.number), row.size, row.sha256) for row in volumes]
        payload += [PayloadFile(entry.name, entry.size, bytes.fromhex(entry.sha256)) for entry in indexes]
        return closing_files(draft, payload, unfinished.outbox.tag_files(), self.signer)

    def _rows(self, covered: Range | None, buried: Sequence[Tombstone]) -> IndexRows:
        unfinished = self.unfinished
        if covered is None:
            return IndexRows(tombstones=buried)
        volumes = unfinished.volumes(VolumeState.PROVEN)
        # Each table unpacks its own rows, one volume in memory at a time.
        return IndexRows(
            objects=(row for content in unfinished.contents(covered) for row in content.objects()),
            volumes=[row for row in volumes if covered.first <= row.number <= covered.last],
            members=(row for content in unfinished.contents(covered) for row in content.members()),
            tombstones=buried,
            documents=(row for content in unfinished.contents(covered) for row in content.documents()),
            pages=(row for content in unfinished.contents(covered) for row in content.pages()),
            descriptions=(row for content in unfinished.contents(covered) for row in content.descriptions()),
        )

    def _checkpoint(self, indexes: tuple[IndexEntry, ...], numbers: NextNumbers) -> bytes:
        return Checkpoint(
            dataset=self.facts.id,
            bundle=self.beginning.bundle,
            started=self.beginning.started,
            previous=self.beginning.previous,
            recipients=self.beginning.recipients,
            indexes=indexes,
            objects=self.unfinished.reckoning.objects(numbers),
            documents=self.unfinished.reckoning.documents(numbers),
        ).encode()


def _index_entry(number: int, sealed: Sealed, first: int, last: int) -> IndexEntry:
    return IndexEntry(
        name=layout.index_path(number),
        size=len(sealed.data),
        sha256=sealed.sha256.hex(),
        payload_sha256=sealed.payload_sha256.hex(),
        head_sha256=sealed.head_sha256.hex(),
        first_volume=first,
        last_volume=last,
    )


def _spoilt(path: str) -> RefusedError:
    return RefusedError(
        _("The target holds other bytes for {path} than were put there. Everything sent before is safe.").format(
            path=path
        ),
        advice=_("Remove that one file at the target, then run the same command again: it is put there anew."),
    )
