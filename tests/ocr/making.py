"""Pages, files and archives for tests: drawn here, read by a fake engine or by the real one."""

import io
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from repatria.ocr.engine import Engine, EngineChoice, Layout, Upright
from repatria.ocr.lexicon import Lexicon, WordGraphs
from repatria.ocr.preparation import Grey
from repatria.ocr.words import Box, Word

SENTENCE = ("La campagne de vaccination", "contre la rougeole a commencé", "le 12 janvier 1949 à Dakar.")


def page(lines: Sequence[str] = SENTENCE, *, width: int = 1240, height: int = 620, size: int = 52) -> Image.Image:
    """Return a white page with lines of black text, about 150 dpi."""
    image = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size)
    for number, line in enumerate(lines):
        draw.text((80, 80 + number * 2 * size), line, fill=0, font=font)
    return image


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    """Return an image file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def grey(image: Image.Image) -> Grey:
    return np.asarray(image.convert("L"))


def word(text: str, box: tuple[float, float, float, float] = (0, 0, 10, 10), **facts: object) -> Word:
    """Return a word; line and block are 0 unless told."""
    values = {"confidence": 90.0, "line": 0, "block": 0, **facts}
    return Word(text, Box(*box), **values)  # type: ignore[arg-type]  # facts are Word's own


CRASHES, HANGS = 333, 444
"""Widths of pages that end the fake engine; it sees them twice as large."""


class FakeEngine:
    """Says on every page that it is one, and how wide it is; some widths end it."""

    lexicon: Lexicon = WordGraphs()

    def read(self, image: Image.Image, dpi: float, layout: Layout = Layout.AUTOMATIC) -> list[Word]:
        if reads := os.environ.get("FAKE_ENGINE_READS"):
            with Path(reads).open("a") as stream:
                stream.write(f"{image.width}\n")
            time.sleep(0.03)
        if image.width == 2 * CRASHES:
            os.kill(os.getpid(), signal.SIGSEGV)
        if image.width == 2 * HANGS:
            time.sleep(600)
        texts = ["page", "de", "largeur", str(image.width)]
        return [
            Word(text, Box(10 + 100 * place, 10, 90 + 100 * place, 40), 95.0, 0, 0) for place, text in enumerate(texts)
        ]

    def upright(self, image: Image.Image) -> Upright | None:
        return None


@dataclass(frozen=True, slots=True)
class FakeChoice(EngineChoice):
    """Opens the fake where pages are worked; travels there like the real choice."""

    def here(self) -> EngineChoice:
        return self

    def open(self) -> Engine:
        return FakeEngine()


FAKE = FakeChoice("fake", ("fra",), "/nowhere", can_orient=False, version="fake 1")


def write_scans(folder: Path, **files: bytes) -> None:
    """Write files into a folder; `__` in a name stands for the dot before its extension."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
