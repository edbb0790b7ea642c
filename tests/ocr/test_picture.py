"""Image files as scanners leave them: shown upright, square, without clipping; embedded as they came."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repatria.ocr import picture
from repatria.ocr.picture import UnreadablePageError, decoded, frames_of, grey_of, picture_of, placed
from tests.ocr.making import encoded, page

MARKED = Image.new("RGB", (60, 40), "white")
MARKED.paste((200, 0, 0), (0, 0, 20, 10))
"""Red in the upper left corner."""

EXIF_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What was done to a picture so that its orientation tag undoes it."""


def with_orientation(number: int, form: str, **options: object) -> bytes:
    tags = Image.Exif()
    tags[274] = number
    return encoded(MARKED.transpose(EXIF_TURNS[number]), form, exif=tags, **options)


def is_marked(image: Image.Image, x: int, y: int) -> bool:
    """Tell whether a pixel is red; of what is decoded in grey, as dark as red is."""
    red, green, blue = np.asarray(image.convert("RGB"))[y, x]
    return bool(green < 80 and blue < 80 and (red > 150 or image.mode == "L"))


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("number", EXIF_TURNS)
def test_a_picture_is_shown_as_its_orientation_says(number: int, form: str) -> None:
    options = {"quality": 95, "subsampling": 0} if form == "JPEG" else {}
    frame = decoded(with_orientation(number, form, **options), 0)
    assert frame.image.size == (60, 40)
    assert is_marked(frame.image, 5, 5)
    assert not is_marked(frame.image, 50, 35)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("number", [1, *EXIF_TURNS])
def test_a_placement_shows_the_stored_picture_upright(number: int, rotation: int) -> None:
    """The corner that is red when shown upright and then turned is where the placement sends the stored red corner."""
    stored = MARKED if number == 1 else MARKED.transpose(EXIF_TURNS[number])
    pixels = np.asarray(stored.convert("RGB"))
    down, across = np.argwhere((pixels[:, :, 0] > 150) & (pixels[:, :, 1] < 60)).mean(axis=0)
    u, v = across / stored.width, down / stored.height
    file = with_orientation(number, "PNG") if number > 1 else encoded(MARKED)
    a, b, c, d, e, f = placed(picture_of(decoded(file, 0)), rotation).placement
    x, y = a * u + c * v + e, b * u + d * v + f
    corner = {0: (0, 0), 90: (1, 0), 180: (1, 1), 270: (0, 1)}[rotation]
    assert math.dist((x, y), corner) < 0.35


def test_a_jpeg_is_embedded_as_it_came() -> None:
    file = encoded(page(), "JPEG", quality=80)
    made = picture_of(decoded(file, 0))
    assert (made.data.read(), made.filter, made.colours) == (file, "DCTDecode", "DeviceGray")


def test_two_colours_become_g4() -> None:
    made = picture_of(decoded(encoded(page().convert("1"), "TIFF"), 0))
    assert (made.filter, made.bits, made.width) == ("CCITTFaxDecode", 1, 1240)
    assert made.data.size < 20_000


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "CMYK", "L", "RGB"])
def test_anything_else_is_embedded_without_loss(mode: str) -> None:
    form = "TIFF" if mode == "CMYK" else "PNG"
    made = picture_of(decoded(encoded(page().convert(mode), form), 0))
    assert made.filter == "FlateDecode"
    assert made.colours in ("DeviceGray", "DeviceRGB", "Indexed")


def test_transparent_paper_is_white() -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert grey_of(decoded(encoded(clear), 0).image).min() == 255


@pytest.mark.parametrize("top", [4095, 65_535])
def test_deep_grey_is_scaled_not_clipped(top: int) -> None:
    ramp = np.linspace(0, top, 100 * 100).reshape(100, 100).astype(np.uint16)
    grey = grey_of(decoded(encoded(Image.fromarray(ramp), "TIFF"), 0).image)
    assert grey.min() == 0
    assert grey.max() >= 254
    assert 120 < grey.mean() < 135


def test_fax_pixels_become_square() -> None:
    frame = decoded(encoded(page(), "TIFF", dpi=(204, 98)), 0)
    assert frame.dpi == pytest.approx(204, abs=0.5)
    assert frame.image.size == (1240, round(620 * 204 / 98))


@pytest.mark.parametrize("dpi", [None, (72, 72), (1, 1), (9600, 9600)])
def test_a_resolution_that_no_scanner_has_is_not_believed(dpi: tuple[int, int] | None) -> None:
    frame = decoded(encoded(page(), "PNG", **({"dpi": dpi} if dpi else {})), 0)
    assert not frame.dpi_known
    assert frame.dpi == pytest.approx(1240 / picture.A4_INCHES)


def test_every_frame_of_a_tiff_is_a_page_but_its_thumbnails() -> None:
    first, second = page(), page(["Deux"])
    thumbnail = page(["x"], width=100, height=50)
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    file = encoded(first, "TIFF", save_all=True, append_images=[thumbnail, second])
    assert frames_of(file) == [0, 2]


def test_jpeg_2000_is_read() -> None:
    assert decoded(encoded(page(), "JPEG2000"), 0).image.size == (1240, 620)


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "MAX_PIXELS", 1000)
    with pytest.raises(UnreadablePageError, match="1240 x 620"):
        decoded(encoded(page()), 0)


@pytest.mark.parametrize("keep", [0, 3, 100, 2000])
def test_a_file_cut_short_is_unreadable_not_half_read(keep: int) -> None:
    with pytest.raises(UnreadablePageError):
        decoded(encoded(page(), "JPEG")[:keep], 0)


@pytest.mark.parametrize(
    "name",
    [
        "img_truncated.jpg",
        "img_decompression_bomb.gif",
        "tif_oom.tif",
        "tif_libtiff_segfault.tif",
        "derived_zero_bytes.tif",
    ],
)
def test_hostile_images_are_unreadable(shared: Path, name: str) -> None:
    data = (shared / "nasty" / name).read_bytes()
    with pytest.raises(UnreadablePageError):
        [decoded(data, number) for number in frames_of(data)]


def test_a_loop_of_tiff_frames_ends(shared: Path) -> None:
    assert len(frames_of((shared / "nasty" / "tif_ifd_loop.tiff").read_bytes())) < 10


def test_a_tiff_that_lies_on_its_side_is_shown_upright(shared: Path) -> None:
    frame = decoded((shared / "nasty" / "tif_g4_orientation6.tif").read_bytes(), 0)
    assert frame.image.width > frame.image.height


def test_sixteen_bit_grey_is_not_white(shared: Path) -> None:
    grey = grey_of(decoded((shared / "nasty" / "tif_16bit_gray.tif").read_bytes(), 0).image)
    assert grey.mean() < 100
    assert grey.std() > 1


def test_the_decoder_does_not_keep_the_file_open() -> None:
    stream = io.BytesIO(encoded(page()))
    assert decoded(stream.getvalue(), 0).image.getpixel((0, 0)) == 255


def test_what_is_wrong_is_said_in_words_whatever_a_decoder_says() -> None:
    with (
        pytest.raises(UnreadablePageError, match=r"The image is damaged inside\."),
        picture.opened(encoded(MARKED, "PNG")),
    ):
        raise KeyError(320)
