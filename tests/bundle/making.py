"""Bundles for tests, written by the production writer from bytes in memory."""

import hashlib
import itertools
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from repatria.bundle import layout
from repatria.bundle.closing import PayloadFile, closing_files
from repatria.bundle.index_building import IndexMeta, IndexRows, build_index
from repatria.bundle.merkle import MerkleTree
from repatria.bundle.names import MemberNames
from repatria.bundle.rows import DocumentRow, MemberRow, ObjectRow, PageRow, Tombstone, VolumeRow, merkle_leaf
from repatria.bundle.statement import (
    Checkpoint,
    DatasetFacts,
    DocumentCounts,
    IndexEntry,
    ObjectCounts,
    Previous,
    SourceFacts,
    Statement,
    Totals,
    VolumeCounts,
)
from repatria.bundle.volume import CUT_ABOVE, VolumeBuilder, largest_part, member_overhead, member_span
from repatria.bundle.writer import BundleWriter
from repatria.crypt.identity import Identity, generate
from repatria.crypt.recipient import Recipient
from repatria.crypt.seal import Sealed, seal
from repatria.crypt.sshsig import Signer
from repatria.errors import RefusedError, Role
from repatria.model import Object, ObjectKind
from repatria.store.base import Reading, Store
from repatria.store.local import LocalStore

VOLUME_SIZE = 1 << 20
START = datetime(2024, 1, 30, 20, 0, 0, tzinfo=UTC)

Source = tuple[Object, bytes]


def file(path: str, data: bytes, **facts: object) -> Source:
    """Return a file as a source tells of it, with its bytes."""
    return Object(path, len(data), 1_706_644_800_123_456_789, version="v1", mode=0o640, **facts), data  # type: ignore[arg-type]  # facts are Object's own


def symlink(path: str, target: str) -> Source:
    return Object(path, len(target.encode()), 0, kind=ObjectKind.SYMLINK, link_target=target), b""


def directory(path: str) -> Source:
    return Object(path, 0, 0, kind=ObjectKind.DIRECTORY, mode=0o750), b""


@dataclass(slots=True)
class _Volumes:
    """The volumes of one bundle being filled one after the other."""

    capacity: int
    done: list[VolumeBuilder] = field(default_factory=list)
    open: VolumeBuilder | None = None
    members: dict[int, list[MemberRow]] = field(default_factory=dict)

    def builder(self, span: int) -> VolumeBuilder:
        if self.open is None or self.open.room < span:
            self.close()
            self.open = VolumeBuilder(len(self.done) + 1, self.capacity)
            self.members[self.open.number] = []
        return self.open

    def close(self) -> None:
        if self.open is not None:
            self.done.append(self.open)
            self.open = None

    def add(self, told: Object, data: bytes, name: str, number: int) -> None:
        if len(data) <= CUT_ABOVE // 2:  # so small that it fits any volume whole
            self._member(told, data, name, number, 0, 0)
            return
        at = 0
        for part in itertools.count(1):
            builder = self.builder(2 * member_overhead(told, name, part) + 512)
            length = len(data) - at
            if member_span(told, name, length, part) > builder.room:
                length = largest_part(builder.room, member_overhead(told, name, part, length))
            self._member(told, data[at : at + length], name, number, part, at)
            at += length
            if at == len(data):
                return

    def _member(self, told: Object, data: bytes, name: str, number: int, part: int, start: int) -> None:
        builder = self.builder(member_span(told, name, len(data), part))
        builder.begin(told, name, number=number, length=len(data), part=part, start=start)
        builder.write(data)
        self.members[builder.number].append(builder.end())


