"""What a bundle weighs beside what is in it: `./run bench overhead [CASE]...`.

Every case is copied for real, and what lies at the target is added up: volumes with their padding, indexes, everything.
The plan's estimate for the same listing stands beside it; 10 GiB are computed by that estimate alone.
"""

import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.harness import MIB, Report, Work, write_objects
from repatria.bundle.volume import DEFAULT_VOLUME_SIZE
from repatria.migrate.survey import survey
from repatria.model import Object
from repatria.store.base import Reading


def _large(size: int, seed: int = 1) -> list[int]:
    """Return sizes from 1 MiB on, most of them small, that add up to `size`."""
    source, sizes = random.Random(seed), list[int]()
    while (left := size - sum(sizes)) > 0:
        wanted = int(MIB * 2 ** min(source.expovariate(0.5), 10))
        sizes.append(wanted if left - wanted >= MIB else left)
    return sizes


CASES: dict[str, tuple[Sequence[int], str]] = {
    "10,000 of 8 KiB": ([8 * 1024] * 10_000, "< 12"),
    "1 GiB of 1 MiB and more": (_large(1024 * MIB), "< 2"),
    "100,000 of 200 bytes": ([200] * 100_000, ""),
    "100,000 of nothing": ([0] * 100_000, ""),
}
COMPUTED: dict[str, tuple[Sequence[int], str]] = {
    "10 GiB of 1 MiB and more": (_large(10_240 * MIB), "< 2"),
    "10 GiB of 1 MiB": ([MIB] * 10_240, "< 2"),
    "1,000,000 of 200 bytes": ([200] * 1_000_000, ""),
}


@dataclass(slots=True)
class Listing:
    """A source that can only be listed."""

    sizes: Sequence[int]
    name: str = ""
    public_uri: str = "file:///listing"
    reads_at_once: int = 1

    def list(self) -> Iterator[Object]:
        """Yield objects of the sizes."""
        for number, size in enumerate(self.sizes):
            yield Object(
                f"d{number % 50:02d}/object-{number:06d}.bin", size, mtime_ns=number, owner="root", group="root"
            )

    def read(self, object: Object, start: int = 0, length: int | None = None) -> Reading:
        """Refuse: nothing is there."""
        raise NotImplementedError  # what is measured is planning, which reads nothing

    def close(self) -> None:
        """Hold nothing."""


def estimated(sizes: Sequence[int]) -> int:
    """Return the bytes that the plan expects at the target."""
    return survey([Listing(sizes)], None, DEFAULT_VOLUME_SIZE).estimate.target_bytes


def case(report: Report, name: str) -> None:
    """Copy one case, and compare what came to lie at the target with what was copied."""
    sizes, bar = CASES[name]
    with tempfile.TemporaryDirectory(prefix="repatria-bench-") as scratch:
        folder = Path(scratch)
        write_objects(folder / "source", sizes)
        work = Work(folder, str(folder / "source"), None, str(folder / "target"), None, "", "")
        work.prepare()
        report.add(name, "repatria", [work.copy("overhead")], sum(sizes))
        stored = sum(file.stat().st_size for file in (folder / "target").rglob("*") if file.is_file())
    _compare(report, name, sizes, stored, bar)
    _compare(report, name, sizes, estimated(sizes), "", what="by the plan's estimate")


def _compare(report: Report, name: str, sizes: Sequence[int], stored: int, bar: str, what: str = "stored") -> None:
    if total := sum(sizes):
        report.compare(name, f"overhead in per cent, {what}", 100 * (stored / total - 1), bar)
    report.compare(name, f"bytes beyond its own an object, {what}", (stored - total) / len(sizes), "")


def main() -> None:
    """Run the cases named, or all."""
    report = Report("overhead")
    for name in sys.argv[1:] or list(CASES):
        case(report, name)
    for name, (sizes, bar) in COMPUTED.items():
        _compare(report, name, sizes, estimated(sizes), bar, what="by the plan's estimate")
    report.show()


if __name__ == "__main__":
    main()
