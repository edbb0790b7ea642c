"""The numbers that a run gives out, and sets of them."""

from hypothesis import given
from hypothesis import strategies as st

from repatria.work.numbering import NumberSet


@given(st.sets(st.integers(1, 5_000)), st.sets(st.integers(1, 5_000)))
def test_a_set_of_numbers_holds_what_was_added_and_nothing_else(some: set[int], others: set[int]) -> None:
    numbers = NumberSet()
    numbers.update(some)
    numbers.update(others)
    assert {number for number in range(6_000) if number in numbers} == some | others
    numbers.clear()
    assert not any(number in numbers for number in range(6_000))
