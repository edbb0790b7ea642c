"""What the unfinished bundle amounts to: counts, bytes, and the Merkle leaves of its objects."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from repatria.bundle.merkle import MerkleTree
from repatria.bundle.rows import VolumeRow
from repatria.bundle.statement import DocumentCounts, ObjectCounts, VolumeCounts
from repatria.work.journal import Journal
from repatria.work.numbering import NextNumbers

_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Reckoning:
    """Counts what the journal holds of the unfinished bundle."""

    journal: Journal

    def objects(self, free: NextNumbers) -> ObjectCounts:
        """Return the count and bytes of the bundle's objects; numbers of objects that failed are not free either."""
        row = self.journal.row("SELECT count(*), coalesce(sum(size), 0), min(number) FROM taken")
        count, size, first = row or (0, 0, None)
        return ObjectCounts(count=count, bytes=size, first=first if count else free.object, next=free.object)

    def documents(self, free: NextNumbers) -> DocumentCounts:
        """Return the count and pages of the bundle's documents."""
        row = self.journal.row("SELECT count(*), coalesce(sum(pages), 0), min(number) FROM documents")
        count, pages, first = row or (0, 0, None)
        return DocumentCounts(count=count, pages=pages, first=first if count else free.document, next=free.document)

    def checksums_compared(self) -> int:
        """Return how many objects' checksums, kept by the source, were compared."""
        return self.journal.number("SELECT sum(compared) FROM taken")

    def merkle_root(self) -> str:
        """Return the root over the bundle's objects, in hexadecimal."""
        return MerkleTree(self._leaves()).root().hex()

    def _leaves(self) -> Iterator[bytes]:
        last = 0
        while batch := self.journal.rows(
            "SELECT number, leaf FROM taken WHERE number>? ORDER BY number LIMIT ?", last, _BATCH
        ):
            yield from (leaf for _number, leaf in batch)
            last = batch[-1][0]


def volume_counts(volumes: Iterable[VolumeRow]) -> VolumeCounts:
    """Return the count of volumes, and the bytes of their age files."""
    sizes = [volume.size for volume in volumes]
    return VolumeCounts(count=len(sizes), bytes=sum(sizes))
