"""A million objects of 200 bytes: listed, counted, planned, copied, and looked at again: `./run bench million [COUNT]`.

Real files, made once in `$TMPDIR` unless `$SMALL_FILES` names a folder that has them already. One round each: what is
measured takes minutes, and bars are not ratios here.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.harness import MIB, Measure, Report, Work, measured

SIZE = 200
FILES_A_FOLDER = 1_000
_LISTING = "import sys; from bench.million import count; count(sys.argv[1])"


def make_objects(folder: Path, count: int) -> None:
    """Write `count` files of different bytes, a thousand in a folder."""
    noise = os.urandom(MIB)
    for number in range(count):
        place = folder / f"dossier-{number // FILES_A_FOLDER:06d}"
        if number % FILES_A_FOLDER == 0:
            place.mkdir(parents=True)
        start = number * 7 % (len(noise) - SIZE)
        (place / f"fiche-{number:09d}.txt").write_bytes(noise[start : start + SIZE])


def count(folder: str) -> None:
    """List a folder as a source does, and do nothing else."""
    from repatria.errors import Role
    from repatria.source.objects import Selection, StoreSource
    from repatria.store.registry import open_store

    source = StoreSource(open_store(folder, role=Role.SOURCE), folder, Selection())
    print(sum(1 for _told in source.list()))


@contextmanager
def _objects(scratch: Path, wanted: int) -> Iterator[Path]:
    kept = os.environ.get("SMALL_FILES")
    folder = Path(kept) if kept else scratch / "source"
    if not folder.exists():
        begun = time.monotonic()
        make_objects(folder, wanted)
        print(f"{wanted:,} files made in {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    yield folder


def main() -> None:
    """Run every step once, in the order of a migration."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    report = Report("million")
    with tempfile.TemporaryDirectory(prefix="repatria-bench-") as scratch, _objects(Path(scratch), wanted) as folder:
        work = Work(Path(scratch), str(folder), None, f"{scratch}/target", None, "", "")
        work.prepare()
        manifest = work.manifest("million")
        command = [sys.executable, "-m", "repatria"]
        steps = {
            "listing alone": [sys.executable, "-c", _LISTING, str(folder)],
            "inventory": [*command, "inventory", str(manifest)],
            "plan": [*command, "plan", str(manifest)],
            "first copy": [*command, "copy", str(manifest)],
            "second copy": [*command, "copy", str(manifest)],
        }
        taken: dict[str, Measure] = {}
        for step, line in steps.items():
            taken[step] = measured(line, work.environment_of_repatria(), Path.cwd())
            report.add(step, "repatria", [taken[step]], wanted * SIZE)
            report.compare(step, "microseconds an object", taken[step].seconds / wanted * 1e6, "")
        beyond = taken["second copy"].seconds - taken["listing alone"].seconds
        report.compare("second copy", "seconds beyond the listing", beyond, "<= 90")
        report.compare("inventory", "peak MiB", taken["inventory"].peak_mib, "<= 400")
        report.compare("first copy", "peak MiB", taken["first copy"].peak_mib, "<= 600")
        _show_target(report, Path(scratch), wanted)
    report.show()


def _show_target(report: Report, scratch: Path, wanted: int) -> None:
    """Add what the objects became, and what the machine remembers of them."""
    stored = [file.stat().st_size for file in (scratch / "target").rglob("*") if file.is_file()]
    journal = (scratch / "state" / "datasets" / "million" / "journal.db").stat().st_size
    report.compare("target", "bytes an object", sum(stored) / wanted, "")
    report.compare("target", "files", len(stored), "")
    report.compare("journal", "bytes an object", journal / wanted, "")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
