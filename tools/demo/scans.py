"""The scanner's files: one a letter, TIFF of several pages, JPEG, PNG or PDF, the same in every run."""

import time
from pathlib import Path

from PIL import Image

from demo.letters import LETTERS, Letter
from demo.sheet import DPI, pages_of

_SCANNED = time.gmtime(1_735_689_600)
"""2025-01-01: Pillow would write the time of this run into a PDF."""


def write_scans(folder: Path) -> None:
    """Write every letter of the stack."""
    for letter in LETTERS:
        write_scan(letter, folder)


def write_scan(letter: Letter, folder: Path) -> None:
    """Write one letter under its own name."""
    file = folder / letter.file
    file.parent.mkdir(parents=True, exist_ok=True)
    save(list(pages_of(letter)), file)


def save(pages: list[Image.Image], file: Path) -> None:
    """Write pages in the format that the file's ending asks for; JPEG and PNG hold one."""
    first, others = pages[0], pages[1:]
    match file.suffix:
        case ".tif":
            first.save(file, save_all=True, append_images=others, dpi=(DPI, DPI), compression="tiff_lzw")
        case ".pdf":
            others_and_dates = {"append_images": others, "creationDate": _SCANNED, "modDate": _SCANNED}
            first.save(file, "PDF", save_all=True, resolution=DPI, quality=80, **others_and_dates)
        case ".jpg":
            first.save(file, dpi=(DPI, DPI), quality=82)
        case _:
            first.save(file, dpi=(DPI, DPI))
