"""A journal made anew from what lies at the target: for a machine that was replaced, or a state folder that was lost.

With an identity everything is known again: the objects of the chain from its indexes, and an unfinished bundle as far
as its signed checkpoints reach. Without one only the chain's head is: the next bundle holds the whole dataset again.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing

from repatria.bundle import layout
from repatria.bundle.chain import Chain
from repatria.bundle.files import BundleFolder
from repatria.bundle.index import Index
from repatria.bundle.names import MemberNames
from repatria.bundle.rows import ObjectRow, VolumeRow, merkle_leaf
from repatria.bundle.statement import IndexEntry
from repatria.bundle.volume import LARGEST_FILE
from repatria.crypt.identity import Identity
from repatria.crypt.resumable import ResumableSha256
from repatria.errors import StoreError
from repatria.i18n import _
from repatria.model import ObjectKind
from repatria.progress import SILENT, Progress, Unit
from repatria.store.base import Store
from repatria.work.beginning import Beginning
from repatria.work.catalogue import Catalogue
from repatria.work.journal import Journal
from repatria.work.lying import LyingBundle, SignedCheckpoint
from repatria.work.parts import ObjectPart
from repatria.work.signed_indexes import BegunObject, DamagedFileError, SignedIndexes
from repatria.work.taken_over import NotTaken, Obstacle, TakenOver
from repatria.work.unfinished import Unfinished, VolumeState

_MOST_VOLUMES = 10**9


class Adoption:
    """One journal, filled within one transaction of its own; a crash leaves it as it was."""

    def __init__(self, journal: Journal, progress: Progress = SILENT) -> None:
        self._journal = journal
        self._progress = progress
        self._catalogue = Catalogue(journal)
        self._unfinished = Unfinished(journal, self._catalogue)

    def unfinished_bundle(self) -> str | None:
        """Return the id of the unfinished bundle that the journal knows."""
        beginning = self._unfinished.beginning()
        return beginning.bundle if beginning else None

    def know_chain(self, chain: Chain | None, *, objects: bool) -> None:
        """Take the chain for the dataset's own; without `objects` none of them is known, and the next bundle is full.

        Without a chain, nothing is known of the dataset.
        """
        journal = self._journal
        self._unfinished.clear()
        journal.change("DELETE FROM catalogue")
        journal.change("DELETE FROM facts WHERE key<>'key_check'")
        if chain is None:
            return
        head = chain.head.statement
        journal.set_facts(
            head_bundle=chain.head.bundle_id,
            head_statement=chain.head.statement_sha256,
            head_finished=head.finished,
            head_objects=head.totals.objects,
            head_bytes=head.totals.bytes,
            head_uri=chain.head.uri,
            head_sources=json.dumps([[each.name, each.uri] for each in head.sources]),
            next_object=max(bundle.statement.objects.next for bundle in chain.bundles),
            next_document=max(bundle.statement.documents.next for bundle in chain.bundles),
            catalogue_lost=None if objects else 1,
        )
        if objects:
            self._know_objects(row for _bundle, row in chain.objects())

    def take_over(
        self, store: Store, lying: LyingBundle, signed: SignedCheckpoint, identities: Sequence[Identity]
    ) -> TakenOver | NotTaken:
        """Make an unfinished bundle this machine's own, as far as signatures reach, if nothing hinders that.

        DamagedFileError: what tells of its volumes cannot be read; the journal's transaction is to be given up then.
        """
        folder = BundleFolder(store, lying.dataset_id, lying.bundle_id)
        with closing(SignedIndexes(folder, signed.checkpoint, identities)) as indexes:
            volumes = {row.number: row for row in indexes.rows(Index.volumes)}
            missing = _missing(lying, volumes.values(), signed.checkpoint.indexes)
            if missing is not None:
                return NotTaken(lying.bundle_id, missing, Obstacle.MISSING)
            in_the_way = _make_way(store, lying, signed)
            if in_the_way is not None:
                return NotTaken(lying.bundle_id, in_the_way, Obstacle.IN_THE_WAY)
            self._begin(lying, signed)
            objects = self._take(indexes, signed.checkpoint.indexes, volumes)
            begun = indexes.begun()
            self._claim_names(indexes, begun, lying.bundle_id)
            going_on, begun_again, damaged = self._go_on(indexes, begun)
        strays = list(_strays(folder, lying, volumes.keys()))
        self._note_volumes(strays, VolumeState.GIVEN_UP, 0)
        return TakenOver(
            lying.bundle_id,
            len(volumes),
            sum(row.size for row in volumes.values()),
            objects,
            len(strays),
            sum(row.size for row in strays),
            going_on,
            begun_again,
            damaged,
        )

    def _know_objects(self, rows: Iterable[ObjectRow]) -> None:
        listed: dict[str, int] = defaultdict(int)

        def values() -> Iterator[tuple[object, ...]]:
            for row in rows:
                listed[row.source] += 1
                yield self._catalogue.path_mark(row.path), row.number, self._catalogue.fingerprint(row), row.size

        self._journal.change_many(
            "INSERT OR REPLACE INTO catalogue(path, number, fingerprint, size) VALUES (?, ?, ?, ?)", values()
        )
        self._journal.set_facts(**{f"listed {source}": count for source, count in listed.items()})

    def _begin(self, lying: LyingBundle, signed: SignedCheckpoint) -> None:
        checkpoint = signed.checkpoint
        previous = checkpoint.previous
        self._unfinished.begin(
            Beginning(
                bundle=lying.bundle_id,
                started=checkpoint.started,
                recipients=checkpoint.recipients,
                previous_bundle=previous.bundle if previous else None,
                previous_sha256=previous.sha256 if previous else None,
            )
        )
        self._journal.set_facts(next_object=checkpoint.objects.next, next_document=checkpoint.documents.next)
        self._journal.change_many("INSERT INTO tag_files(path, sha256) VALUES (?, ?)", signed.tag_files.items())

    def _take(self, indexes: SignedIndexes, entries: Sequence[IndexEntry], volumes: Mapping[int, VolumeRow]) -> int:
        """Note what each index tells as published; return how many objects there are."""
        journal, count = self._journal, 0
        for number, entry in enumerate(entries, 1):
            journal.change("INSERT INTO indexes(number, entry) VALUES (?, ?)", number, entry.model_dump_json())
            rows = [row for row in volumes.values() if entry.first_volume <= row.number <= entry.last_volume]
            self._note_volumes(rows, VolumeState.PROVEN, number)
            journal.change_many(
                "INSERT INTO tombstones(object, seen_gone, published) VALUES (?, ?, ?)",
                ((stone.object, stone.seen_gone, number) for stone in indexes.rows(Index.tombstones, entry)),
            )
            taken = [self._taken(row, entry.last_volume) for row in indexes.rows(Index.objects, entry)]
            count += len(taken)
            journal.change_many(
                "INSERT INTO taken(number, path, fingerprint, size, leaf, compared, volume)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                taken,
            )
            journal.change_many(
                "INSERT INTO documents(number, pages, volume) VALUES (?, ?, ?)",
                ((row.number, row.pages, entry.last_volume) for row in indexes.rows(Index.documents, entry)),
            )
        return count

    def _taken(self, row: ObjectRow, volume: int) -> tuple[object, ...]:
        """Return an object as the journal has it; its volume only counts until an index covers that."""
        marks = self._catalogue.path_mark(row.path), self._catalogue.fingerprint(row)
        return (row.number, *marks, row.size, merkle_leaf(row), row.checksum is not None, volume)

    def _note_volumes(self, rows: Iterable[VolumeRow], state: VolumeState, published: int) -> None:
        self._journal.change_many(
            "INSERT INTO volumes(number, size, sha256, head_sha256, payload_size, payload_sha256, state, objects,"
            " pages, published, row_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, 0)",
            (
                (
                    row.number,
                    row.size,
                    row.sha256,
                    row.head_sha256,
                    row.payload_size,
                    row.payload_sha256,
                    state,
                    published,
                )
                for row in rows
            ),
        )

    def _claim_names(self, indexes: SignedIndexes, begun: Sequence[BegunObject], bundle_id: str) -> None:
        """Take the member names that the bundle has given, those of objects that have only begun included."""
        marks: set[bytes] = set()
        names = MemberNames(marks, self._journal.marks(b"names")(bundle_id.encode()))
        for row in indexes.rows(Index.objects):
            names.claim(row.path, row.number, directory=row.kind == ObjectKind.DIRECTORY)
        for each in begun:
            names.claim(each.path, each.number)
        last = max((row.number for row in indexes.rows(Index.volumes)), default=0)
        self._journal.change_many("INSERT INTO names(mark, volume) VALUES (?, ?)", ((mark, last) for mark in marks))

    def _go_on(self, indexes: SignedIndexes, begun: Sequence[BegunObject]) -> tuple[int, int, tuple[str, ...]]:
        """Note how far objects in parts have come; return how many go on, how many begin again, and damaged volumes.

        Their digests are made of what lies at the target: nothing is asked of the source.
        """
        latest = {each.path: each for each in begun if self._catalogue.taken(each.path) is None}
        going_on = [each for each in latest.values() if each.told is not None and each.end is not None]
        self._progress.start(_("Reading what lies at the target"), sum(each.end or 0 for each in going_on), Unit.BYTES)
        damaged: list[str] = []
        for each in going_on:
            try:
                part = self._part(indexes, each)
            except DamagedFileError as error:
                damaged.append(error.file)
            else:
                self._unfinished.parts.keep(each.volumes[-1].number, part)
        self._progress.finish()
        kept = len(going_on) - len(damaged)
        return kept, len(latest) - kept, tuple(sorted(set(damaged)))

    def _part(self, indexes: SignedIndexes, begun: BegunObject) -> ObjectPart:
        digest = ResumableSha256()
        for chunk in indexes.bytes_of(begun):
            digest.update(chunk)
            self._progress.advance(len(chunk))
        return ObjectPart(
            object=begun.number,
            path=begun.path,
            fingerprint=self._catalogue.fingerprint(begun.told) if begun.told else b"",
            name=begun.name,
            part=begun.parts[-1].part,
            end=begun.end or 0,
            hash_state=digest.state(),
        )


def _missing(lying: LyingBundle, volumes: Iterable[VolumeRow], indexes: Iterable[IndexEntry]) -> str | None:
    """Return a file that was signed for and does not lie there, with the right size; None if all do."""
    signed = {entry.name: entry.size for entry in indexes}
    signed |= {layout.volume_path(row.number): row.size for row in volumes}
    sizes = {path: told.size for path, told in lying.files.items()}
    return next((path for path, size in signed.items() if sizes.get(path) != size), None)


def _make_way(store: Store, lying: LyingBundle, signed: SignedCheckpoint) -> str | None:
    """Remove what nobody signed from where the next files go: an index, a checkpoint, tag files.

    Return a file that cannot be removed, None if all went.

    The run that was cut off was about to sign them. Volumes stay: their numbers are not used again.
    """
    expected = {*signed.tag_files, *(entry.name for entry in signed.checkpoint.indexes)}
    in_the_way = [path for path in lying.files if path not in expected and not layout.VOLUME.match(path)]
    for path in in_the_way:
        try:
            store.delete(f"{lying.dataset_id}/{lying.bundle_id}/{path}")
        except StoreError:
            return path
    return None


def _strays(folder: BundleFolder, lying: LyingBundle, known: Iterable[int]) -> Iterator[VolumeRow]:
    """Yield the volumes that no index tells of, with digests of what lies there, so that the manifest can name them."""
    numbers = set(known)
    for path, told in sorted(lying.files.items()):
        match = layout.VOLUME.match(path)
        if match is None or told.size > LARGEST_FILE or not int(match[1]) < _MOST_VOLUMES:
            continue  # nothing that this program ever wrote
        if int(match[1]) not in numbers:
            digest = hashlib.sha256()
            for chunk in folder.chunks(path):
                digest.update(chunk)
            yield VolumeRow(int(match[1]), told.size, digest.digest(), bytes(32), 0, bytes(32))