@dataclass(slots=True)
class DatasetMaker:
    """Makes one bundle after the other of a dataset, each following the one before."""

    store: Store
    dataset_id: str = "fichiers-chu-fann"
    identity: Identity = field(default_factory=lambda: generate(classic=True))
    signer: Signer = field(default_factory=Signer.generate)
    volume_size: int = VOLUME_SIZE
    seal: Callable[[memoryview | bytes, Sequence[Recipient]], Sealed] = seal
    random: Callable[[int], bytes] = secrets.token_bytes
    """Gives the salts."""
    started: str = "2024-01-30T20:00:00Z"
    finished: str = "2024-01-31T05:12:00Z"
    previous: Previous | None = None
    next_number: int = 1
    standing: dict[str, ObjectRow] = field(default_factory=dict)
    bundles: list[str] = field(default_factory=list)
    before_indexing: Callable[[IndexRows], IndexRows] = lambda rows: rows
    """What a wrong writer does to the rows of every index."""
    before_signing: Callable[[Statement], Statement] = lambda statement: statement
    """What a wrong writer does to a statement."""

    def bundle(
        self,
        sources: Iterable[Source],
        *,
        gone: Sequence[str] = (),
        stones: Sequence[Tombstone] = (),
        volumes_per_index: int = 1000,
        documents: Sequence[DocumentRow] = (),
        pages: Sequence[PageRow] = (),
        finished: bool = True,
        bundle_id: str | None = None,
    ) -> str:
        """Write one bundle and return its id."""
        bundle_id = bundle_id or layout.new_bundle_id(
            START + timedelta(days=len(self.bundles)), self.bundles[-1] if self.bundles else None
        )
        first = self.next_number
        names = MemberNames()
        volumes = _Volumes(self.volume_size)
        rows = [self._take(told, data, names, volumes) for told, data in sources]
        volumes.close()
        buried = [Tombstone(self.standing.pop(path).number, "2024-01-31T20:00:00Z") for path in gone]
        self.standing |= {row.path: row for row in rows}
        writer = BundleWriter(self.store, self.dataset_id, bundle_id)
        made = _Made(self, writer, {row.number: row for row in rows}, volumes, [*buried, *stones], documents, pages)
        payload, entries, tag_files = made.write(volumes_per_index, first)
        if finished:
            statement = self.before_signing(made.statement(entries, first))
            files = closing_files(statement, payload, tag_files, self.signer)
            for path, content in files.items():
                writer.put(path, content)
            digest = hashlib.sha256(files[layout.STATEMENT]).hexdigest()
            self.previous = Previous(bundle=bundle_id, sha256=digest)
            self.bundles.append(bundle_id)
        return bundle_id

    def _take(self, told: Object, data: bytes, names: MemberNames, volumes: _Volumes) -> ObjectRow:
        number = self.next_number
        self.next_number += 1
        name = names.claim(told.path, number, directory=told.kind is ObjectKind.DIRECTORY)
        content = (told.link_target or "").encode() if told.kind is ObjectKind.SYMLINK else data
        volumes.add(told, data, name, number)
        return ObjectRow.of(
            told, number=number, source="", sha256=hashlib.sha256(content).digest(), salt=self.random(16)
        )


