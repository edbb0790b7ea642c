"""Searchable PDFs: what PDF/A wants is there, and words lie where they are seen."""

import io
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject

from repatria.ocr.encoding import Picture
from repatria.ocr.invisible_font import CharacterCodes, font_program
from repatria.ocr.memory import joined
from repatria.ocr.pdf_archival import image_pdf
from repatria.ocr.pdf_input import opened_page
from repatria.ocr.pdf_layered import layered_pdf
from repatria.ocr.picture import decoded, picture_of
from repatria.ocr.text_layer import ToUserSpace, operators
from repatria.ocr.words import Box, PageText, Word
from tests.ocr.making import encoded, page, word

MADE = datetime(2024, 1, 30, 8, 0, tzinfo=UTC)
WORDS = (
    word("Épidémie", (100, 200, 400, 260), line=0),
    word("œuvre", (430, 200, 600, 260), line=0),
    word("1949", (100, 320, 260, 380), line=1),
)


def page_text(number: int = 1, **facts: object) -> PageText:
    values = {"width": 1240, "height": 620, "dpi": 150.0, "words": WORDS, **facts}
    return PageText(number, **values)  # type: ignore[arg-type]  # facts are PageText's own


def picture(form: str = "PNG", mode: str = "L") -> Picture:
    return picture_of(decoded(encoded(page().convert(mode), form), 0))


def pdf_of(*pages: tuple[PageText, Picture | None]) -> bytes:
    return joined(image_pdf(pages, "Registre <1949> & suite", "fr", MADE))


def laid(original: bytes, pages: list[PageText]) -> bytes:
    pieces = layered_pdf(original, pages)
    assert pieces is not None
    return joined(pieces)


def boxes_in(pdf: bytes, dpi: float, index: int = 0) -> dict[str, Box]:
    """Return the words that a reader finds, in pixels of the shown page."""
    with opened_page(pdf, index) as opened:
        return {each.text: scaled(each.box, dpi / 200) for each in opened.words()}


def scaled(box: Box, factor: float) -> Box:
    return Box(box.left * factor, box.top * factor, box.right * factor, box.bottom * factor)


