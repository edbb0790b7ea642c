"""What a PDF stores of a picture: the same pixels in no more bytes than the scan has."""

import io
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, TiffImagePlugin

from repatria.ocr.encoding import Picture
from repatria.ocr.memory import joined
from repatria.ocr.pdf_archival import image_pdf
from repatria.ocr.pdf_input import opened_page
from repatria.ocr.picture import decoded, picture_of, placed
from repatria.ocr.words import Box, PageText, Word

MADE = datetime(2026, 1, 31, tzinfo=UTC)
WIDTH, HEIGHT = 1654, 2339
"""A4 at 200 dpi."""
WITHOUT_PICTURE = 5 << 10
"""Bytes of a one-page PDF/A: font, colour profile, metadata, tables."""


@pytest.fixture(scope="module")
def sheet() -> Image.Image:
    """Return a page of text as a scanner gives it: grey, with noise in its paper."""
    image = Image.new("L", (WIDTH, HEIGHT), 235)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(30)
    chance = np.random.default_rng(1)
    for line in range(45):
        text = "".join(chance.choice(list("abcdefghilmnopqrstuv     "), 85))
        draw.text((150, 150 + 45 * line), text, fill=20, font=font)
    noise = chance.normal(0, 4, (HEIGHT, WIDTH))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def bitonal(sheet: Image.Image) -> Image.Image:
    return sheet.point(lambda value: 255 if value > 128 else 0).convert("1")


def file_of(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, dpi=(200, 200), **options)
    return buffer.getvalue()


def one_strip(image: Image.Image, compression: str, **options: object) -> bytes:
    return file_of(image, "TIFF", compression=compression, tiffinfo={278: image.height}, **options)


def pdf_of(picture: Picture, words: int = 400) -> bytes:
    placed = tuple(
        Word("rougeole", Box(x := 150 + 30 * (n % 45), y := 150 + 45 * (n // 10), x + 25, y + 30), 90.0, n // 10, 0)
        for n in range(words)
    )
    return joined(image_pdf([(PageText(1, WIDTH, HEIGHT, 200.0, skew=0.4, words=placed), picture)], "Page", "fr", MADE))


def difference(pdf: bytes, image: Image.Image) -> float:
    """Return by how much, of 255, a page differs from a picture in the mean, both made small."""
    with opened_page(pdf, 0) as page:
        shown = page.picture(200.0).convert("L")
    assert abs(shown.width - image.width) <= 1
    assert abs(shown.height - image.height) <= 1
    small = (image.width // 8, image.height // 8)
    one, other = (np.asarray(each.convert("L").resize(small, Image.Resampling.BOX)) for each in (shown, image))
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
    "JPEG 2000": lambda sheet: file_of(sheet, "JPEG2000", quality_mode="rates", quality_layers=[12]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_pdf_is_hardly_larger_than_the_scan_and_shows_the_same(case: str, sheet: Image.Image) -> None:
    """By 5 % at most; a fax of less than 100 KiB by what a PDF/A is without any picture."""
    scan = CASES[case](sheet)
    frame = decoded(scan, 0)
    pdf = pdf_of(picture_of(frame))
    assert len(pdf) <= max(1.05 * len(scan), len(scan) + WITHOUT_PICTURE), f"{len(scan)} -> {len(pdf)}"
    assert difference(pdf, frame.image) < 4


@pytest.mark.parametrize("rotation", [90, 180])
@pytest.mark.parametrize("case", ["fax TIFF", "palette PNG", "JPEG 2000"])
def test_what_is_kept_as_it_came_is_turned_and_cut_by_its_placement(
    case: str, rotation: int, sheet: Image.Image
) -> None:
    frame = decoded(CASES[case](sheet), 0)
    picture = placed(picture_of(frame), rotation, (0.0, 0.5))
    half = frame.image.crop((0, 0, frame.image.width // 2, frame.image.height))
    turned = half.rotate(-rotation, expand=True)
    text = PageText(1, *turned.size, 200.0)
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
    plain = picture_of(decoded(one_strip(bitonal(sheet), "group4"), 0))
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[266] = 2
    tags[278] = HEIGHT
    mirrored = picture_of(decoded(file_of(bitonal(sheet), "TIFF", compression="group4", tiffinfo=tags), 0))
    assert mirrored.data == plain.data


@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16"])
def test_what_a_pdf_cannot_show_as_it_came_is_encoded(mode: str, sheet: Image.Image) -> None:
    picture = picture_of(decoded(file_of(sheet.convert(mode), "PNG"), 0))
    assert (picture.filter, picture.bits) == ("FlateDecode", 8)
