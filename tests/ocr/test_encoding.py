"""What a PDF stores of a picture: the same pixels in no more bytes than the scan has."""

import io
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, TiffImagePlugin

from repatria.ocr.colour_profiles import plain_cmyk
from repatria.ocr.encoding import Picture
from repatria.ocr.memory import joined
from repatria.ocr.pdf_archival import image_pdf
from repatria.ocr.pdf_input import opened_page
from repatria.ocr.picture import decoded, picture_of, placed
from repatria.ocr.words import Box, PageText, Word

MADE = datetime(2026, 1, 31, tzinfo=UTC)
DPI, WIDTH, HEIGHT = 150, 1240, 1754
"""A4."""
WITHOUT_PICTURE = 3500
"""Bytes of a one-page PDF/A: font, colour profile, metadata, tables."""


@pytest.fixture(scope="module")
def sheet() -> Image.Image:
    """Return a page of text as a scanner gives it: grey, with noise in its paper."""
    image = Image.new("L", (WIDTH, HEIGHT), 235)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(30)
    chance = np.random.default_rng(1)
    for line in range(34):
        text = "".join(chance.choice(list("abcdefghilmnopqrstuv     "), 60))
        draw.text((150, 150 + 45 * line), text, fill=20, font=font)
    noise = chance.normal(0, 4, (HEIGHT, WIDTH))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def bitonal(sheet: Image.Image) -> Image.Image:
    return sheet.point(lambda value: 255 if value > 128 else 0).convert("1")