@dataclass(slots=True)
class _Made:
    maker: DatasetMaker
    writer: BundleWriter
    rows: Mapping[int, ObjectRow]
    volumes: _Volumes
    stones: list[Tombstone]
    documents: Sequence[DocumentRow]
    pages: Sequence[PageRow]

    def write(self, per_index: int, first: int) -> tuple[list[PayloadFile], list[IndexEntry], dict[str, bytes]]:
        """Put volumes, indexes and checkpoints; return the payload, the indexes' entries and the tag files' digests."""
        recipients = [self.maker.identity.recipient]
        payload: list[PayloadFile] = []
        entries: list[IndexEntry] = []
        tag_files: dict[str, bytes] = {}
        shards = [self.volumes.done[at : at + per_index] for at in range(0, len(self.volumes.done), per_index)] or [[]]
        for number, shard in enumerate(shards, 1):
            described = []
            for builder in shard:
                last = builder is self.volumes.done[-1]
                sealed = self.maker.seal(builder.payload(last=last), recipients)
                self.writer.put_volume(builder.number, sealed)
                described.append(volume_row(builder.number, sealed))
                payload.append(PayloadFile(layout.volume_path(builder.number), len(sealed.data), sealed.sha256))
            sealed = self.maker.seal(self._index(number, shard, described, last=shard is shards[-1]), recipients)
            self.writer.put(layout.index_path(number), sealed.data)
            payload.append(PayloadFile(layout.index_path(number), len(sealed.data), sealed.sha256))
            entries.append(index_entry(number, shard, sealed))
            checkpoint = self._checkpoint(entries, first).encode()
            signature = self.maker.signer.sign(checkpoint)
            path = layout.checkpoint_path(number)
            self.writer.put(path, checkpoint)
            self.writer.put(layout.signature_path(path), signature.encode())
            tag_files[path] = hashlib.sha256(checkpoint).digest()
            tag_files[layout.signature_path(path)] = hashlib.sha256(signature.encode()).digest()
        return payload, entries, tag_files

    def _index(self, number: int, shard: list[VolumeBuilder], described: list[VolumeRow], *, last: bool) -> bytes:
        meta = IndexMeta(
            self.maker.dataset_id,
            self.writer.bundle_id,
            number,
            shard[0].number if shard else 0,
            shard[-1].number if shard else 0,
        )
        last_volumes = {
            member.object: volume for volume in self.volumes.members for member in self.volumes.members[volume]
        }
        here = {builder.number for builder in shard}
        rows = IndexRows(
            objects=[row for row in self.rows.values() if last_volumes[row.number] in here],
            volumes=described,
            members=[member for builder in shard for member in self.volumes.members[builder.number]],
            tombstones=self.stones if last else (),
            documents=self.documents if last else (),
            pages=self.pages if last else (),
        )
        return build_index(meta, self.maker.before_indexing(rows))

    def _counts(self, first: int) -> ObjectCounts:
        return ObjectCounts(
            count=len(self.rows),
            bytes=sum(row.size for row in self.rows.values()),
            first=first,
            next=self.maker.next_number,
        )

    def _document_counts(self) -> DocumentCounts:
        numbers = [document.number for document in self.documents]
        return DocumentCounts(
            count=len(numbers), pages=len(self.pages), first=min(numbers, default=1), next=max(numbers, default=0) + 1
        )

    def _checkpoint(self, entries: list[IndexEntry], first: int) -> Checkpoint:
        return Checkpoint(
            dataset=self.maker.dataset_id,
            bundle=self.writer.bundle_id,
            started=self.maker.started,
            previous=self.maker.previous,
            recipients=(str(self.maker.identity.recipient),),
            indexes=tuple(entries),
            objects=self._counts(first),
            documents=self._document_counts(),
        )

    def statement(self, entries: list[IndexEntry], first: int) -> Statement:
        return Statement(
            dataset=DatasetFacts(
                id=self.maker.dataset_id, title="Fichiers du CHU de Fann", owner="CHU de Fann", hosted_in="FR"
            ),
            bundle=self.writer.bundle_id,
            kind="delta" if self.maker.previous else "full",
            sources=(SourceFacts(name="", uri="s3://chu-fann/exports"),),
            started=self.maker.started,
            finished=self.maker.finished,
            previous=self.maker.previous,
            recipients=(str(self.maker.identity.recipient),),
            tool=layout.TOOL,
            objects=self._counts(first),
            documents=self._document_counts(),
            tombstones=len(self.stones),
            totals=Totals(
                objects=len(self.maker.standing), bytes=sum(row.size for row in self.maker.standing.values())
            ),
            merkle_root=MerkleTree(merkle_leaf(row) for row in self.rows.values()).root().hex(),
            checksums_compared=0,
            durability="read-back",
            files={},
            indexes=tuple(entries),
            volumes=VolumeCounts(
                count=len(self.volumes.done),
                bytes=sum(
                    told.size
                    for told in self.maker.store.list(f"{self.maker.dataset_id}/{self.writer.bundle_id}/data/vol-")
                ),
            ),
            findings=(),
        )


def volume_row(number: int, sealed: Sealed) -> VolumeRow:
    return VolumeRow(
        number, len(sealed.data), sealed.sha256, sealed.head_sha256, sealed.payload_size, sealed.payload_sha256
    )


def index_entry(number: int, shard: Sequence[VolumeBuilder], sealed: Sealed) -> IndexEntry:
    return IndexEntry(
        name=layout.index_path(number),
        size=len(sealed.data),
        sha256=sealed.sha256.hex(),
        payload_sha256=sealed.payload_sha256.hex(),
        head_sha256=sealed.head_sha256.hex(),
        first_volume=shard[0].number if shard else 0,
        last_volume=shard[-1].number if shard else 0,
    )


def refuse_volume(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Have folders refuse to give the volumes with this number."""
    read = LocalStore.read

    def refuse(store: LocalStore, path: str, start: int = 0, length: int | None = None, **more: str) -> Reading:
        if path.endswith(layout.volume_path(number)):
            raise RefusedError("No.", role=Role.TARGET, public=True)
        return read(store, path, start, length, **more)

    monkeypatch.setattr(LocalStore, "read", refuse)
