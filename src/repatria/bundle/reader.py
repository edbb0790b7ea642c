"""Reads bundles: signature first, then the heads of indexes, then lazily, by ranges."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from repatria.bundle import layout
from repatria.bundle.ahead import ReadAhead
from repatria.bundle.errors import AlteredError, BrokenChainError, BundleError, MalformedError
from repatria.bundle.files import BundleFolder, FileRanges
from repatria.bundle.index import Index, IndexMeta
from repatria.bundle.rows import MemberRow, ObjectRow, VolumeRow, path_bytes
from repatria.bundle.statement import MAX_DOCUMENT, IndexEntry, Statement, parse_statement
from repatria.bundle.succession import SIGNATURE_LIMIT, kept_paths, replaced_by, signing_key
from repatria.crypt.errors import NoMatchError
from repatria.crypt.identity import Identity
from repatria.crypt.recipient import text_fingerprint
from repatria.crypt.seek import DecryptingReader
from repatria.crypt.sshsig import SigningKey
from repatria.errors import CryptError, NotFoundError, RepatriaError
from repatria.i18n import _
from repatria.model import ObjectKind
from repatria.store.base import Store

_PIECE = 1 << 20
_OPEN_VOLUMES = 4
_OPENED_AT_ONCE = 8
"""Indexes: each takes several round trips to open."""

Place = tuple[MemberRow, VolumeRow]


@dataclass(frozen=True, slots=True)
class _Authentic:
    """A statement whose signature is right."""

    data: bytes
    statement: Statement
    key: SigningKey


class Bundle:
    """One finished bundle; nothing is fetched before it is asked for. Safe from several threads."""

    def __init__(self, store: Store, dataset_id: str, bundle_id: str, identities: Sequence[Identity] = ()) -> None:
        self.store = store
        self.dataset_id = dataset_id
        self.bundle_id = bundle_id
        self.identities = tuple(identities)
        self.folder = BundleFolder(store, dataset_id, bundle_id)
        self._lock = threading.RLock()
        self._authentic: _Authentic | None = None
        self._earlier: tuple[str, ...] | None = None
        self._indexes: tuple[Index, ...] | None = None
        self._volumes: OrderedDict[int, ReadAhead] = OrderedDict()
        self._latest_place = 0

    @property
    def uri(self) -> str:
        """Where the bundle lies."""
        return self.folder.uri

    @property
    def statement(self) -> Statement:
        """The statement, its signature verified; who signed it is for the caller to judge (`signing_key`).

        CryptError for a wrong signature, BrokenChainError if it is the statement of another bundle.
        """
        return self._signed().statement

    @property
    def statement_sha256(self) -> str:
        """The SHA-256 of `statement.json`, in hexadecimal: what the next bundle and `--expect-head` name."""
        return hashlib.sha256(self._signed().data).hexdigest()

    @property
    def earlier_statements(self) -> tuple[str, ...]:
        """The SHA-256 of each statement that this one replaced, the latest first; they are fetched, and verified.

        BundleError, CryptError or NotFoundError if they are not what the statement says.
        """
        with self._lock:
            if self._earlier is None:
                kept = kept_paths(self.statement)
                files = {path: self.folder.fetch(path, MAX_DOCUMENT) for path in kept}
                self._earlier = replaced_by(self.statement, files)
            return self._earlier

    def stands_for(self, statement_sha256: str) -> bool:
        """Return whether the bundle's statement, or one that it rightly replaced, has that digest."""
        if statement_sha256 == self.statement_sha256:
            return True
        try:
            return statement_sha256 in self.earlier_statements
        except (CryptError, NotFoundError):
            return False

    @property
    def signing_key(self) -> SigningKey:
        """The key that signed the statement."""
        return self._signed().key

    def indexes(self) -> tuple[Index, ...]:
        """Return the indexes, opened; CryptError if no identity opens them."""
        with self._lock:
            if self._indexes is None:
                self._indexes = self._open_indexes()
            return self._indexes

    def objects(self) -> Iterator[ObjectRow]:
        """Yield the rows of this bundle's own objects, by number within each index."""
        for index in self.indexes():
            yield from index.objects()

    def object(self, number: int) -> ObjectRow | None:
        """Return the row of one object of this bundle."""
        found = (index.object(number) for index in self.indexes())
        return next((row for row in found if row is not None), None)

    def find(self, path: str) -> list[ObjectRow]:
        """Return the rows of a path in this bundle, the highest number first."""
        rows = [row for index in self.indexes() for row in index.find(path)]
        return sorted(rows, key=lambda row: row.number, reverse=True)

    def buried(self) -> dict[int, str]:
        """Return the tombstones of this bundle: object number -> when it was seen gone (RFC 3339)."""
        return {stone.object: stone.seen_gone for index in self.indexes() for stone in index.tombstones()}

    def places(self, row: ObjectRow) -> list[Place]:
        """Return where an object lies: its members in order; MalformedError unless they make up the whole object."""
        indexes = self.indexes()
        places: list[Place] = []
        for at in self._likely_order(len(indexes)):
            found = indexes[at].members_of(row.number)
            if found:
                self._latest_place = at
                places = sorted(places + found, key=lambda place: place[0].part)
                if is_whole(row, [member for member, _volume in places]):
                    return places
        raise MalformedError(
            _("The index does not say where the whole of object {number} lies.").format(number=row.number)
        )

    def read_object(self, row: ObjectRow, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield an object's bytes; of a whole object AlteredError at the end if its digest is wrong.

        A symlink's bytes are its target, a directory has none. Objects are read fastest in the order in which they lie
        (`places`): the volumes read last are kept open.
        """
        end = row.size if length is None else min(start + length, row.size)
        if start > 0 or end < row.size:
            yield from self._range(row, start, end)
            return
        digest = hashlib.sha256()
        for chunk in self._range(row, 0, row.size):
            digest.update(chunk)
            yield chunk
        if digest.digest() != row.sha256:
            raise AlteredError(
                _("Object {number} of the bundle {bundle} is not what was signed: its SHA-256 is wrong.").format(
                    number=row.number, bundle=self.bundle_id
                ),
                advice=_("Do not use what was read of it. Run `repatria verify`; restore from a second copy."),
            )

    def close(self) -> None:
        """Close indexes and volumes; the store stays open."""
        with self._lock:
            for index in self._indexes or ():
                index.close()
            self._indexes = None
            self._volumes.clear()

    def _signed(self) -> "_Authentic":
        with self._lock:
            if self._authentic is None:
                self._authentic = self._authenticate()
            return self._authentic

    def _authenticate(self) -> "_Authentic":
        data = self.folder.fetch(layout.STATEMENT, MAX_DOCUMENT)
        key = signing_key(self.folder, data, self.folder.fetch(layout.STATEMENT_SIGNATURE, SIGNATURE_LIMIT))
        statement = parse_statement(data)
        if (statement.dataset.id, statement.bundle) != (self.dataset_id, self.bundle_id):
            raise BrokenChainError(
                _("What lies as {here} is the bundle {there}: it was moved or copied there.").format(
                    here=f"{self.dataset_id}/{self.bundle_id}", there=f"{statement.dataset.id}/{statement.bundle}"
                ),
                advice=_("Do not rely on it. Ask who has access to the store, and verify the whole dataset."),
            )
        return _Authentic(data, statement, key)

    def _open_indexes(self) -> tuple[Index, ...]:
        if not self.identities:
            raise CryptError(
                _("The bundle {bundle} opens only with an identity (a private key).").format(bundle=self.bundle_id),
                advice=_("Give it with -i FILE, or set REPATRIA_IDENTITY."),
            )
        entries = self.statement.indexes
        with ThreadPoolExecutor(_OPENED_AT_ONCE) as executor:
            opening = [executor.submit(self._open_index, entry) for entry in entries]
        try:
            return tuple(
                self._expected(number, entry, each)
                for number, (entry, each) in enumerate(zip(entries, opening, strict=True), 1)
            )
        except RepatriaError:
            for each in opening:
                if each.exception() is None:
                    each.result().close()
            raise

    def _open_index(self, entry: IndexEntry) -> Index:
        """Open an index, in a thread of its own: it must not ask for the lock, which who waits for it holds."""
        ranges = FileRanges(self.folder, entry.name, entry.size)
        return Index(DecryptingReader(ranges, self.identities, head_sha256=bytes.fromhex(entry.head_sha256)))

    def _expected(self, number: int, entry: IndexEntry, opening: Future[Index]) -> Index:
        """Return an index once it is open, if it is the one that the statement means."""
        with self._naming(entry.name):
            index = opening.result()
        expected = IndexMeta(self.dataset_id, self.bundle_id, number, entry.first_volume, entry.last_volume)
        if index.meta != expected or entry.name != layout.index_path(number):
            raise MalformedError(_("{path} is the index of something else.").format(path=entry.name))
        return index

    @contextmanager
    def _naming(self, path: str) -> Iterator[None]:
        """Say which file it is where decrypting one fails."""
        try:
            yield
        except BundleError:
            raise
        except NoMatchError as error:
            raise NoMatchError(
                _("{path} of the bundle {bundle} is encrypted to none of the identities given.").format(
                    path=path, bundle=self.bundle_id
                ),
                advice=_("Give the identity of one of its recipients with -i: {recipients}.").format(
                    recipients=", ".join(text_fingerprint(text) for text in self.statement.recipients)
                ),
            ) from error
        except CryptError as error:
            raise type(error)(
                _("{path} of the bundle {bundle}: {message}").format(
                    path=path, bundle=self.bundle_id, message=error.message
                ),
                advice=_("Run `repatria verify` on the bundle; restore the file from a second copy of it."),
            ) from error

    def _likely_order(self, count: int) -> list[int]:
        """Return the indexes to ask for an object's members: that of the object before, then the latest first."""
        order = list(range(count - 1, -1, -1))
        with suppress(ValueError):
            order.remove(self._latest_place)
            order.insert(0, self._latest_place)
        return order

    def _range(self, row: ObjectRow, start: int, end: int) -> Iterator[bytes]:
        if row.kind == ObjectKind.SYMLINK:
            yield path_bytes(row.link_target or "")[start:end]
            return
        for member, volume in self.places(row) if start < end else ():
            first, last = max(start, member.start), min(end, member.start + member.length)
            for at in range(first, last, _PIECE):
                with self._naming(layout.volume_path(volume.number)):
                    piece = self._volume(volume).read_at(member.offset + at - member.start, min(_PIECE, last - at))
                yield piece

    def _volume(self, volume: VolumeRow) -> ReadAhead:
        with self._lock:
            reader = self._volumes.get(volume.number)
        if reader is None:
            ranges = FileRanges(self.folder, layout.volume_path(volume.number), volume.size)
            opened = DecryptingReader(ranges, self.identities, head_sha256=volume.head_sha256)
            reader = ReadAhead(opened, size=volume.payload_size)
        with self._lock:
            self._volumes[volume.number] = reader
            self._volumes.move_to_end(volume.number)
            while len(self._volumes) > _OPEN_VOLUMES:
                self._volumes.popitem(last=False)
        return reader


def is_whole(row: ObjectRow, members: Sequence[MemberRow]) -> bool:
    """Return whether members in the order of their parts are exactly the object: none wanting, none twice."""
    length = row.size if row.kind == ObjectKind.FILE else 0
    parts = [member.part for member in members]
    if parts not in ([0], list(range(1, len(parts) + 1))) or not parts:
        return False
    at = 0
    for member in members:
        if member.start != at:
            return False
        at += member.length
    return at == length
