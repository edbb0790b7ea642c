"""Missing pages are suspected where numbers leave a gap, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.ocr.numbering import Gap, gaps_in_names, gaps_in_print, printed_number


@pytest.mark.parametrize(
    ("names", "gaps"),
    [
        (["p-001", "p-002", "p-004", "p-005"], [Gap(2, 3, 3)]),
        (["p1", "p2", "p10", "p11", "p12"], []),  # seven missing of twelve: another numbering
        (["p1", "p2", "p3", "p4", "p7"], [Gap(4, 5, 6)]),
        (["p1", "p3"], []),
        (["lettre", "note", "plan"], []),
        (["a-1", "a-2", "a-3", "b-5", "b-6", "b-8"], [Gap(5, 7, 7)]),
        (["1958", "1959", "1990"], []),
    ],
)
def test_gaps_in_the_numbers_of_names(names: list[str], gaps: list[Gap]) -> None:
    assert list(gaps_in_names(names)) == gaps


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("- 12 -\nMonsieur le Ministre", 12),
        ("Monsieur le Ministre\nsuite\n12", 12),
        ("Page 7\ntexte", 7),
        ("f° 31 v°\ntexte", 31),
        ("3/14\ntexte", 3),
        ("12\ntexte\n12", 12),
        ("12\ntexte\n13", None),
        ("Le 12 janvier 1949\ntexte", None),
        ("", None),
        ("123456", None),
    ],
)
def test_the_number_printed_on_a_page(text: str, number: int | None) -> None:
    assert printed_number(text) == number


@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        ([1, 2, 3, 4], []),
        ([11, 12, 13, 16, 17], [Gap(3, 14, 15)]),
        ([11, None, 13, None, 17, 18], [Gap(4, 15, 16)]),
        ([1, 2, 8, 4, 5], []),  # one number misread
        ([1, 2, 9], []),  # nothing goes on from there
        ([1, 2, 3, 1, 2, 3], []),  # another document begins
        ([1, None, 2, None, 3, None, 4], []),  # folios: every other page
        ([1, None, 2, None, 5, None, 6], [Gap(4, 3, 4)]),
        ([1, 2, 300, 301], []),
        ([], []),
    ],
)
def test_gaps_in_the_numbers_printed_on_pages(numbers: list[int | None], gaps: list[Gap]) -> None:
    assert list(gaps_in_print(numbers)) == gaps


@given(st.lists(st.none() | st.integers(0, 9999), max_size=40))
def test_a_gap_lies_before_a_numbered_page_and_below_its_number(numbers: list[int | None]) -> None:
    for gap in gaps_in_print(numbers):
        number = numbers[gap.before]
        assert number is not None
        assert gap.first <= gap.last == number - 1


@given(st.integers(0, 9000), st.integers(2, 40))
def test_whole_series_have_no_gap(first: int, count: int) -> None:
    assert list(gaps_in_print(list(range(first, first + count)))) == []
    assert list(gaps_in_names([f"p{number}" for number in range(first, first + count)])) == []
