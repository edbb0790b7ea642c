"""Every volume opened and every object hashed: what only the holder of an identity can do."""

import hashlib
import heapq
import io
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from repatria.bundle import layout, tar
from repatria.bundle.ahead import InMemory
from repatria.bundle.errors import BundleError
from repatria.bundle.index import Index
from repatria.bundle.merkle import MerkleTree
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import ObjectRow, VolumeRow, merkle_leaf
from repatria.bundle.statement import IndexEntry
from repatria.crypt.errors import NoMatchError
from repatria.crypt.seek import DecryptingReader
from repatria.errors import CryptError
from repatria.i18n import _
from repatria.model import FindingKind
from repatria.progress import SILENT, Progress
from repatria.verify.fixity import in_order, judged
from repatria.verify.ledger import ObjectLedger
from repatria.verify.report import SIGNATURE_FAILED, Verdict, altered

_FETCHERS = 3
"""Volumes fetched ahead of the one being opened, as far as they fit `_MEMORY`: they are whole in memory."""
_MEMORY = 256 << 20


@dataclass(slots=True)
class DeepCheck:
    """Opens one bundle whose statement is authentic, and compares all it holds with index and statement."""

    bundle: Bundle
    digests: Mapping[str, bytes]
    """Payload path -> SHA-256 by the manifest, of the files that are there."""
    chosen: frozenset[str]
    """The payload paths to read: all of `digests`, or a sample."""
    progress: Progress = SILENT
    objects_read: int = 0
    _bytes: int = field(default=0, init=False)
    _objects: int = field(default=0, init=False)
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)

    def run(self) -> Iterator[Verdict]:
        """Yield what is wrong; NoMatchError if the identities do not open this bundle."""
        yield from self._opened(self.bundle.bundle_id, self._check())

    def _check(self) -> Iterator[Verdict]:
        verdicts = [each for entry in self.bundle.statement.indexes for each in self._check_index_file(entry)]
        yield from verdicts
        if verdicts or not self._all_indexes():
            return  # without its indexes nothing says what the volumes hold
        ledger = ObjectLedger()
        for entry, index in zip(self.bundle.statement.indexes, self.bundle.indexes(), strict=True):
            yield from self._check_volumes(entry, index, ledger)
            yield from self._check_objects(index, ledger)
        yield from self._check_statement()

    def _all_indexes(self) -> bool:
        return all(entry.name in self.digests for entry in self.bundle.statement.indexes)

    def _check_index_file(self, entry: IndexEntry) -> Iterator[Verdict]:
        if entry.name not in self.digests:
            return  # that it is missing was said already
        data, verdict = self._fetch(entry.name, bytes.fromhex(entry.sha256))
        if verdict is not None:
            yield verdict
        else:
            yield from self._opened(self._subject(entry.name), self._open_index_file(entry, data))

    def _open_index_file(self, entry: IndexEntry, data: bytearray) -> Iterator[Verdict]:
        head = bytes.fromhex(entry.head_sha256)
        payload = DecryptingReader(InMemory(data), self.bundle.identities, head_sha256=head).readall()
        if hashlib.sha256(payload).hexdigest() != entry.payload_sha256:
            raise BundleError(_("Its payload is not the one that was signed."))
        index = Index(InMemory(payload))
        try:
            index.check()
        finally:
            index.close()
        yield from ()

    def _check_volumes(self, entry: IndexEntry, index: Index, ledger: ObjectLedger) -> Iterator[Verdict]:
        rows = []
        for row in index.volumes():
            path = layout.volume_path(row.number)
            in_range = entry.first_volume <= row.number <= entry.last_volume
            if not in_range or self.digests.get(path, row.sha256) != row.sha256:
                yield altered(self._subject(path), _("Index and manifest do not agree about it."))
            if path in self.chosen:
                rows.append(row)
            elif path not in self.digests:
                yield from ledger.salvage(None, index.members(row.number), index.object, FindingKind.MISSING)
        ahead = max(1, min(_FETCHERS, _MEMORY // max((row.size for row in rows), default=1)))
        self._stopping = threading.Event()
        fetched = in_order(self._fetch_volume, rows, workers=ahead, window=ahead, stopping=self._stopping)
        for row, data, verdict in fetched:
            if verdict is None:
                subject = self._subject(layout.volume_path(row.number))
                yield from self._opened(subject, self._open_volume(index, row, data, ledger))
            else:
                yield verdict
                yield from self._salvage(index, row, data, ledger, verdict.finding.kind)

    def _fetch_volume(self, row: VolumeRow) -> tuple[VolumeRow, bytearray, Verdict | None]:
        return row, *self._fetch(layout.volume_path(row.number), row.sha256)

    def _salvage(
        self, index: Index, row: VolumeRow, data: bytearray, ledger: ObjectLedger, kind: FindingKind
    ) -> Iterator[Verdict]:
        """Judge the objects of a volume that is not what was signed by what still authenticates of it."""
        reader: DecryptingReader | None = None
        try:
            told = InMemory(data, row.size)
            reader = DecryptingReader(told, self.bundle.identities, head_sha256=row.head_sha256)
        except NoMatchError:
            raise
        except CryptError:  # its head is damaged: nothing of it can be decrypted
            pass
        yield from ledger.salvage(reader, index.members(row.number), index.object, kind)

    def _open_volume(self, index: Index, row: VolumeRow, data: bytearray, ledger: ObjectLedger) -> Iterator[Verdict]:
        reader = DecryptingReader(InMemory(data), self.bundle.identities, head_sha256=row.head_sha256, size=row.size)
        if reader.payload_size != row.payload_size:
            raise BundleError(_("Its payload has another size than the index says."))
        hashing = _Hashing(reader)
        walk = tar.TarWalk(io.BufferedReader(hashing, 1 << 20))
        yield from ledger.take(walk, index.members(row.number), index.object)
        if hashing.digest.digest() != row.payload_sha256:
            raise BundleError(_("Its payload is not the one that was signed."))

    def _check_objects(self, index: Index, ledger: ObjectLedger) -> Iterator[Verdict]:
        def counted() -> Iterator[ObjectRow]:
            for row in index.objects():
                self._objects += 1
                self._bytes += row.size
                yield row

        yield from ledger.settle(counted(), partial=len(self.chosen) < len(self.digests))
        self.objects_read = ledger.right

    def _check_statement(self) -> Iterator[Verdict]:
        """Compare counts and Merkle root with the rows of all indexes."""
        statement, indexes = self.bundle.statement, self.bundle.indexes()
        rows = heapq.merge(*(index.objects() for index in indexes), key=lambda row: row.number)
        tree = MerkleTree()
        numbers_right = True
        before = 0
        for row in rows:
            tree.add(merkle_leaf(row))
            numbers_right &= before < row.number and statement.objects.first <= row.number < statement.objects.next
            before = row.number
        subject = self._subject(layout.STATEMENT)
        if tree.root().hex() != statement.merkle_root or not numbers_right:
            yield altered(subject, _("Its Merkle root is not that of the objects in the indexes."))
        if (self._objects, self._bytes) != (statement.objects.count, statement.objects.bytes):
            yield altered(subject, _("Its count of objects or bytes is not that of the indexes."))
        stones = sum(1 for index in indexes for _stone in index.tombstones())
        documents = [document.pages for index in indexes for document in index.documents()]
        counts = (statement.tombstones, statement.documents.count, statement.documents.pages)
        if (stones, len(documents), sum(documents)) != counts:
            yield altered(subject, _("Its count of tombstones, documents or pages is not that of the indexes."))

    def _opened(self, subject: str, opening: Iterator[Verdict]) -> Iterator[Verdict]:
        """Yield the verdicts of `opening`, and the one on `subject` that its failure stands for."""
        try:
            yield from opening
        except NoMatchError:
            raise
        except BundleError as error:
            yield altered(subject, error.message)
        except CryptError as error:
            yield altered(subject, error.message, code=SIGNATURE_FAILED)

    def _fetch(self, path: str, sha256: bytes) -> tuple[bytearray, Verdict | None]:
        """Return a file as far as the store gives it, and what is wrong with it."""
        data = bytearray()

        def fetch() -> None:
            for chunk in self.bundle.folder.chunks(path):
                if self._stopping.is_set():
                    break  # nobody waits for the rest
                data.extend(chunk)
                self.progress.advance(len(chunk))
            if hashlib.sha256(data).digest() != sha256:
                raise BundleError(_("Its bytes have another SHA-256 than was signed. Restore it from a second copy."))

        return data, judged(self._subject(path), fetch)

    def _subject(self, path: str) -> str:
        return f"{self.bundle.bundle_id}/{path}"


class _Hashing(io.RawIOBase):
    """Passes a payload through, and hashes what passed."""

    def __init__(self, payload: DecryptingReader) -> None:
        super().__init__()
        self._payload = payload
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # any writable buffer
        count = self._payload.readinto(buffer)
        self.digest.update(memoryview(buffer)[:count])
        return count