def overlap(one: Box, other: Box) -> float:
    """Return intersection over union."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (one.width * one.height + other.width * other.height - shared)


def assert_words_lie_where_they_are_seen(pdf: bytes, text: PageText, index: int = 0) -> None:
    found = boxes_in(pdf, text.dpi, index)
    assert set(found) == {each.text for each in text.words}
    for each in text.words:
        assert overlap(found[each.text], text.shown_box(each.box)) > 0.85, each.text


@pytest.mark.parametrize(
    ("form", "mode", "filters"),
    [("JPEG", "RGB", "/DCTDecode"), ("TIFF", "1", ["/FlateDecode", "/CCITTFaxDecode"]), ("PNG", "L", "/FlateDecode")],
)
def test_a_page_is_its_picture_and_its_words(form: str, mode: str, filters: str | list[str]) -> None:
    made = pdf_of((page_text(), picture(form, mode)))
    reader = PdfReader(io.BytesIO(made))
    image = reader.pages[0]["/Resources"]["/XObject"]["/Picture"]  # type: ignore[index]  # pypdf's objects are untyped
    assert image["/Filter"] == filters
    assert float(reader.pages[0].mediabox.width) == pytest.approx(1240 * 72 / 150)
    assert_words_lie_where_they_are_seen(made, page_text())


@pytest.mark.parametrize(("form", "mode"), [("JPEG", "L"), ("TIFF", "1"), ("PNG", "RGB")])
def test_the_picture_is_shown_as_it_was(form: str, mode: str) -> None:
    made = pdf_of((page_text(), picture(form, mode)))
    with opened_page(made, 0) as opened:
        shown = opened.rendered(150.0)
    ink = (shown < 128).mean()
    expected = sum(1 for pixel in page().tobytes() if pixel < 128) / (1240 * 620)
    assert ink == pytest.approx(expected, rel=0.15)


def test_it_says_that_it_is_pdf_a_2b() -> None:
    reader = PdfReader(io.BytesIO(pdf_of((page_text(), picture()))))
    root = reader.root_object
    xmp = root["/Metadata"].get_data().decode()  # type: ignore[attr-defined]  # a stream
    assert "<pdfaid:part>2</pdfaid:part>" in xmp
    assert "<pdfaid:conformance>B</pdfaid:conformance>" in xmp
    assert "Registre &lt;1949&gt; &amp; suite" in xmp
    assert reader.metadata is not None
    assert reader.metadata.title == "Registre <1949> & suite"
    assert reader.metadata.creation_date == MADE
    assert "2024-01-30T08:00:00+00:00" in xmp
    intent = root["/OutputIntents"][0]  # type: ignore[index]  # see above
    assert intent["/S"] == "/GTS_PDFA1"
    profile = intent["/DestOutputProfile"].get_data()
    assert profile[36:40] == b"acsp"
    assert profile[16:20] == b"RGB "
    assert int.from_bytes(profile[:4]) == len(profile)
    assert str(root["/Lang"]) == "fr"
    assert "/Encrypt" not in reader.trailer
    assert len(reader.trailer["/ID"]) == 2  # type: ignore[arg-type]  # see above


def test_no_word_refers_to_glyph_0_and_widths_agree() -> None:
    reader = PdfReader(io.BytesIO(pdf_of((page_text(), picture()))))
    font = next(iter(reader.pages[0]["/Resources"]["/Font"].values())).get_object()  # type: ignore[index]  # see above
    descendant = font["/DescendantFonts"][0].get_object()
    assert descendant["/DW"] == 500
    glyphs = descendant["/CIDToGIDMap"].get_data()
    content = reader.pages[0].get_contents()
    assert content is not None
    shown = b"".join(re.findall(rb"\(([^()]+)\)Tj", content.get_data()))
    assert shown
    assert max(shown) < 0xE0  # a byte each, which is the glyph's number
    assert all(glyphs[2 * code : 2 * code + 2] == b"\x00\x01" for code in shown)


def test_pages_without_words_or_picture_are_pages_all_the_same() -> None:
    made = pdf_of((page_text(words=()), picture()), (page_text(2, flags=("failed",), words=()), None))
    assert len(PdfReader(io.BytesIO(made)).pages) == 2


def test_a_page_beyond_what_pdf_allows_is_made_smaller() -> None:
    made = pdf_of((page_text(width=300_000, dpi=70.0), None))
    assert float(PdfReader(io.BytesIO(made)).pages[0].mediabox.width) <= 14_400.1


@pytest.mark.parametrize("skew", [-3.0, 2.2])
def test_words_of_a_skewed_page_are_whole_and_follow_the_slope(skew: float) -> None:
    text = page_text(skew=skew)
    found = boxes_in(pdf_of((text, picture())), text.dpi)
    assert set(found) == {"Épidémie", "œuvre", "1949"}
    for each in text.words:
        middle = text.shown_point((each.box.left + each.box.right) / 2, (each.box.top + each.box.bottom) / 2)
        box = found[each.text]
        assert box.left < middle[0] < box.right
        assert box.top < middle[1] < box.bottom


def test_a_speck_read_as_a_tall_letter_does_not_stretch_its_line() -> None:
    words = (*WORDS[:2], word("|", (700, 0, 720, 600), line=0))
    text = page_text(words=words)
    assert_words_lie_where_they_are_seen(pdf_of((text, picture())), text)


def test_arabic_is_found_in_logical_order() -> None:
    words = (word("مستشفى", (500, 200, 700, 260), line=0), word("دكار", (300, 200, 470, 260), line=0))
    made = pdf_of((page_text(words=words), picture()))
    assert set(boxes_in(made, 150.0)) == {"مستشفى", "دكار"}


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="pdftotext (poppler-utils) is not installed")
def test_another_reader_finds_the_same_words_at_the_same_places(tmp_path: Path) -> None:
    text = page_text(skew=1.5)
    file = tmp_path / "page.pdf"
    file.write_bytes(pdf_of((text, picture())))
    printed = subprocess.run(["pdftotext", "-bbox", file, "-"], check=True, capture_output=True, text=True).stdout
    pattern = r'xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)<'
    found = {found[4]: Box(*map(float, found[:4])) for found in re.findall(pattern, printed)}
    assert set(found) == {"Épidémie", "œuvre", "1949"}
    for each in text.words:
        assert overlap(scaled(found[each.text], 150 / 72), text.shown_box(each.box)) > 0.7


@pytest.mark.skipif(not shutil.which("qpdf"), reason="qpdf is not installed")
def test_qpdf_finds_nothing_wrong(tmp_path: Path) -> None:
    file = tmp_path / "page.pdf"
    file.write_bytes(pdf_of((page_text(), picture("TIFF", "1")), (page_text(2), picture("JPEG"))))
    subprocess.run(["qpdf", "--check", file], check=True, capture_output=True)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("corner", [(0.0, 0.0), (30.0, -50.0)])
def test_words_are_laid_into_a_pdf_however_its_pages_are_cropped_and_turned(
    rotation: int, corner: tuple[float, float]
) -> None:
    left, bottom = corner
    width, height = (400.0, 200.0) if rotation % 180 == 0 else (200.0, 400.0)
    writer = PdfWriter()
    blank = writer.add_blank_page(700, 700)
    for box in (blank.mediabox, blank.cropbox):
        box.lower_left, box.upper_right = (left, bottom), (left + width, bottom + height)
    blank.rotate(rotation)
    buffer = io.BytesIO()
    writer.write(buffer)
    text = PageText(
        1, 800, 400, 144.0, words=(word("visible", (100, 100, 300, 140)), word("bas", (600, 340, 700, 380), line=1))
    )
    made = laid(buffer.getvalue(), [text])
    assert_words_lie_where_they_are_seen(made, text)


def test_a_page_that_lay_on_its_side_is_turned_in_the_pdf() -> None:
    original = pdf_of((page_text(words=()), picture()))
    text = PageText(1, 620, 1240, 150.0, rotation=90, words=(word("haut", (50, 50, 200, 110)),))
    made = laid(original, [text])
    with opened_page(made, 0) as opened:
        assert opened.facts.height > opened.facts.width
    assert_words_lie_where_they_are_seen(made, text)


def test_a_pdf_that_needs_no_words_stays_as_it_is() -> None:
    original = pdf_of((page_text(), picture()))
    assert layered_pdf(original, [page_text(flags=("text-layer",))]) == [original]
    assert layered_pdf(original, [page_text(words=())]) == [original]


def test_only_the_pages_that_were_read_get_words() -> None:
    original = pdf_of((page_text(words=()), picture()), (page_text(2, words=()), picture()))
    made = laid(original, [page_text(flags=("text-layer",)), page_text(2)])
    assert boxes_in(made, 150.0, 0) == {}
    assert set(boxes_in(made, 150.0, 1)) == {"Épidémie", "œuvre", "1949"}


def test_fax_coding_in_a_pdf_that_came_in_pays_for_the_words(shared: Path) -> None:
    original = (shared / "nasty" / "pdf_ccitt_g4.pdf").read_bytes()
    made = laid(original, [PageText(1, 2550, 3300, 300.0, words=WORDS)])
    assert len(made) < len(original)
    with opened_page(original, 0) as before, opened_page(made, 0) as after:
        assert (before.rendered(100.0) == after.rendered(100.0)).all()
    image = next(iter(PdfReader(io.BytesIO(made)).pages[0].images))
    assert image.image is not None
    assert image.image.size == (2550, 3300)


def test_what_pypdf_cannot_open_gets_no_words() -> None:
    assert layered_pdf(b"%PDF-1.7\nnothing more", [page_text()]) is None


def test_pages_that_share_their_resources_each_keep_their_own_fonts() -> None:
    writer = PdfWriter()
    shared = writer._add_object(DictionaryObject())
    for _number in range(2):
        writer.add_blank_page(595.2, 297.6)[NameObject("/Resources")] = shared
    buffer = io.BytesIO()
    writer.write(buffer)
    made = laid(buffer.getvalue(), [page_text(words=()), page_text(2)])
    assert boxes_in(made, 150.0, 0) == {}


@given(st.text(min_size=1, max_size=40))
def test_codes_and_the_map_to_unicode_are_inverse(text: str) -> None:
    codes = CharacterCodes()
    shown = [codes.encode(character) for character in text]
    table = {bytes([code]): chr(code) for code in range(0x20, 0x7F)} | {
        bytes.fromhex(code.decode()): bytes.fromhex(character.decode()).decode("utf-16-be", "replace")
        for code, character in re.findall(rb"(?m)^<([0-9a-f]{2}|[0-9a-f]{4})> <([0-9a-f]{4,})>$", codes.to_unicode())
    }
    expected = [character if not 0xD800 <= ord(character) < 0xE000 else "?" for character in text]
    assert [table[code] for code in shown] == expected


def test_readers_find_every_character_of_a_document_of_many_scripts(tmp_path: Path) -> None:
    """As many as need codes of two bytes, more than one first byte of them."""
    letters = [chr(code) for code in range(0x4E00, 0x4E00 + 500)]
    words = tuple(
        word("a\\(é)" + "".join(letters[place : place + 10]), (100, 20 * row, 700, 20 * row + 15), line=row)
        for row, place in enumerate(range(0, len(letters), 10), 1)
    )
    text = page_text(height=1240, words=words)
    made = pdf_of((text, None))
    assert [each.text for each in opened_words(made)] == [each.text for each in words]
    if shutil.which("pdftotext"):
        file = tmp_path / "page.pdf"
        file.write_bytes(made)
        printed = subprocess.run(["pdftotext", file, "-"], check=True, capture_output=True, text=True).stdout
        assert printed.split() == [each.text for each in words]


def opened_words(pdf: bytes) -> tuple[Word, ...]:
    with opened_page(pdf, 0) as opened:
        return opened.words()


def test_a_character_beyond_all_codes_is_left_out() -> None:
    codes = CharacterCodes()
    beyond = "".join(map(chr, range(0x10000, 0x10000 + 8500)))
    assert len(codes.encode(beyond)) < 2 * 8500
    assert codes.encode(beyond[-1]) == b""
    assert codes.encode("a") == b"a"


def test_the_font_is_whole() -> None:
    font = font_program()
    count = int.from_bytes(font[4:6])
    tags = set()
    for entry in range(count):
        record = font[12 + 16 * entry : 28 + 16 * entry]
        tag, checksum, offset, length = record[:4], *(int.from_bytes(record[at : at + 4]) for at in (4, 8, 12))
        data = bytearray(font[offset : offset + length])
        assert len(data) == length
        if tag == b"head":
            data[8:12] = bytes(4)
        padded = bytes(data) + bytes(-len(data) % 4)
        assert sum(int.from_bytes(padded[at : at + 4]) for at in range(0, len(padded), 4)) & 0xFFFFFFFF == checksum
        tags.add(tag)
    assert {b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp", b"cmap", b"post"} == tags
    assert sum(int.from_bytes(font[at : at + 4]) for at in range(0, len(font), 4)) & 0xFFFFFFFF == 0xB1B0AFBA


def test_a_page_without_words_has_no_operators() -> None:
    assert operators(page_text(words=()), ToUserSpace.of_image(620, 150.0), CharacterCodes()) == b""
