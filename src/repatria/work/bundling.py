"""The bundle in the making: what a copy and a digitisation both write through.

A run is opened for a dataset whose lock is held (`repatria.work.lock`). It goes on with the dataset's unfinished bundle
if there is one; else it begins another, of which nothing is at the target until its first volume.

```python
with BundleRun.open(facts, target, recipients=..., signer=..., state=..., sources=...) as run:
    volume = run.volume()
    number = run.next_object_number()
    name = run.member_name(volume, told.path, number)
    volume.begin(told, name, number=number)
    ...
    run.store(volume, [ObjectRow.of(told, number=number, ...)], [volume.end()])
    run.publish_if_due()
    uri = run.finish(findings)
```
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from repatria.bundle.rows import DocumentRow, MemberRow, ObjectRow, PageRow
from repatria.bundle.volume import DEFAULT_VOLUME_SIZE, VolumeBuilder
from repatria.crypt.recipient import Recipient
from repatria.crypt.sshsig import Signer
from repatria.model import Finding
from repatria.progress import SILENT, Progress
from repatria.store.base import Store
from repatria.work.state import StateFolder
from repatria.work.stop import StopSignal


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What the statement says of a dataset; empty where nothing was given."""

    id: str
    title: str = ""
    owner: str = ""
    hosted_in: str = ""
    sensitivity: str = ""
    legal_basis: str = ""
    regulator: str = ""


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What the statement says of a source."""

    name: str
    uri: str
    """Without user name, password or query."""


@dataclass(frozen=True, slots=True)
class Known:
    """An object that this chain, or the bundle in the making, already holds."""

    number: int
    size: int
    fingerprint: bytes
    """Compare with `BundleRun.fingerprint(object)`: equal means unchanged."""


class BundleRun:
    """A bundle in the making; all but `open`, `finish` and `close` may be called from several threads."""

    bundle_id: str
    uri: str
    """Of this bundle, as it will be once finished."""
    latest_uri: str | None
    """Of the last finished bundle of the dataset, None if there is none."""

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
    ) -> Self:
        """Open the dataset's bundle in the making: the unfinished one, every sent volume settled, or a new one.

        Errors: StoreError (5) if the target cannot be reached, UsageError (2) if the chain at the target is not the one
        that this machine knows.
        """
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the journal; what is unfinished is gone on with by the next run."""
        raise NotImplementedError

    def known(self, path: str) -> Known | None:
        """Return what is known of the object at a path, None if it is new or gone."""
        raise NotImplementedError

    def next_object_number(self) -> int:
        """Return a number that no object of the chain has or will have."""
        raise NotImplementedError

    def next_document_number(self) -> int:
        """Return a number that no document of the chain has or will have."""
        raise NotImplementedError

    def volume(self) -> VolumeBuilder:
        """Return an empty volume with the next number; end it with `store` or `drop`."""
        raise NotImplementedError

    def member_name(self, volume: VolumeBuilder, path: str, number: int, *, directory: bool = False) -> str:
        """Return, and take, the member name of an object that goes into `volume`."""
        raise NotImplementedError

    def store(
        self,
        volume: VolumeBuilder,
        objects: Sequence[ObjectRow],
        members: Sequence[MemberRow],
        *,
        documents: Sequence[DocumentRow] = (),
        pages: Sequence[PageRow] = (),
        last: bool = False,
    ) -> int:
        """Seal a volume, put it and read it back; return the number under which the target holds it, proven.

        `objects` are those that end in this volume. `last` pads it as the bundle's last. Waits for a lost link as long as
        patience lasts, then StoppedError (8). TargetError kinds if the target refuses, is full, or keeps wrong bytes.
        """
        raise NotImplementedError

    def drop(self, volume: VolumeBuilder) -> None:
        """Give up a volume that was not stored: its number stays unused, its member names are free again."""
        raise NotImplementedError

    def bury(self, number: int) -> None:
        """Write a tombstone for an object that is gone from the source."""
        raise NotImplementedError

    def publish_if_due(self) -> None:
        """Publish an index, with its checkpoint, if enough volumes or objects wait for one."""
        raise NotImplementedError

    def finish(self, findings: Sequence[Finding] = ()) -> str | None:
        """Publish what is left, sign, and finish the bundle; return its URI, None if there was nothing new.

        Findings that name an object say `object N` as their subject. More findings may have been seen at the target:
        see `findings`.
        """
        raise NotImplementedError
