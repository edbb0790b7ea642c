"""The one unfinished bundle of a dataset, as its journal holds it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from itertools import islice

from repatria.bundle.rows import Tombstone, VolumeRow, merkle_leaf
from repatria.bundle.statement import IndexEntry
from repatria.crypt.payload import Buffer
from repatria.work.arrived import Arrived
from repatria.work.beginning import Beginning
from repatria.work.broken_objects import kept_content, seal_content, take_out_broken
from repatria.work.catalogue import Catalogue
from repatria.work.index_range import Limits, Range, next_range
from repatria.work.journal import Journal
from repatria.work.outbox import Outbox
from repatria.work.parts import ObjectPart, Parts
from repatria.work.reckoning import Reckoning
from repatria.work.sealed_rows import PackedContent, VolumeContent

_BURIED_AT_ONCE = 10_000
_VOLUME_COLUMNS = "number, size, sha256, head_sha256, payload_size, payload_sha256"
_TABLES = (
    "volumes",
    "taken",
    "parts",
    "names",
    "tombstones",
    "indexes",
    "documents",
    "outbox",
    "tag_files",
)


class VolumeState(StrEnum):
    """How far a volume has come."""

    SENT = "sent"
    """The journal holds its digests and rows; the target may hold its bytes or not."""
    PROVEN = "proven"
    """The target gave its bytes back."""
    GIVEN_UP = "given up"
    """Its number is never used again, what it held is planned again."""


class Unfinished:
    """Reads and changes the tables of the unfinished bundle; every change is durable, whole or not at all."""

    def __init__(self, journal: Journal, catalogue: Catalogue) -> None:
        self._journal = journal
        self._catalogue = catalogue
        self.outbox = Outbox(journal)
        """What is on its way to the target."""
        self.reckoning = Reckoning(journal)
        """What the bundle amounts to."""
        self.parts = Parts(journal, catalogue)
        """How far objects in parts have come."""

    def beginning(self) -> Beginning | None:
        """Return how the unfinished bundle was begun, None if there is none."""
        kept = self._journal.fact("unfinished")
        if kept is None:
            return None
        facts = json.loads(kept)
        return Beginning(**{**facts, "recipients": tuple(facts["recipients"])})

    def begin(self, beginning: Beginning) -> None:
        """Note that a bundle is begun, if it is not noted yet."""
        if self.beginning() is None:
            self._journal.set_facts(unfinished=json.dumps(asdict(beginning)))

    def sent(
        self,
        volume: VolumeRow,
        content: VolumeContent,
        *,
        marks: Iterable[bytes] = (),
        part: ObjectPart | None = None,
        next_numbers: Mapping[str, int],
    ) -> None:
        """Note a volume as sent, with everything that its index will say; before the first byte goes to the target."""
        journal = self._journal
        packed = content.pack()
        rows = seal_content(journal, packed)
        with journal.transaction():
            journal.change(
                f"INSERT INTO volumes({_VOLUME_COLUMNS}, state, objects, pages, rows, row_bytes)"  # noqa: S608 -- literals
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                volume.number,
                volume.size,
                volume.sha256,
                volume.head_sha256,
                volume.payload_size,
                volume.payload_sha256,
                VolumeState.SENT,
                len(content.objects),
                len(content.pages),
                rows,
                packed.size,
            )
            self._take(volume.number, content)
            journal.change_many(
                "INSERT OR IGNORE INTO names VALUES (?, ?)", ((mark, volume.number) for mark in dict.fromkeys(marks))
            )
            if part is not None:
                self.parts.keep(volume.number, part)
            journal.set_facts(**next_numbers)

    def _take(self, volume: int, content: VolumeContent) -> None:
        journal, catalogue = self._journal, self._catalogue
        journal.change_many(
            "INSERT INTO taken VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    row.number,
                    catalogue.path_mark(row.path),
                    catalogue.fingerprint(row),
                    row.size,
                    merkle_leaf(row),
                    row.checksum is not None,
                    volume,
                )
                for row in content.objects
            ),
        )
        # A path that this bundle takes twice keeps its latest row only: it changed between two nights, or one listing
        # told of it twice. Volumes may come out of their order, so the later row may be the one that is here already.
        journal.change(
            "INSERT OR IGNORE INTO tombstones(object, seen_gone)"
            " SELECT min(now.number, other.number), strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"
            " FROM taken AS now JOIN taken AS other ON other.path=now.path AND other.number<>now.number"
            " WHERE now.volume=?",
            volume,
        )
        journal.change_many(
            "INSERT INTO documents VALUES (?, ?, ?)", ((row.number, row.pages, volume) for row in content.documents)
        )
        catalogue.took(row.number for row in content.objects)

    def proven(self, number: int) -> None:
        """Note that the target gave a volume's bytes back.

        Until then the parts of an object that ends there are kept: if it is given up, the object goes on from them.
        """
        with self._journal.transaction():
            self._journal.change("UPDATE volumes SET state=? WHERE number=?", VolumeState.PROVEN, number)
            self._journal.change("DELETE FROM parts WHERE object IN (SELECT number FROM taken WHERE volume=?)", number)

    def give_up(self, number: int) -> None:
        """Give up a volume that no index covers yet: its objects are unknown again, its number stays a gap.

        So are objects that only begin in it or run through it, whichever volume they end in, and the documents that
        they belong to.
        """
        journal = self._journal
        with journal.transaction():
            take_out_broken(journal, number)
            journal.change("UPDATE volumes SET state=?, rows=NULL WHERE number=?", VolumeState.GIVEN_UP, number)
            journal.change(
                "DELETE FROM tombstones WHERE published=0 AND object IN (SELECT number FROM taken WHERE volume=?)",
                number,
            )
            for table in ("taken", "names", "documents", "parts"):
                journal.change(f"DELETE FROM {table} WHERE volume=?", number)  # noqa: S608 -- literal names

    def volumes(self, *states: VolumeState) -> list[VolumeRow]:
        """Return the volumes in these states, by number."""
        wanted = ", ".join("?" for _state in states)
        rows = self._journal.rows(
            f"SELECT {_VOLUME_COLUMNS} FROM volumes WHERE state IN ({wanted}) ORDER BY number",  # noqa: S608 -- literals
            *states,
        )
        return [VolumeRow(*row) for row in rows]

    def count(self, state: VolumeState) -> int:
        """Return how many volumes are in a state."""
        return self._journal.number("SELECT count(*) FROM volumes WHERE state=?", state)

    def arrived(self) -> Arrived:
        """Return what is safe at the target."""
        return self._ending_in(VolumeState.PROVEN)

    def standing(self) -> tuple[Arrived, Arrived]:
        """Return what is safe at the target, and what may be there, or on its way; parts of objects included."""
        safe, sent = self.parts.reached(VolumeState.PROVEN)
        ending = self._journal.rows(
            "SELECT taken.number FROM taken JOIN volumes ON taken.volume = volumes.number"
            " WHERE state=? AND taken.number IN (SELECT object FROM parts)",
            VolumeState.SENT,
        )
        earlier = sum(safe.get(number, 0) for (number,) in ending)  # these parts are safe, and counted there
        begun = sum(max(0, end - safe.get(number, 0)) for number, end in sent.items())
        under_way = self._ending_in(VolumeState.SENT)
        return (
            replace(self._ending_in(VolumeState.PROVEN), in_parts=sum(safe.values())),
            replace(under_way, bytes=under_way.bytes - earlier, in_parts=begun),
        )

    def _ending_in(self, state: VolumeState) -> Arrived:
        row = self._journal.row(
            "SELECT count(*), sum(taken.size) FROM taken JOIN volumes ON taken.volume = volumes.number WHERE state=?",
            state,
        )
        objects, size = row or (0, 0)
        return Arrived(objects, size or 0, self.count(state))

    def published_up_to(self) -> int:
        """Return the last volume number that an index covers."""
        return max((entry.last_volume for entry in self.indexes()), default=0)

    def highest_volume(self) -> int:
        """Return the highest volume number ever sent."""
        return self._journal.number("SELECT max(number) FROM volumes")

    def open_range(self, last: int, limits: Limits) -> Range | None:
        """Return what the next index may cover among the volumes up to `last`, None if nothing is proven there."""
        first = self.published_up_to() + 1
        volumes = self._journal.rows(
            "SELECT number, objects, pages, row_bytes FROM volumes"
            " WHERE state=? AND number BETWEEN ? AND ? ORDER BY number",
            VolumeState.PROVEN,
            first,
            last,
        )
        return next_range(first, volumes, limits)

    def contents(self, covered: Range) -> Iterator[PackedContent]:
        """Yield the rows of each proven volume of a range, by number, one volume in memory at a time."""
        for (number,) in self._journal.rows(
            "SELECT number FROM volumes WHERE state=? AND number BETWEEN ? AND ? ORDER BY number",
            VolumeState.PROVEN,
            covered.first,
            covered.last,
        ):
            yield kept_content(self._journal, number)

    def bury(self, numbers: Iterable[int], seen_gone: str) -> int:
        """Note that objects are gone; return how many."""
        buried, coming = 0, iter(numbers)
        while gone := list(islice(coming, _BURIED_AT_ONCE)):
            self._journal.change_many(
                "INSERT OR IGNORE INTO tombstones(object, seen_gone) VALUES (?, ?)",
                ((number, seen_gone) for number in gone),
            )
            buried += len(gone)
        return buried

    def open_tombstones(self, limit: int) -> list[Tombstone]:
        """Return tombstones that wait for an index."""
        rows = self._journal.rows(
            "SELECT object, seen_gone FROM tombstones WHERE published=0 ORDER BY object LIMIT ?", limit
        )
        return [Tombstone(*row) for row in rows]

    def tombstones(self) -> int:
        """Return how many objects the bundle buries."""
        return self._journal.number("SELECT count(*) FROM tombstones")

    def indexes(self) -> tuple[IndexEntry, ...]:
        """Return the indexes published, or in the outbox, in their order."""
        rows = self._journal.rows("SELECT entry FROM indexes ORDER BY number")
        return tuple(IndexEntry.model_validate_json(row[0]) for row in rows)

    def publish(
        self,
        number: int,
        entry: IndexEntry,
        covered: Range | None,
        buried: Sequence[Tombstone],
        files: Mapping[str, Buffer],
    ) -> None:
        """Put an index and its checkpoint into the outbox; the sealed rows that it holds now are forgotten."""
        journal = self._journal
        with journal.transaction():
            journal.change("INSERT INTO indexes VALUES (?, ?)", number, entry.model_dump_json())
            if covered is not None:
                journal.change(
                    "UPDATE volumes SET published=?, rows=NULL WHERE number BETWEEN ? AND ?",
                    number,
                    covered.first,
                    covered.last,
                )
            journal.change_many(
                "UPDATE tombstones SET published=? WHERE object=?", ((number, stone.object) for stone in buried)
            )
            self.outbox.post(files)

    def is_empty(self) -> bool:
        """Return whether the bundle would hold nothing: no proven volume, no tombstone, no index."""
        return not (self.count(VolumeState.PROVEN) or self.tombstones() or self.indexes())

    def clear(self) -> None:
        """Forget the unfinished bundle."""
        with self._journal.transaction():
            for table in _TABLES:
                self._journal.change(f"DELETE FROM {table}")  # noqa: S608 -- literal names
            self._journal.set_facts(unfinished=None, finishing=None)
