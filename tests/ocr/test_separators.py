"""Separator sheets, as a scanner gives them back; and that nothing else is taken for one."""

import io
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from repatria.ocr.picture import decoded, grey_of
from repatria.ocr.preparation import Grey
from repatria.ocr.separators import PATCH_DPI, has_patch_t, separator_of
from repatria.paper.separator import draw_separators
from repatria.paper.separator_code import SeparatorCode
from tests.ocr.making import page

COTE = "3 F 12/45 (éàü)"
CODES = (SeparatorCode(COTE), SeparatorCode())


@cache
def sheet(number: int, dpi: int) -> Image.Image:
    document = pypdfium2.PdfDocument(draw_separators(CODES, datetime(2026, 1, 5, tzinfo=UTC)))
    drawn: Image.Image = document[number].render(scale=dpi / 72, grayscale=True).to_pil().convert("L")
    return drawn


def scanned(image: Image.Image, *, turned: int, sloping: float, noisy: bool) -> Grey:
    """Return a sheet as a scanner may give it: turned, askew, grey with noise and a JPEG."""
    lying = image.rotate(turned, expand=True).rotate(sloping, fillcolor=255)
    pixels = np.asarray(lying).astype(np.float32)
    if noisy:
        noise = np.random.default_rng(7).normal(0, 20, pixels.shape)
        pixels = np.clip(pixels * 0.8 + 30 + noise, 0, 255)
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "JPEG", quality=25 if noisy else 90)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
@pytest.mark.parametrize(("dpi", "sloping", "noisy"), [(150, 0, False), (150, 3, True), (200, -2, True)])
@pytest.mark.parametrize("number", [0, 1])
def test_a_sheet_is_known_however_it_was_fed(number: int, dpi: int, sloping: float, noisy: bool, turned: int) -> None:
    grey = scanned(sheet(number, dpi), turned=turned, sloping=sloping, noisy=noisy)
    assert separator_of(grey, dpi, dpi_known=True) == CODES[number]


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
@pytest.mark.parametrize("shrunk", [0.8, 1.0, 1.15])
def test_its_bars_alone_are_enough(turned: int, shrunk: float) -> None:
    small = sheet(0, 150)
    size = round(small.width * PATCH_DPI / 150 * shrunk), round(small.height * PATCH_DPI / 150 * shrunk)
    grey = scanned(small.resize(size), turned=turned, sloping=2, noisy=True)
    assert has_patch_t(grey)


def test_a_sheet_whose_resolution_is_not_known_is_taken_for_a4() -> None:
    assert separator_of(np.asarray(sheet(0, 200)), 72, dpi_known=False) == CODES[0]


def test_the_bars_of_patch_3_are_no_patch_t() -> None:
    """They are the same bars from their other end."""
    bars = np.full((1169, 827), 255, np.uint8)
    top = 40
    for height, dark in ((20, 1), (8, 0), (8, 1), (8, 0), (20, 1), (8, 0), (8, 1)):
        bars[top : top + height, 200:600] = 0 if dark else 255
        top += height
    assert not has_patch_t(bars)
    assert has_patch_t(bars[::-1]) is False
    turned_over = np.roll(bars[::-1], -1000, axis=0)
    assert has_patch_t(turned_over)


@pytest.mark.parametrize("name", ["blank", "text", "rules"])
def test_ordinary_pages_are_none(name: str) -> None:
    image = page(()) if name == "blank" else page(height=1754, width=1240)
    grey = np.array(image)
    if name == "rules":
        grey[40:1700:24, 100:1100] = 0  # a form
        grey[40:1700, 100:1100:150] = 0
    assert separator_of(grey, 150, dpi_known=True) is None


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (30, 30)])
def test_a_scrap_is_none(size: tuple[int, int]) -> None:
    assert separator_of(np.zeros(size, np.uint8), 300, dpi_known=True) is None


def test_real_pages_are_none(shared: Path) -> None:
    for file in sorted((shared / "scans").iterdir()):
        if file.suffix in {".jpg", ".png"}:
            frame = decoded(file.read_bytes(), 0)
            assert separator_of(grey_of(frame.image), frame.dpi, dpi_known=frame.dpi_known) is None, file.name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("repatria:separator/1", SeparatorCode()),
        ("repatria:separator/1?cote=3%20F%2012%2F45&later=x", SeparatorCode("3 F 12/45")),
        ("repatria:separator/1?cote=a%00%1bb%0A", SeparatorCode("ab")),
        ("repatria:separator/1?cote=" + "x" * 900, SeparatorCode("x" * 200)),
        ("repatria:separator/2", None),
        ("https://example.org/?cote=1", None),
        ("", None),
    ],
)
def test_what_a_code_says(text: str, code: SeparatorCode | None) -> None:
    assert SeparatorCode.parse(text) == code


def test_what_is_printed_is_what_is_read() -> None:
    for code in CODES:
        assert SeparatorCode.parse(code.payload) == code


def test_the_sheet_tells_who_feeds_the_scanner_in_french_what_it_is() -> None:
    document = pypdfium2.PdfDocument(draw_separators(CODES, datetime(2026, 1, 5, tzinfo=UTC)))
    assert len(document) == 2
    words = document[0].get_textpage().get_text_range()
    assert "FEUILLE DE SÉPARATION" in words
    assert COTE in words
    assert "devant la première page" in words
