"""Datasets to copy: folders of a hospital, sources that misbehave, and the whole job in one call."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from repatria.bundle.statement import DatasetFacts, SourceFacts
from repatria.errors import Role
from repatria.migrate.copy import CopyResult, copy_dataset
from repatria.migrate.headway import Halt
from repatria.model import Object
from repatria.progress import SILENT, Progress
from repatria.source.base import ObjectSource
from repatria.source.objects import Selection, StoreSource
from repatria.store.base import Reading, Store
from repatria.store.local import LocalStore
from repatria.store.memory import MemoryStore
from repatria.work.bundling import BundleRun
from repatria.work.pace import Throttle
from repatria.work.patience import Patience
from repatria.work.state import StateFolder
from repatria.work.stop import StopSignal
from tests.work.making import IDENTITY, MIB, SIGNER

NOISE = random.Random(1984)  # noqa: S311 -- the same bytes every time, not a secret


@dataclass
class Watched:
    """A source that counts what is read, and does what a test asks before each chunk."""

    source: ObjectSource
    before_request: Callable[[Object, int, int | None], None] = lambda told, start, length: None
    before_read: Callable[[Object, int], None] = lambda told, start: None
    before_chunk: Callable[[Object, int], None] = lambda told, at: None
    edit: Callable[[Object], Object] = lambda told: told
    """What the listing says of each object."""
    fetched: int = 0
    reads: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name, self.public_uri = self.source.name, self.source.public_uri
        self.reads_at_once = self.source.reads_at_once

    def list(self) -> Iterator[Object]:
        return (self.edit(each) for each in self.source.list())

    def read(self, object: Object, start: int = 0, length: int | None = None) -> Reading:
        self.before_request(object, start, length)
        self.before_read(object, start)
        if length != 0:
            self.reads.append((object.path, start))
        reading = self.source.read(object, start, length)
        return replace(reading, chunks=self._chunks(object, start, reading))

    def _chunks(self, told: Object, at: int, reading: Reading) -> Iterator[bytes]:
        with reading:
            for chunk in reading.chunks:
                self.before_chunk(told, at)
                self.fetched += len(chunk)
                at += len(chunk)
                yield chunk

    def close(self) -> None:
        self.source.close()


def folder_source(folder: Path, name: str = "", *, prefixed: bool = False) -> StoreSource:
    uri = folder.as_uri()
    return StoreSource(LocalStore(folder, role=Role.SOURCE), uri, Selection(), name=name, prefixed=prefixed)


@dataclass
class Job:
    """A dataset, the machine that copies it, and where it goes."""

    sources: Sequence[ObjectSource]
    state: Path
    target: Store = field(default_factory=MemoryStore)
    volume_size: int = MIB
    stop: StopSignal = field(default_factory=StopSignal)
    patience_seconds: float = 60.0
    workers: int | None = None
    outlook: Callable[[Halt], str] = lambda _halt: ""
    progress: Progress = SILENT

    def open(self) -> BundleRun:
        return BundleRun.open(
            DatasetFacts(id="d"),
            self.target,
            recipients=[IDENTITY.recipient],
            signer=SIGNER,
            state=StateFolder(self.state),
            sources=[SourceFacts(name=each.name, uri=each.public_uri) for each in self.sources],
            volume_size=self.volume_size,
            patience=self.patience(),
        )

    def patience(self) -> Patience:
        return Patience(self.stop, self.patience_seconds, self.progress, first_pause=0.001)

    def run(self) -> CopyResult:
        with self.open() as run:
            return copy_dataset(
                run,
                self.sources,
                throttle=Throttle(None, self.stop.wait),
                patience=self.patience(),
                reads=self.workers,
                outlook=self.outlook,
            )


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def noise(size: int) -> bytes:
    return NOISE.randbytes(size)
