"""PDFs that come in: pages, the text they have already, and when that text can be relied on."""

from pathlib import Path

import pytest

from repatria.ocr.pdf_input import PageFacts, count_pages, opened_page, text_is_good
from repatria.ocr.picture import UnreadablePageError
from repatria.ocr.words import Word
from tests.ocr.making import word

SENTENCE = [
    "Le",
    "ministre",
    "a",
    "visité",
    "les",
    "dispensaires",
    "de",
    "la",
    "région",
    "de",
    "Thiès",
    "en",
    "janvier",
]


def words(*texts: str) -> list[Word]:
    return [word(text) for text in texts]


def test_a_born_digital_text_is_good() -> None:
    assert text_is_good(words(*SENTENCE), 0.0)
    assert text_is_good(words("مستشفى", "دكار"), 0.0)
    assert text_is_good(words("Reçu", "n°", "12", "—", "€"), 0.1)


def test_no_text_is_not_good() -> None:
    assert not text_is_good([], 0.0)


def test_a_stamp_over_a_scan_is_not_the_text_of_the_scan() -> None:
    assert not text_is_good(words("Page", "1/3"), 1.0)
    assert text_is_good(words(*(SENTENCE * 2)), 1.0)


@pytest.mark.parametrize("garbage", ["\ufffd\ufffd\ufffd", "\ue001\ue002\ue003", "䴀甀氀琀椀挀漀氀漀爀"])
def test_garbage_of_broken_fonts_is_not_good(garbage: str) -> None:
    assert not text_is_good(words(*[garbage] * 40), 0.0)


@pytest.mark.parametrize(
    ("facts", "dpi"),
    [
        (PageFacts(595, 842, 300.0, 1.0), 300.0),
        (PageFacts(595, 842, 72.0, 1.0), 150.0),
        (PageFacts(595, 842, 1200.0, 1.0), 600.0),
        (PageFacts(595, 842, None, 0.0), 300.0),
    ],
)
def test_a_page_is_drawn_at_the_resolution_of_its_picture_within_reason(facts: PageFacts, dpi: float) -> None:
    assert facts.rendering_dpi == dpi


def test_a_huge_page_is_drawn_no_larger_than_memory_allows() -> None:
    facts = PageFacts(8400, 8400, 300.0, 1.0)
    assert (8400 / 72 * facts.rendering_dpi) ** 2 <= 120_000_001


def nasty(shared: Path, name: str) -> bytes:
    return (shared / "nasty" / f"pdf_{name}.pdf").read_bytes()


def test_a_password_that_is_needed_is_asked_for_by_name(shared: Path) -> None:
    with pytest.raises(UnreadablePageError, match="password"):
        count_pages(nasty(shared, "encrypted_aes256_user_password"))


def test_a_lock_against_change_is_no_obstacle_to_reading(shared: Path) -> None:
    with opened_page(nasty(shared, "encrypted_owner_only"), 0) as page:
        assert [each.text for each in page.words()][:3] == ["pdf", "encryption", "test"]


@pytest.mark.parametrize("name", ["header_then_eof"])
def test_a_pdf_without_pages_is_unreadable(shared: Path, name: str) -> None:
    with pytest.raises(UnreadablePageError):
        count_pages(nasty(shared, name))


def test_what_is_no_pdf_is_unreadable() -> None:
    with pytest.raises(UnreadablePageError):
        count_pages(b"<html>")


def test_a_page_that_is_not_there_is_unreadable(shared: Path) -> None:
    with pytest.raises(UnreadablePageError), opened_page(nasty(shared, "ccitt_g4"), 7):
        pass


def test_the_text_of_an_earlier_recognition_is_found_and_good(shared: Path) -> None:
    data = nasty(shared, "real_scan_already_ocred")
    assert count_pages(data) == 6
    with opened_page(data, 0) as page:
        found = page.words()
        assert page.facts.image_share > 0.9
    assert text_is_good(found, page.facts.image_share)
    assert {"SIEGE", "VICKSBURG."} <= {each.text for each in found}


def test_text_in_an_encoding_that_means_nothing_is_not_good(shared: Path) -> None:
    with opened_page(nasty(shared, "cmyk_image"), 0) as page:
        assert not text_is_good(page.words(), page.facts.image_share)


def test_arabic_whose_fonts_have_no_map_is_not_good(shared: Path) -> None:
    with opened_page(nasty(shared, "arabic_text"), 0) as page:
        assert not text_is_good(page.words(), page.facts.image_share)


def test_pixels_that_are_not_square_are_drawn_square(shared: Path) -> None:
    with opened_page(nasty(shared, "nonsquare_200x100dpi"), 0) as page:
        drawn = page.rendered(150.0)
    assert drawn.shape == (600, 750)


def test_a_page_with_nothing_on_it_is_white(shared: Path) -> None:
    with opened_page(nasty(shared, "page_without_contents"), 0) as page:
        assert page.words() == ()
        assert page.rendered(50.0).min() == 255


def test_a_gigapixel_page_is_drawn_small_instead_of_filling_memory(shared: Path) -> None:
    with opened_page(nasty(shared, "hugemono_35000x35000_jbig2"), 0) as page:
        assert page.facts.rendering_dpi < 100
