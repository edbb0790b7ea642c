"""ALTO 4.4: structure as its schema wants it, words with their places and confidence."""

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from repatria.ocr.alto import NAMESPACE, alto, language_tag
from repatria.ocr.words import PageText
from tests.ocr.making import word

MADE = datetime(2024, 1, 30, 8, 0, tzinfo=UTC)
PAGE = PageText(
    1,
    1000,
    800,
    200.0,
    words=(
        word("Épidémie", (100, 50, 300, 90), line=0, block=0, confidence=93.26),
        word("<de>", (320, 50, 380, 90), line=0, block=0, confidence=0.0),
        word("1949", (100, 120, 180, 160), line=1, block=0, confidence=100.0),
        word("Visa", (700, 50, 780, 90), line=2, block=1, confidence=None),
    ),
)


def parsed(*pages: PageText, languages: tuple[str, ...] = ("fra",), name: str = "scan.tif") -> ElementTree.Element:
    return ElementTree.fromstring(alto(pages, name, "tesseract 5.5", languages, MADE))  # noqa: S314 -- our own file


def tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def test_elements_stand_in_the_order_of_the_schema() -> None:
    root = parsed(PAGE)
    assert root.tag == tag("alto")
    assert root.get("SCHEMAVERSION") == "4.4"
    assert [child.tag for child in root] == [tag("Description"), tag("Layout")]
    assert [child.tag for child in root[0]] == [
        tag("MeasurementUnit"),
        tag("sourceImageInformation"),
        tag("Processing"),
    ]
    assert [child.tag for child in root[0][2]] == [
        tag("processingCategory"),
        tag("processingDateTime"),
        tag("processingStepSettings"),
        tag("processingSoftware"),
    ]
    assert root.findtext(f".//{tag('MeasurementUnit')}") == "pixel"
    assert root.findtext(f".//{tag('processingDateTime')}") == "2024-01-30T08:00:00+00:00"


def test_a_page_holds_blocks_of_lines_of_strings_with_spaces_between() -> None:
    page = parsed(PAGE).find(f".//{tag('Page')}")
    assert page is not None
    assert {name: page.get(name) for name in ("ID", "PHYSICAL_IMG_NR", "WIDTH", "HEIGHT", "LANG")} == {
        "ID": "page_1",
        "PHYSICAL_IMG_NR": "1",
        "WIDTH": "1000",
        "HEIGHT": "800",
        "LANG": "fr",
    }
    (space,) = page
    first, second = space
    assert [len(list(block)) for block in (first, second)] == [2, 1]
    assert [child.tag for child in first[0]] == [tag("String"), tag("SP"), tag("String")]


def test_a_word_has_its_text_place_and_confidence_from_0_to_1() -> None:
    strings = list(parsed(PAGE).iter(tag("String")))
    assert [string.get("CONTENT") for string in strings] == ["Épidémie", "<de>", "1949", "Visa"]
    assert [string.get("WC") for string in strings] == ["0.9326", "0.0000", "1.0000", None]
    assert {name: strings[0].get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")} == {
        "HPOS": "100",
        "VPOS": "50",
        "WIDTH": "200",
        "HEIGHT": "40",
    }


def test_identifiers_are_unique_over_all_pages() -> None:
    root = parsed(PAGE, PageText(2, 1000, 800, 200.0, words=PAGE.words))
    found = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(found) == len(set(found))
    assert len(list(root.iter(tag("Page")))) == 2


def test_places_never_leave_the_page() -> None:
    skewed = PageText(1, 400, 400, 200.0, skew=5.0, words=(word("coin", (-20, 380, 60, 420)),))
    string = next(parsed(skewed).iter(tag("String")))
    left, top, width, height = (int(string.get(name, "-1")) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    assert left >= 0
    assert top >= 0
    assert left + width <= 400
    assert top + height <= 400


def test_the_slope_of_lines_is_counter_clockwise_as_alto_counts() -> None:
    page = parsed(PageText(1, 10, 10, 100.0, skew=1.5)).find(f".//{tag('Page')}")
    assert page is not None
    assert page.get("ROTATION") == "-1.5"


def test_what_xml_cannot_hold_is_replaced() -> None:
    odd = PageText(1, 100, 100, 100.0, words=(word("a\x0cb\ufffe"),))
    assert next(parsed(odd, name="x\x01.tif").iter(tag("String"))).get("CONTENT") == "a\ufffdb\ufffd"


@pytest.mark.parametrize(("languages", "expected"), [(("fra",), "fr"), (("fra", "ara"), None), (("wol",), None)])
def test_a_language_is_named_where_there_is_one(languages: tuple[str, ...], expected: str | None) -> None:
    assert language_tag(languages) == expected
