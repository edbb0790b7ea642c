"""Copying on one machine, against rclone to its crypt: `./run bench copy [many|one|disk|many-ceph|one-ceph]...`.

The first three, which are run if none is named, use rclone's own S3 server; the last two a genuine Ceph gateway, which
needs root and installs Debian's packages.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.harness import MIB, Measure, Report, Work, rounds_wanted, s3_to_s3, write_objects
from bench.servers import ceph_gateway, s3_server

CASES: dict[str, tuple[list[int], tuple[str, ...], str]] = {
    "many": ([8 * 1024] * 10_000, ("--transfers", "32"), ">= 3"),
    "one": ([1024 * MIB], (), ">= 1.5"),
    "disk": ([1024 * MIB], (), ">= 2"),
}


def case(report: Report, name: str) -> None:
    """Run one case: Repatria and rclone in turn, every round."""
    sizes, flags, bar = CASES[name.removesuffix("-ceph")]
    with tempfile.TemporaryDirectory(prefix="repatria-bench-") as scratch:
        folder = Path(scratch)
        objects = folder / "far" / "bucket"
        size = write_objects(objects, sizes)
        ours: list[Measure] = []
        theirs: list[Measure] = []
        with _served(name, folder, objects) as work:
            work.prepare()
            for number in range(rounds_wanted()):
                ours.append(work.copy(f"{name}-{number}"))
                theirs.append(work.rclone(f"peer-{number}", *flags))
        seconds = report.add(name, "repatria", ours, size)
        label = " ".join(("rclone crypt", *flags))
        report.compare(name, f"times faster than {label}", report.add(name, label, theirs, size) / seconds, bar)


@contextmanager
def _served(name: str, folder: Path, objects: Path) -> Iterator[Work]:
    """Yield the work of copying a folder of objects, as it is or behind the servers that a case calls for."""
    near = folder / "near" / "bucket"
    near.mkdir(parents=True)
    if name == "disk":
        yield Work(folder, str(objects), None, str(near), None, str(objects), str(near))
    elif name.endswith("-ceph"):
        with ceph_gateway(folder / "ceph") as (port, keys):
            endpoint = f"http://127.0.0.1:{port}"
            work = Work(folder, "s3://far", endpoint, "s3://near", endpoint, "far:far", "near:near", keys=keys)
            work.fill(objects)
            yield work
    else:
        with s3_server(objects.parent) as far, s3_server(near.parent) as home:
            yield s3_to_s3(folder, far, home)


def main() -> None:
    """Run the cases named, or those that need no root."""
    report = Report("copy")
    for name in sys.argv[1:] or list(CASES):
        case(report, name)
    report.show()


if __name__ == "__main__":
    main()
