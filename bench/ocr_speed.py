"""From scans to a verified archive, against OCRmyPDF on the same pages and cores.

    ./run bench ocr-speed [pdf|tiff]...

24 A4 pages at 300 dpi, made here, in one file: a PDF as office scanners give it, and a grey TIFF. Repatria's time is
that of `repatria ocr` and of `repatria verify`; OCRmyPDF makes a searchable PDF/A and nothing more; bare Tesseract, one
process a core over the same pages as PNG, makes plain text. Processor seconds stand beside those of the clock: on a
machine that does other work they tell more.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.harness import Measure, Report, measured, rounds_wanted
from bench.typed_pages import TYPES, TypedPage, typed_pages, write_pdf, write_tiff

PAGES = 24
CORES = os.cpu_count() or 1
WRITERS: dict[str, Callable[[Sequence[TypedPage], Path], None]] = {"pdf": write_pdf, "tiff": write_tiff}
RATIO_BAR, MEMORY_BAR, START_BAR = ">= 1.6", "<= 300", "< 1"
_SURE = 0.01
"""Share of the words of clean pages that may be missed: faster by reading less would be no gain."""


class Desk:
    """A folder with the pages, a key, and what is made of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {"REPATRIA_STATE": str(folder / "state"), "OMP_THREAD_LIMIT": "1"}
        self._repatria("keys", "new", "-o", "key", "-q")
        self.pages = list(typed_pages(PAGES))
        (folder / "png").mkdir()
        for number, page in enumerate(self.pages, 1):
            page.image.save(folder / "png" / f"{number:02d}.png", compress_level=1, dpi=(300, 300))
        for name, write in WRITERS.items():
            write(self.pages, folder / f"scan.{name}")

    def repatria(self, kind: str, number: int) -> Measure:
        """Read the scan into a new archive and verify that; end the bench if words of it were missed."""
        dataset = f"{kind}-{number}"
        place = f"{self.folder}/archives"
        read = self._repatria("ocr", f"scan.{kind}", "--to", place, "-r", "key.pub", "--id", dataset, "-q")
        if read.code != 0:
            sys.exit(f"repatria ocr failed, code {read.code}:\n{read.output}")
        proven = self._repatria("verify", f"{place}/{dataset}", "-q")
        self._check(f"{place}/{dataset}")
        return Measure(
            read.seconds + proven.seconds,
            read.cpu_seconds + proven.cpu_seconds,
            max(read.peak_mib, proven.peak_mib),
            read.code or proven.code,
            read.output + proven.output,
            max(read.largest_child_mib, proven.largest_child_mib),
        )

    def ocrmypdf(self, kind: str, number: int) -> Measure:
        """Read the scan with OCRmyPDF's defaults."""
        program = shutil.which("ocrmypdf", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if program is None:
            sys.exit("ocrmypdf is not installed: it comes with requirements/bench.txt")
        command = [program, "-q", "-l", "fra", "-j", str(CORES), f"scan.{kind}", f"peer-{kind}-{number}.pdf"]
        return measured(command, self._environment, self.folder)

    def tesseract(self) -> Measure:
        """Read the pages with the tesseract program, one process a core."""
        loop = f"ls png/*.png | xargs -P {CORES} -I IMAGE tesseract IMAGE IMAGE -l fra"
        return measured(["sh", "-c", loop], self._environment, self.folder)

    def looked_at_twice(self) -> int:
        """Return how many of the pages, which are clean, get a second look; one of each type is tried."""
        from repatria.ocr.engine import choose_engine
        from repatria.ocr.memory import SharedBytes
        from repatria.ocr.page import Form, PageTask, read_page

        engine = choose_engine(["fra"])
        scans = [(self.folder / "png" / f"{number:02d}.png").read_bytes() for number in range(1, len(TYPES) + 1)]
        tasks = [PageTask(SharedBytes.of(scan), Form.IMAGE, 1, 0, engine) for scan in scans]
        return sum("second-look" in side.text.flags for task in tasks for side in read_page(task))

    def start(self, number: int) -> float:
        """Return the seconds from the command to its first working child."""
        scan = self.folder / "one.png"
        shutil.copy(self.folder / "png" / "01.png", scan)
        command = [
            sys.executable,
            "-m",
            "repatria",
            "ocr",
            str(scan),
            "--to",
            "archives",
            "-r",
            "key.pub",
            "--id",
            f"start-{number}",
        ]
        begun = time.monotonic()
        process = subprocess.Popen(
            [*command, "-q"], cwd=self.folder, env={**os.environ, **self._environment}, stdout=subprocess.DEVNULL
        )
        until_child = 0.0
        while process.poll() is None:
            if not until_child and _has_grandchild(process.pid):
                until_child = time.monotonic() - begun
            time.sleep(0.005)
        if process.returncode != 0 or not until_child:
            sys.exit(f"repatria ocr failed, code {process.returncode}, or no child of its was seen")
        return until_child

    def _repatria(self, *arguments: str) -> Measure:
        return measured([sys.executable, "-m", "repatria", *arguments], self._environment, self.folder)

    def _check(self, archive: str) -> None:
        """End the bench if words were missed."""
        restored = self.folder / "restored"
        shutil.rmtree(restored, ignore_errors=True)
        done = self._repatria("restore", archive, str(restored), "-i", "key", "-q")
        if done.code != 0:
            sys.exit(f"restore failed, code {done.code}:\n{done.output}")
        (text,) = restored.rglob("*.txt")
        read, truth = _words(text.read_text("utf-8")), _words("\n".join(page.truth for page in self.pages))
        missed = len(truth) - sum(1 for word in truth if word in set(read))
        if missed > _SURE * len(truth):
            sys.exit(f"{missed} of {len(truth)} words of clean pages were not read")


def _words(text: str) -> list[str]:
    return re.findall(r"\w{3,}", text.casefold())


def _has_grandchild(process: int) -> bool:
    """Tell whether a child of a child runs: the fork server's first."""
    return any(_children(child) for child in _children(process))


def _children(process: int) -> list[int]:
    found: list[int] = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += map(int, children.read_text().split())
        except OSError:
            continue  # that thread has ended since
    return found


def case(report: Report, desk: Desk, kind: str) -> None:
    """Run one kind of scan: Repatria, OCRmyPDF and bare Tesseract in turn, every round."""
    contenders: dict[str, Callable[[int], Measure]] = {
        "repatria ocr + verify": lambda number: desk.repatria(kind, number),
        "ocrmypdf": lambda number: desk.ocrmypdf(kind, number),
        "tesseract": lambda _number: desk.tesseract(),
    }
    rounds: dict[str, list[Measure]] = {who: [] for who in contenders}
    for number in range(rounds_wanted()):
        for who, run in contenders.items():
            rounds[who].append(run(number))
    size = (desk.folder / f"scan.{kind}").stat().st_size
    seconds = {who: report.add(kind, who, measures, size) for who, measures in rounds.items()}
    ours, peer, bare = seconds.values()
    report.compare(kind, "pages a minute", PAGES * 60 / ours, "")
    report.compare(kind, "times the pages a minute of ocrmypdf", peer / ours, RATIO_BAR)
    report.compare(kind, "the same of bare tesseract", peer / bare, "")
    processor = [sum(measure.cpu_seconds for measure in measures) for measures in rounds.values()]
    report.compare(kind, "the same, by processor seconds", processor[1] / processor[0], RATIO_BAR)
    largest = max(measure.largest_child_mib for measure in rounds["repatria ocr + verify"])
    report.compare(kind, "MiB of the largest child", largest, MEMORY_BAR)


def main() -> None:
    """Run the kinds of scans named, or all."""
    report = Report("ocr-speed")
    with tempfile.TemporaryDirectory(prefix="repatria-bench-") as scratch:
        desk = Desk(Path(scratch))
        start = min(desk.start(number) for number in range(rounds_wanted()))
        report.compare("start", "seconds to the first child, at best", start, START_BAR)
        report.compare("start", "clean pages that get a second look", desk.looked_at_twice(), "0")
        for kind in sys.argv[1:] or list(WRITERS):
            case(report, desk, kind)
    report.show()


if __name__ == "__main__":
    main()
