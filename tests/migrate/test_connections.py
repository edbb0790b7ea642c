"""How many reads run at once: it climbs while that pays, settles, and steps back when asked to."""

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from repatria.errors import ThrottledError
from repatria.migrate.connections import (
    FEWEST,
    FIRST,
    FIRST_RANGE,
    LARGEST_RANGE,
    PATIENT_INTERVALS,
    SMALLEST_RANGE,
    Climb,
    Connections,
    Read,
    Stride,
)
from repatria.model import Object


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
    assert climb.allowed == FIRST


def test_when_small_objects_follow_large_ones_it_climbs_at_once() -> None:
    climb = Climb()
    for _interval in range(10):
        climb.measured(throughput(link(20e6, 1e6), climb.allowed), busy=True)
    climb.measured(climb.allowed * 50_000, busy=True)
    assert climb.allowed == 2 * FIRST


def test_an_interval_with_too_little_to_do_says_nothing() -> None:
    climb = Climb()
    assert climb.measured(1.0, busy=False) == FIRST
    assert climb.measured(100.0, busy=False) == FIRST


def test_it_halves_when_pushed_back_and_tries_again_later() -> None:
    climb = Climb(allowed=32)
    assert climb.pushed_back() == 16
    for _interval in range(PATIENT_INTERVALS):
        climb.measured(1e6, busy=True)
    assert climb.allowed == 32


def test_it_never_goes_below_the_fewest() -> None:
    climb = Climb(allowed=FEWEST)
    assert climb.pushed_back() == FEWEST


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
        stride.measured(stride.size, stride.size / rate)
    assert stride.size == expected


def test_small_objects_tell_nothing_of_how_much_to_ask_for() -> None:
    stride = Stride()
    assert stride.measured(8 << 10, 0.1) == FIRST_RANGE


TOLD = Object("o", 1)


def read(call: Callable[[], object] = lambda: None) -> Read:
    def run() -> Object:
        call()
        return TOLD

    return Read(1, run)


def held() -> tuple[Read, threading.Event, threading.Event]:
    """Return a read that says when it runs, and runs until it is let go."""
    begun, go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go.wait(10)

    return read(hold), begun, go


def test_reads_run_in_the_order_in_which_they_are_asked_for() -> None:
    connections, done = Connections(most=1), list[int]()
    first, begun, go = held()
    connections.submit([first])
    begun.wait(10)
    reads = [read(partial(done.append, number)) for number in (2, 5, 9)]
    connections.submit(reads[:1])
    connections.submit(reads[1:])
    go.set()
    assert all(connections.wait(each, 10) for each in (first, *reads))
    assert done == [2, 5, 9]
    assert first.told is TOLD
    connections.close()


def test_what_a_read_raises_is_kept_for_who_asked() -> None:
    connections = Connections()

    def refuse() -> None:
        raise ValueError("no")

    refused = read(refuse)
    connections.submit([refused])
    assert connections.wait(refused, 10)
    assert isinstance(refused.error, ValueError)
    connections.close()


def test_waiting_has_an_end() -> None:
    connections = Connections()
    hanging, _begun, go = held()
    connections.submit([hanging])
    assert not connections.wait(hanging, 0.01)
    go.set()
    connections.close()


def test_never_more_run_than_are_allowed() -> None:
    connections = Connections(most=3)
    lock, counts = threading.Lock(), {"now": 0, "most": 0}

    def count() -> None:
        with lock:
            counts["now"] += 1
            counts["most"] = max(counts["most"], counts["now"])
        time.sleep(0.005)
        with lock:
            counts["now"] -= 1

    reads = [read(count) for _number in range(40)]
    connections.submit(reads)
    assert all(connections.wait(each, 10) for each in reads)
    assert counts["most"] == 3
    connections.close()


def test_a_burst_of_refusals_is_one_step_back() -> None:
    connections = Connections(most=96)
    for _refusal in range(20):
        connections.troubled(ThrottledError("slow down"))
    assert connections.allowed == FIRST // 2
    connections.close()


def test_closing_lets_what_waits_fall() -> None:
    connections, done = Connections(most=1), list[int]()
    running, begun, go = held()
    connections.submit([running, read(partial(done.append, 1))])
    begun.wait(10)
    connections.close()
    go.set()
    assert connections.wait(running, 10)
    assert done == []
