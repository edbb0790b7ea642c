"""Dates as archivists write them; what is not understood wholly is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.ocr.extreme_dates import extreme_dates


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("1949", ("1949", "1949")),
        ("1949-1963", ("1949", "1963")),
        ("1949\N{EN DASH}1963", ("1949", "1963")),
        ("1949 - 1963", ("1949", "1963")),
        ("1949 à 1963", ("1949", "1963")),
        ("[1949]-1963", ("1949", "1963")),
        ("1949-03", ("1949-03", "1949-03")),
        ("1949-03-02/1950-01-31", ("1949-03-02", "1950-01-31")),
        ("12/03/1949", ("1949-03-12", "1949-03-12")),
        ("03/1949-04/1950", ("1949-03", "1950-04")),
        ("12 janvier 1949", ("1949-01-12", "1949-01-12")),
        ("du 1er février 1949 au 31 décembre 1950", ("1949-02-01", "1950-12-31")),
        ("janv. 1949 - sept. 1950", ("1949-01", "1950-09")),
        ("1949-01 - 1949", ("1949-01", "1949")),
        ("1963-1949", ("", "")),
        ("vers 1949", ("", "")),
        ("1949 ?", ("", "")),
        ("s.d.", ("", "")),
        ("jui 1949", ("", "")),  # juin or juillet
        ("années 1950", ("", "")),
        ("1949, 1951, 1953", ("", "")),
        ("", ("", "")),
    ],
)
def test_dates(text: str, dates: tuple[str, str]) -> None:
    assert extreme_dates(text) == dates


@given(st.text(max_size=40))
def test_whatever_is_written_there_are_two_dates_or_none(text: str) -> None:
    first, last = extreme_dates(text)
    assert bool(first) == bool(last)
