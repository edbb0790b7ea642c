"""How many reads run at once: it climbs while that pays, settles, and steps back when asked to."""

import threading
import time
from concurrent.futures import Future

import pytest

from repatria.errors import ThrottledError
from repatria.migrate.connections import FEWEST, FIRST, PATIENT_INTERVALS, Climb, Connections


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
        climb.measured(throughput(link(10e6, 1e6), climb.allowed), busy=True)
    assert climb.allowed == FIRST


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


def test_the_lowest_order_goes_first() -> None:
    connections, done = Connections(most=1), list[int]()
    begun, go = threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        go.wait(10)

    waiting: list[Future[None]] = [connections.submit((0, 0), first)]
    begun.wait(10)
    waiting += [connections.submit((1, number), lambda number=number: done.append(number)) for number in (5, 2, 9)]  # type: ignore[misc]  # mypy does not see a default through a protocol
    go.set()
    for future in waiting:
        future.result(10)
    assert done == [2, 5, 9]
    connections.close()


def test_what_a_read_raises_reaches_who_asked() -> None:
    connections = Connections()

    def refuse() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        connections.submit((0, 0), refuse).result(10)
    connections.close()


def test_never_more_run_than_are_allowed() -> None:
    connections = Connections(most=3)
    lock, counts = threading.Lock(), {"now": 0, "most": 0}

    def read() -> None:
        with lock:
            counts["now"] += 1
            counts["most"] = max(counts["most"], counts["now"])
        time.sleep(0.005)
        with lock:
            counts["now"] -= 1

    for future in [connections.submit((0, number), read) for number in range(40)]:
        future.result(10)
    assert counts["most"] == 3
    connections.close()


def test_a_burst_of_refusals_is_one_step_back() -> None:
    connections = Connections(most=96)
    for _refusal in range(20):
        connections.troubled(ThrottledError("slow down"))
    assert connections.allowed == FIRST // 2
    connections.close()


def test_closing_lets_what_waits_fall() -> None:
    connections = Connections(most=1)
    begun, go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go.wait(10)

    running = connections.submit((0, 0), hold)
    begun.wait(10)
    waiting = connections.submit((0, 1), lambda: None)
    connections.close()
    assert waiting.cancelled()
    go.set()
    running.result(10)
