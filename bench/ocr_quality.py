#!/usr/bin/env python3
"""How well and how fast pages are read: this project's pipeline against bare Tesseract, on real French pages.

    python bench/ocr_quality.py [--scans DIR] [--processes N] [--keep DIR] [PIPELINE...]

Scores with `score_ocr.py` of the shared bench folder, which lies beside the project (or where $REPATRIA_SHARED is).
Pipelines: repatria, tesseract (the library, no preparation), ocrmypdf (where it is installed).
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType

SHARED = Path(os.environ.get("REPATRIA_SHARED") or Path(__file__).parents[2] / "shared")
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
    """Read a page as the tesseract program does, without any preparation."""
    from PIL import Image

    from repatria.ocr.engine import choose_engine

    with Image.open(scan) as image:
        dpi = (image.info.get("dpi") or (0, 0))[0]
        words = choose_engine(["fra"]).open().read(image.convert("RGB"), dpi)
    lines: dict[int, list[str]] = {}
    for word in words:
        lines.setdefault(word.line, []).append(word.text)
    return "\n".join(" ".join(line) for line in lines.values())


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
    score = scorer().score
    for name in chosen:
        started = time.perf_counter()
        with ProcessPoolExecutor(given.processes) as pool:
            texts = list(pool.map(PIPELINES[name], scans))
        seconds = time.perf_counter() - started
        results = [
            score(scan.with_suffix(".gt.txt").read_text("utf-8"), text) for scan, text in zip(scans, texts, strict=True)
        ]
        for scan, (errors, recall), text in zip(scans, results, texts, strict=True):
            print(f"{name:10s} {scan.stem:42s} CER {errors:6.1%}  recall {recall:6.1%}")
            if given.keep:
                kept = given.keep / name / f"{scan.stem}.txt"
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(text, "utf-8")
        errors = sum(result[0] for result in results) / len(results)
        recall = sum(result[1] for result in results) / len(results)
        print(f"{name}: CER {errors:.1%}, word recall {recall:.1%}, {seconds:.1f} s for {len(scans)} pages", flush=True)


if __name__ == "__main__":
    main()
