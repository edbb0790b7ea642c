"""Copying on one machine, against rclone to its crypt: `./run bench copy [many|one|disk]...`."""

import sys
import tempfile
from pathlib import Path

from bench.harness import MIB, Measure, Report, Work, rounds_wanted, s3_server, s3_to_s3, write_objects

CASES: dict[str, tuple[list[int], tuple[str, ...], str]] = {
    "many": ([8 * 1024] * 10_000, ("--transfers", "32"), ">= 3"),
    "one": ([1024 * MIB], (), ">= 1.5"),
    "disk": ([1024 * MIB], (), ">= 2"),
}


def case(report: Report, name: str) -> None:
    """Run one case: Repatria and rclone in turn, every round."""
    sizes, flags, bar = CASES[name]
    with tempfile.TemporaryDirectory(prefix="repatria-bench-") as scratch:
        folder = Path(scratch)
        size = write_objects(folder / "far" / "bucket", sizes)
        (folder / "near" / "bucket").mkdir(parents=True)
        ours: list[Measure] = []
        theirs: list[Measure] = []
        with s3_server(folder / "far") as far, s3_server(folder / "near") as near:
            work = _disk(folder) if name == "disk" else s3_to_s3(folder, far, near)
            work.prepare()
            for number in range(rounds_wanted()):
                ours.append(work.copy(f"{name}-{number}"))
                theirs.append(work.rclone(f"peer-{number}", *flags))
        seconds = report.add(name, "repatria", ours, size)
        label = " ".join(("rclone crypt", *flags))
        report.compare(name, f"times faster than {label}", report.add(name, label, theirs, size) / seconds, bar)


def _disk(folder: Path) -> Work:
    far, near = folder / "far" / "bucket", folder / "near" / "bucket"
    return Work(folder, str(far), None, str(near), None, str(far), str(near))


def main() -> None:
    """Run the cases named, or all."""
    report = Report("copy")
    for name in sys.argv[1:] or list(CASES):
        case(report, name)
    report.show()


if __name__ == "__main__":
    main()
