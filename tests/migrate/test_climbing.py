"""How many reads run at once: it climbs while that pays, settles, and steps back when that costs nothing."""

import pytest

from repatria.migrate.climbing import (
    ANSWERS_TOLD,
    FEWEST,
    FIRST,
    FIRST_NEARBY,
    FIRST_RANGE,
    LARGEST_RANGE,
    MOST,
    NEARBY,
    PATIENT_INTERVALS,
    SMALLEST_RANGE,
    Climb,
    Stride,
)


def link(rate: float, each: float) -> "dict[str, float]":
    return {"rate": rate, "each": each}


def throughput(knobs: "dict[str, float]", reads: int) -> float:
    return min(knobs["rate"], knobs["each"] * reads)


@pytest.mark.parametrize(
    ("knobs", "enough"),
    [
        pytest.param(link(25e6, 1e6), 25, id="long and thin: one connection is a 25th of it"),
        pytest.param(link(2.5e6, 0.5e6), 5, id="thinner still"),
        pytest.param(link(1e9, 1e9), 1, id="a disk"),
    ],
)
def test_it_fills_the_link(knobs: "dict[str, float]", enough: int) -> None:
    climb = Climb()
    for _interval in range(10):
        climb.measured(throughput(knobs, climb.allowed), busy=True)
    assert climb.allowed >= enough


def test_it_stops_climbing_where_more_reads_bring_nothing() -> None:
    climb = Climb()
    for _interval in range(10):
        climb.measured(throughput(link(20e6, 1e6), climb.allowed), busy=True)
    assert climb.allowed == 32


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param([0.1, NEARBY / 4, 0.1, 0.1], FIRST_NEARBY, id="nearby"),
        pytest.param([0.1, 0.11, 0.1, 0.1, NEARBY / 4], FIRST, id="from afar"),
        pytest.param([NEARBY / 4] * (ANSWERS_TOLD - 1), FIRST, id="not told yet"),
    ],
)
def test_nearby_it_goes_on_with_few(answers: list[float], expected: int) -> None:
    climb = Climb()
    for waited in answers:
        climb.answered(waited)
    assert climb.allowed == expected


def test_what_was_measured_counts_more_than_how_long_an_answer_takes() -> None:
    climb = Climb()
    climb.measured(1e9, busy=True)
    for _answer in range(ANSWERS_TOLD):
        climb.answered(0.0)
    assert climb.allowed == 2 * FIRST


def test_when_small_objects_follow_large_ones_it_climbs_at_once() -> None:
    climb = Climb()
    for _interval in range(10):
        climb.measured(throughput(link(20e6, 1e6), climb.allowed), busy=True)
    climb.measured(climb.allowed * 50_000, busy=True)
    assert climb.allowed == 64


def test_an_interval_with_too_little_to_do_says_nothing() -> None:
    climb = Climb()
    assert climb.measured(1.0, busy=False) == FIRST
    assert climb.measured(100.0, busy=False) == FIRST


def test_it_halves_when_pushed_back_and_tries_again_later() -> None:
    climb = Climb(allowed=32)
    assert climb.pushed_back(climb.allowed) == 16
    for _interval in range(PATIENT_INTERVALS):
        climb.measured(1e6, busy=True)
    assert climb.allowed == 32


def test_it_halves_what_ran_where_less_ran_than_was_allowed() -> None:
    assert Climb(allowed=32).pushed_back(12) == 6


def hashing(reads: int) -> float:
    """Return the bytes a second of a service that hashes a whole file for each answer: its processors are the limit."""
    return 15e6 / (1 + reads / 1000)  # and they lose a little by doing more at a time


def test_of_a_service_that_ponders_ever_fewer_are_asked_as_long_as_that_costs_nothing() -> None:
    climb = Climb()
    for _interval in range(6):
        climb.measured(hashing(climb.allowed), busy=True, ponders=True)
    assert climb.allowed == FEWEST


def test_of_a_service_that_ponders_each_answer_for_as_long_many_are_asked() -> None:
    climb, seen = Climb(), list[int]()
    for _interval in range(12):
        seen.append(climb.measured(climb.allowed * 100e3, busy=True, ponders=True))
    assert seen[0] == FIRST // 2
    assert climb.allowed == MOST


def test_gusts_do_not_make_it_climb_for_good() -> None:
    """A service that brings 15 MB/s whatever is asked, measured a tenth too low or too high."""
    climb = Climb()
    for interval in range(60):
        climb.measured(15e6 * (0.95, 1.0, 1.05)[interval % 3], busy=True, ponders=True)
        assert climb.allowed <= FIRST
    assert climb.allowed <= 2 * FEWEST


def test_it_never_goes_below_the_fewest() -> None:
    climb = Climb(allowed=FEWEST)
    assert climb.pushed_back(climb.allowed) == FEWEST


def test_it_never_goes_above_the_most_when_pushed_back() -> None:
    climb = Climb(allowed=1, most=1)
    assert climb.pushed_back(1) == 1


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        pytest.param(50e3, SMALLEST_RANGE, id="a slow link"),
        pytest.param(1.5e6, 512 << 10, id="one of many connections"),
        pytest.param(2e9, LARGEST_RANGE, id="a disk"),
    ],
)
def test_a_read_asks_for_what_comes_in_half_a_second(rate: float, expected: int) -> None:
    stride = Stride()
    for _read in range(20):
        stride.measured(stride.size, 0.0, stride.size / rate)
    assert (stride.size, stride.settled) == (expected, True)


def test_from_a_service_that_ponders_a_read_asks_for_much_whatever_its_bytes_take() -> None:
    """Each answer costs it two seconds, and two cores share them among all that are asked for at once."""
    stride = Stride()
    for _read in range(20):
        stride.measured(stride.size, 8.0, 0.2)
    assert stride.size == LARGEST_RANGE


def test_of_a_service_that_ponders_over_a_slow_link_no_more_is_asked_than_comes_in_that_time() -> None:
    stride = Stride()
    for _read in range(20):
        stride.measured(stride.size, 2.0, stride.size / 100e3)
    assert stride.size == FIRST_RANGE


def test_small_objects_tell_nothing_of_how_much_to_ask_for() -> None:
    stride = Stride()
    assert stride.measured(8 << 10, 0.1, 0.0) == FIRST_RANGE
    assert not stride.settled
