"""The largest index that a writer makes: its building, and one lookup in it at a bucket: `./run bench index`.

Requests are counted at the store; tests/bundle/test_index_lookup.py counts them on the wire, at a smaller size.
"""

import hashlib
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.harness import MIB, Report
from bench.servers import KEYS, s3_server
from repatria.bundle.files import BundleFolder, FileRanges
from repatria.bundle.index import Index
from repatria.bundle.index_building import IndexMeta, IndexRows, build_index
from repatria.bundle.rows import MemberRow, ObjectRow, VolumeRow
from repatria.crypt.identity import generate
from repatria.crypt.seal import seal
from repatria.crypt.seek import ByteRanges, DecryptingReader
from repatria.store.registry import open_store
from repatria.work.publishing import LIMITS
from repatria.work.sealed_rows import VolumeContent

LOOKUPS = 25
IDENTITY = generate()
META = IndexMeta("bench", "20240130T200000Z-abcdef", 1, 1, LIMITS.volumes)
VOLUMES = [VolumeRow(number, 1, bytes(32), bytes(32), 1, bytes(32)) for number in range(1, LIMITS.volumes + 1)]


def path(number: int, length: int) -> str:
    """Return a path of so many bytes, in no order of numbers."""
    name = hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest()
    return f"dossiers/{name[:3]}/{name}.pdf".rjust(length, "x")


def rows(numbers: range, length: int) -> Iterator[tuple[ObjectRow, MemberRow]]:
    """Yield objects as a file system tells of them, each with its one member."""
    for number in numbers:
        told = ObjectRow(
            number, "", path(number, length), "file", 8_192, random.randbytes(32), random.randbytes(16),
            1_700_000_000_000_000_000 + number, 0o644, "root", "root",
            version=f"8192-{1_700_000_000_000_000_000 + number}-{number}", recognised="pdf",
        )  # fmt: skip
        yield told, MemberRow(1 + number % LIMITS.volumes, 512 + number * 8_704, 8_192, number, 0, 0)


def most_objects(length: int) -> int:
    """Return how many objects with paths of so many bytes one index may hold."""
    some, where = zip(*rows(range(1, 1_001), length), strict=True)
    return min(LIMITS.objects, LIMITS.row_bytes * 1_000 // VolumeContent(some, where).pack().size)


@dataclass(slots=True)
class Counted:
    """Ranges of a file, and what was asked of them."""

    ranges: ByteRanges
    asked: list[int] = field(default_factory=list)

    @property
    def size(self) -> int:
        """As the file's."""
        return self.ranges.size

    def read_at(self, offset: int, length: int) -> bytes:
        """Count, and read."""
        self.asked.append(length)
        return self.ranges.read_at(offset, length)


def case(report: Report, endpoint: str, length: int) -> None:
    """Build the largest index over paths of one length, and look objects up in it."""
    work, count = f"paths of {length} bytes", most_objects(length)
    before = _peak_mib()
    begun = time.monotonic()
    numbers = range(1, count + 1)
    payload = build_index(
        META,
        IndexRows(
            (told for told, _where in rows(numbers, length)), VOLUMES, (where for _told, where in rows(numbers, length))
        ),
    )
    seconds, peak = time.monotonic() - begun, _peak_mib() - before
    sealed = seal(payload, [IDENTITY.recipient])
    store = open_store(f"s3://bucket/{length}", endpoint=endpoint)
    folder, name = BundleFolder(store, META.dataset, META.bundle), "data/index-0001.db.age"
    store.put(folder.prefix + name, [sealed.data], len(sealed.data))
    asked: list[Counted] = []
    times: list[float] = []
    for number in random.sample(range(1, count + 1), LOOKUPS):
        begun = time.monotonic()
        counted = Counted(FileRanges(folder, name, len(sealed.data)))
        index = Index(DecryptingReader(counted, [IDENTITY], head_sha256=sealed.head_sha256))
        (found,) = index.find(path(number, length))
        if found.number != number or len(index.members_of(number)) != 1:
            sys.exit(f"the lookup of {number} found {found.number}")
        index.close()
        times.append(time.monotonic() - begun)
        asked.append(counted)
    report.compare(work, "objects", count, "")
    report.compare(work, "MiB", len(payload) / MIB, "")
    report.compare(work, "seconds to build", seconds, "")
    report.compare(work, "MiB of memory to build", peak, "")
    report.compare(work, "requests of a lookup, at most", max(len(each.asked) for each in asked), "<= 12")
    report.compare(work, "MiB of a lookup, at most", max(sum(each.asked) for each in asked) / MIB, "< 1")
    report.compare(work, "milliseconds of a lookup, median", statistics.median(times) * 1e3, "")
    store.close()


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run every case, the smallest index first: the peak of memory never falls."""
    report = Report("index")
    os.environ |= {"AWS_ACCESS_KEY_ID": KEYS[0], "AWS_SECRET_ACCESS_KEY": KEYS[1], "AWS_DEFAULT_REGION": "us-east-1"}
    random.seed(20240130)
    with tempfile.TemporaryDirectory(prefix="repatria-bench-") as scratch:
        (Path(scratch) / "bucket").mkdir()
        with s3_server(Path(scratch)) as port:
            for length in map(int, sys.argv[1:] or ("60", "200", "1000")):
                case(report, f"http://127.0.0.1:{port}", length)
    report.show()


if __name__ == "__main__":
    main()