def in_colour(sheet: Image.Image) -> Image.Image:
    """Return three channels that differ: one exchanged for another would be seen."""
    return Image.merge("RGB", [sheet, sheet.rotate(180), sheet.point(lambda value: value // 2)])


def file_of(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, dpi=(DPI, DPI), **options)
    return buffer.getvalue()


def one_strip(image: Image.Image, compression: str, **options: object) -> bytes:
    return file_of(image, "TIFF", compression=compression, tiffinfo={278: image.height}, **options)


def pdf_of(picture: Picture, words: int = 400) -> bytes:
    placed = tuple(
        Word("rougeole", Box(x := 150 + 28 * (n % 35), y := 150 + 40 * (n // 10), x + 25, y + 30), 90.0, n // 10, 0)
        for n in range(words)
    )
    return joined(image_pdf([(PageText(1, WIDTH, HEIGHT, DPI, skew=0.4, words=placed), picture)], "Page", "fr", MADE))


def difference(pdf: bytes, image: Image.Image) -> float:
    """Return by how much, of 255, a page differs from a picture in the mean, both made small."""
    with opened_page(pdf, 0) as page:
        return apart(page.picture(DPI), image)


def apart(shown: Image.Image, image: Image.Image) -> float:
    assert abs(shown.width - image.width) <= 1
    assert abs(shown.height - image.height) <= 1
    small = (image.width // 8, image.height // 8)
    one, other = (np.asarray(each.convert("RGB").resize(small, Image.Resampling.BOX)) for each in (shown, image))
    return float(np.abs(one.astype(np.int16) - other).mean())


CASES = {
    "fax TIFF": lambda sheet: one_strip(bitonal(sheet), "group4"),
    "fax TIFF in strips": lambda sheet: file_of(bitonal(sheet), "TIFF", compression="group4"),
    "LZW TIFF of two colours": lambda sheet: file_of(bitonal(sheet), "TIFF", compression="tiff_lzw"),
    "PNG of two colours": lambda sheet: file_of(bitonal(sheet), "PNG", optimize=True),
    "grey PNG of two colours": lambda sheet: file_of(bitonal(sheet).convert("L"), "PNG", optimize=True),
    "palette PNG of two colours": lambda sheet: file_of(bitonal(sheet).convert("P"), "PNG", optimize=True),
    "grey PNG": lambda sheet: file_of(sheet, "PNG", optimize=True),
    "colour PNG": lambda sheet: file_of(Image.merge("RGB", [sheet, sheet.rotate(180), sheet]), "PNG", optimize=True),
    "palette PNG": lambda sheet: file_of(
        Image.merge("RGB", [sheet, sheet, sheet.point(lambda v: v // 2)]).quantize(16), "PNG", optimize=True
    ),
    "grey TIFF": lambda sheet: file_of(sheet, "TIFF", compression="tiff_adobe_deflate"),
    "JPEG": lambda sheet: file_of(sheet, "JPEG", quality=75),
    "JPEG in TIFF": lambda sheet: one_strip(sheet, "jpeg", quality=75),
    "colour JPEG in TIFF": lambda sheet: one_strip(
        Image.merge("RGB", [sheet, sheet, sheet]).convert("YCbCr"), "jpeg", quality=75
    ),
    "JPEG in TIFF in strips": lambda sheet: file_of(sheet, "TIFF", compression="jpeg", quality=75),
    "colour JPEG in TIFF in strips": lambda sheet: file_of(
        in_colour(sheet).convert("YCbCr"), "TIFF", compression="jpeg", quality=75
    ),
    "RGB JPEG in TIFF in strips": lambda sheet: file_of(in_colour(sheet), "TIFF", compression="jpeg", quality=75),
    "RGB JPEG in TIFF": lambda sheet: one_strip(in_colour(sheet), "jpeg", quality=75),
    "CMYK JPEG": lambda sheet: file_of(in_colour(sheet).convert("CMYK"), "JPEG", quality=75),
    "CMYK JPEG in TIFF": lambda sheet: file_of(
        in_colour(sheet).convert("CMYK"), "TIFF", compression="jpeg", quality=75
    ),
    "CMYK JPEG with its profile": lambda sheet: file_of(
        in_colour(sheet).convert("CMYK"), "JPEG", quality=75, icc_profile=plain_cmyk()
    ),
    "JPEG 2000": lambda sheet: file_of(sheet, "JPEG2000", quality_mode="rates", quality_layers=[12]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_pdf_is_hardly_larger_than_the_scan_and_shows_the_same(case: str, sheet: Image.Image) -> None:
    """By 5 % at most; a fax of less than 100 KiB by what a PDF/A is without any picture."""
    scan = CASES[case](sheet)
    pdf = pdf_of(picture_of(decoded(scan, 0)))
    assert len(pdf) <= max(1.05 * len(scan), len(scan) + WITHOUT_PICTURE), f"{len(scan)} -> {len(pdf)}"
    with Image.open(io.BytesIO(scan)) as image:
        assert difference(pdf, image) < 4


@pytest.mark.skipif(not shutil.which("pdftoppm"), reason="pdftoppm (poppler-utils) is not installed")
@pytest.mark.parametrize("case", [case for case in CASES if "JPEG" in case or "fax" in case])
def test_another_reader_shows_the_same(case: str, sheet: Image.Image, tmp_path: Path) -> None:
    scan = CASES[case](sheet)
    file = tmp_path / "page.pdf"
    file.write_bytes(pdf_of(picture_of(decoded(scan, 0))))
    done = subprocess.run(["pdftoppm", "-r", str(DPI), "-singlefile", file], check=True, capture_output=True)
    with Image.open(io.BytesIO(done.stdout)) as shown, Image.open(io.BytesIO(scan)) as image:
        assert apart(shown, image) < 4
        assert not done.stderr


@pytest.mark.parametrize("rotation", [90, 180])
@pytest.mark.parametrize("case", ["fax TIFF", "palette PNG", "JPEG 2000"])
def test_what_is_kept_as_it_came_is_turned_and_cut_by_its_placement(
    case: str, rotation: int, sheet: Image.Image
) -> None:
    frame = decoded(CASES[case](sheet), 0)
    picture = placed(picture_of(frame), rotation, (0.0, 0.5))
    half = frame.image.crop((0, 0, frame.image.width // 2, frame.image.height))
    turned = half.rotate(-rotation, expand=True)
    text = PageText(1, *turned.size, DPI)
    assert difference(joined(image_pdf([(text, picture)], "Page", None, MADE)), turned) < 4


def test_pixels_that_are_not_square_are_not_resampled_for_the_pdf(sheet: Image.Image) -> None:
    fax = bitonal(sheet).resize((WIDTH, HEIGHT // 2), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    fax.save(buffer, "TIFF", compression="group4", dpi=(200, 100), tiffinfo={278: fax.height})
    frame = decoded(buffer.getvalue(), 0)
    picture = picture_of(frame)
    assert frame.image.size == (WIDTH, 2 * (HEIGHT // 2))
    assert (picture.width, picture.height) == fax.size


def test_bits_of_a_fax_that_are_stored_the_other_way_round_are_turned(sheet: Image.Image) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[266] = 2
    tags[278] = HEIGHT
    file = file_of(bitonal(sheet), "TIFF", compression="group4", tiffinfo=tags)
    picture = picture_of(decoded(file, 0))
    assert picture.filter == "CCITTFaxDecode"
    assert difference(pdf_of(picture), bitonal(sheet)) < 4


@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16"])
def test_what_a_pdf_cannot_show_as_it_came_is_encoded(mode: str, sheet: Image.Image) -> None:
    picture = picture_of(decoded(file_of(sheet.convert(mode), "PNG"), 0))
    assert (picture.filter, picture.bits) == ("FlateDecode", 8)
