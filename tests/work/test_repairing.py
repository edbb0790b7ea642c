"""Which volumes were repaired, as the audit log holds it."""

from hypothesis import given
from hypothesis import strategies as st

from repatria.work.repairing import Repaired, parse_volumes, volumes_text


@given(st.frozensets(st.integers(1, 1 << 40), max_size=30))
def test_volumes_come_back_as_they_were_written(volumes: frozenset[int]) -> None:
    assert parse_volumes(volumes_text(volumes)) == volumes


def test_volumes_that_follow_each_other_are_written_as_one_span() -> None:
    assert volumes_text({9, 2, 5, 6, 7, 8}) == "2,5-9"
    assert volumes_text(None) == "all"
    assert parse_volumes("all") is None


def test_what_is_no_list_of_volumes_covers_nothing() -> None:
    for text in ("", "x", "1-x", "2;3"):
        assert parse_volumes(text) == frozenset()
    assert not Repaired("", volumes=parse_volumes("")).covers({1})


def test_repairs_add_up() -> None:
    first = Repaired("2026-01-01T00:00:00Z", frozenset({"b"}), frozenset({2}))
    both = Repaired("2026-01-02T00:00:00Z", frozenset({"c"}), frozenset({3})).after(first)
    assert both == Repaired("2026-01-02T00:00:00Z", frozenset({"b", "c"}), frozenset({2, 3}))
    assert both.covers({2, 3})
    assert not both.covers({2, 4})
    assert Repaired("", volumes=None).after(first).covers({99})
