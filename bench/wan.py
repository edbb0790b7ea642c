"""Copying over a long thin link, against rclone to its crypt: `./run bench wan [small|large|thin]...`."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.harness import MIB, Measure, Report, rounds_wanted, s3_to_s3, write_objects
from bench.servers import long_thin_link, s3_server

KIB = 1024
CASES = {
    "small": ([8 * KIB] * 2000 + [5 * MIB] * 20 + [100 * MIB], (), 200),
    "large": ([8 * KIB] * 4000 + [5 * MIB] * 60 + [690 * MIB], (), 200),
    "thin": (
        [8 * KIB] * 2000 + [5 * MIB] * 17 + [95 * MIB],
        ("--link-mbit", "20", "--conn-mbit", "4", "--rtt-ms", "150"),
        20,
    ),
}


def case(report: Report, name: str, peers: Sequence[tuple[str, ...]]) -> None:
    """Run one case: Repatria every round, each peer in the first: they take minutes, and wait for the link alone."""
    sizes, knobs, mbit = CASES[name]
    with tempfile.TemporaryDirectory(prefix="repatria-bench-") as scratch:
        folder = Path(scratch)
        size = write_objects(folder / "far" / "bucket", sizes)
        (folder / "near" / "bucket").mkdir(parents=True)
        ours: list[Measure] = []
        links: list[float] = []
        theirs: dict[tuple[str, ...], list[Measure]] = {peer: [] for peer in peers}
        with s3_server(folder / "far") as far, s3_server(folder / "near") as near:
            for number in range(rounds_wanted()):
                with long_thin_link(far, *knobs) as (port, told):
                    work = s3_to_s3(folder, port, near)
                    work.prepare()
                    ours.append(work.copy(f"{name}-{number}"))
                links.append(told.get("bytes_down", 0))
                for position, peer in enumerate(peers if number == 0 else ()):
                    with long_thin_link(far, *knobs) as (port, told):
                        theirs[peer].append(s3_to_s3(folder, port, near).rclone(f"peer-{position}-{number}", *peer))
        limit = size / (mbit * 125_000)
        seconds = report.add(name, "repatria", ours, size, links)
        report.compare(
            name, "link used", limit / seconds, {"small": "<= 13 s", "large": ">= 0.88", "thin": ">= 0.92"}[name]
        )
        for peer, measures in theirs.items():
            label = " ".join(("rclone crypt", *peer))
            report.compare(
                name, f"times faster than {label}", report.add(name, label, measures, size) / seconds, ">= 8"
            )


def main() -> None:
    """Run the cases named, or all."""
    report = Report("wan")
    for name in sys.argv[1:] or list(CASES):
        case(report, name, [(), ("--transfers", "64")] if name == "small" else [])
    report.show()


if __name__ == "__main__":
    main()
