#!/usr/bin/env python3
"""How well and how fast pages are read: this project's pipeline against bare Tesseract, on real French pages.

    python bench/ocr_quality.py [--scans DIR] [--processes N] [--keep DIR] [PIPELINE...]

Scores with `score_ocr.py` of the shared bench folder, which lies beside the project (or where $REPATRIA_SHARED is).
Pipelines: repatria, tesseract (the program, no preparation), ocrmypdf (where it is installed). Of the first two, pages
are named on which repatria falls below the floor: bare Tesseract's errors and 1.5 points, its words less 3.
"""

import argparse
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType

SHARED = Path(os.environ.get("REPATRIA_SHARED") or Path(__file__).parents[2] / "shared")
Score = tuple[float, float]
SUFFIXES = {".jpg", ".png", ".tif", ".tiff", ".jp2"}
os.environ["OMP_THREAD_LIMIT"] = "1"


def repatria(scan: Path) -> str:
    """Read a page as `repatria ocr` does."""
    from repatria.ocr.engine import choose_engine
    from repatria.ocr.memory import SharedBytes
    from repatria.ocr.page import Form, PageTask, read_page

    task = PageTask(SharedBytes.of(scan.read_bytes()), Form.IMAGE, 1, 0, choose_engine(["fra"]))
    try:
        return read_page(task)[0].text.text
    finally:
        task.scan.close()


def tesseract(scan: Path) -> str:
    """Read a page with the tesseract program and its defaults."""
    done = subprocess.run(["tesseract", scan, "-", "-l", "fra"], check=False, capture_output=True, text=True)
    return done.stdout


def ocrmypdf(scan: Path) -> str:
    """Read a page with OCRmyPDF's defaults, through its program."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text.txt")
        subprocess.run(
            [
                *["ocrmypdf", "-q", "-l", "fra", "--image-dpi", "200", "--output-type", "pdf", "--sidecar"],
                text,
                scan,
                f"{folder}/out.pdf",
            ],
            check=False,
        )
        return text.read_text("utf-8") if text.exists() else ""


PIPELINES: dict[str, Callable[[Path], str]] = {"repatria": repatria, "tesseract": tesseract, "ocrmypdf": ocrmypdf}


def scorer() -> ModuleType:
    """Return the shared scorer as a module."""
    specification = importlib.util.spec_from_file_location("score_ocr", SHARED / "bench" / "score_ocr.py")
    if specification is None or specification.loader is None:
        sys.exit(f"no scorer in {SHARED / 'bench'}")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def read_all(name: str, scans: Sequence[Path], processes: int, keep: Path | None) -> list[str]:
    """Run one pipeline and return each page's text; print what it took."""
    started = time.perf_counter()
    with ProcessPoolExecutor(processes) as pool:
        texts = list(pool.map(PIPELINES[name], scans))
    print(f"{name}: {time.perf_counter() - started:.1f} s for {len(scans)} pages", flush=True)
    for scan, text in zip(scans, texts, strict=True):
        if keep:
            kept = keep / name / f"{scan.stem}.txt"
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(text, "utf-8")
    return texts


def below_floor(ours: Score, bare: Score, words: int) -> bool:
    """Tell whether a page of so many words is worse than bare Tesseract by more than 1.5 points or 3 words."""
    return ours[0] > bare[0] + 0.015 or (bare[1] - ours[1]) * words > 3.001


def main() -> None:
    """Run the pipelines and print a line a page and a line a pipeline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipelines", nargs="*", default=[], metavar="PIPELINE")
    parser.add_argument("--scans", type=Path, default=SHARED / "scans")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, help="write each page's text to KEEP/PIPELINE/NAME.txt")
    given = parser.parse_args()
    chosen = given.pipelines or ["repatria", "tesseract", *(["ocrmypdf"] if shutil.which("ocrmypdf") else [])]
    scans = sorted(scan for scan in given.scans.iterdir() if scan.suffix.lower() in SUFFIXES)
    truths = [scan.with_suffix(".gt.txt").read_text("utf-8") for scan in scans]
    scoring = scorer()
    scores: dict[str, list[Score]] = {}
    for name in chosen:
        texts = read_all(name, scans, given.processes, given.keep)
        scores[name] = [scoring.score(truth, text) for truth, text in zip(truths, texts, strict=True)]
        for scan, (errors, recall) in zip(scans, scores[name], strict=True):
            print(f"{name:10s} {scan.stem:42s} CER {errors:6.1%}  recall {recall:6.1%}")
    for name, results in scores.items():
        errors, recall = (statistics.mean(result[part] for result in results) for part in (0, 1))
        print(f"{name}: CER {errors:.1%}, word recall {recall:.1%}")
    for place, scan in enumerate(scans):
        words = sum(scoring.words(truths[place]).values())
        if {"repatria", "tesseract"} <= set(scores) and below_floor(
            scores["repatria"][place], scores["tesseract"][place], words
        ):
            print(f"below the floor: {scan.stem}")


if __name__ == "__main__":
    main()
