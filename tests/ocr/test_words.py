"""Words, lines and where they stand on a page that is not straight."""

from hypothesis import given
from hypothesis import strategies as st

from repatria.ocr.words import Box, PageText, hull
from tests.ocr.making import word

PAGE = PageText(
    1,
    1000,
    800,
    200.0,
    words=(
        word("Monsieur", (10, 10, 90, 30), line=0, block=0, confidence=90.0),
        word("le", (100, 10, 120, 30), line=0, block=0, confidence=80.0),
        word("Préfet", (10, 40, 80, 60), line=1, block=0, confidence=70.0),
        word("Visa", (700, 10, 760, 30), line=2, block=1, confidence=None),
    ),
)


def test_lines_are_lines_and_blocks_are_parted_by_an_empty_line() -> None:
    assert PAGE.text == "Monsieur le\nPréfet\n\nVisa\n"


def test_a_page_without_words_has_no_text() -> None:
    empty = PageText(1, 10, 10, 100.0)
    assert empty.text == ""
    assert empty.confidence is None
    assert list(empty.blocks()) == []


def test_confidence_is_the_mean_of_words_that_have_one() -> None:
    assert PAGE.confidence == 80.0


def test_a_straight_page_shows_boxes_where_they_are() -> None:
    box = Box(10, 20, 30, 40)
    assert PAGE.shown_box(box) == box


def test_a_skewed_page_shows_its_right_side_lower() -> None:
    skewed = PageText(1, 1000, 800, 200.0, skew=3.0)
    left = skewed.shown_box(Box(100, 400, 120, 410))
    right = skewed.shown_box(Box(900, 400, 920, 410))
    assert right.top > left.top + 35


@given(st.floats(-6, 6), st.floats(0, 1000), st.floats(0, 800))
def test_turning_by_the_skew_keeps_the_distance_from_the_middle(skew: float, x: float, y: float) -> None:
    shown = PageText(1, 1000, 800, 200.0, skew=skew).shown_point(x, y)
    before, after = ((x - 500) ** 2 + (y - 400) ** 2), ((shown[0] - 500) ** 2 + (shown[1] - 400) ** 2)
    assert abs(before - after) < 1e-3 * max(1.0, before)


@given(st.lists(st.tuples(*[st.integers(0, 100)] * 4), min_size=1, max_size=8))
def test_the_hull_holds_every_box(corners: list[tuple[int, int, int, int]]) -> None:
    boxes = [Box(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    whole = hull(boxes)
    assert all(
        whole.left <= box.left and whole.top <= box.top and whole.right >= box.right and whole.bottom >= box.bottom
        for box in boxes
    )
