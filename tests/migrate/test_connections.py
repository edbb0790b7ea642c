"""Reads run side by side, in their order, as many as are allowed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from repatria.errors import LateError, ThrottledError
from repatria.migrate import connections as connections_module
from repatria.migrate.climbing import ANSWERS_TOLD, FIRST, FIRST_NEARBY, FIRST_RANGE, NEARBY, Climb
from repatria.migrate.connections import CALM, INTERVAL, Connections, Read
from repatria.model import Object

TOLD = Object("o", 1)


class Clock:
    """Moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


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
        assert go.wait(60)

    return read(hold), begun, go


@contextmanager
def running(count: int, beside: int = 0) -> Iterator[Connections]:
    """Have so many reads run until the block ends, and so many more wait."""
    connections, reads = Connections(most=96), [held() for _number in range(count + beside)]
    connections.submit([each for each, _begun, _go in reads])
    for _read, begun, _go in reads[:count]:
        assert begun.wait(10)
    try:
        yield connections
    finally:
        for _read, _begun, go in reads:
            go.set()
        connections.close()


def test_reads_run_in_the_order_in_which_they_are_asked_for() -> None:
    connections, done = Connections(most=1), list[int]()
    first, begun, go = held()
    connections.submit([first])
    assert begun.wait(10)
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
    """Three do, each time: else none would get on."""
    connections = Connections(most=3)
    together, lock, now, counts = threading.Barrier(3), threading.Lock(), set[int](), list[int]()

    def count(number: int) -> None:
        with lock:
            now.add(number)
            counts.append(len(now))
        together.wait(60)
        with lock:
            now.remove(number)

    reads = [read(partial(count, number)) for number in range(39)]
    connections.submit(reads)
    assert all(connections.wait(each, 60) for each in reads)
    assert [each.error for each in reads] == [None] * 39
    assert max(counts) == 3
    connections.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(connections_module, "time", clock)
    return clock


def test_a_burst_of_refusals_is_one_step_back(clock: Clock) -> None:
    with running(FIRST) as connections:
        for _refusal in range(20):
            connections.troubled(ThrottledError("slow down"))
        assert connections.allowed == FIRST // 2
        clock.now += CALM
        connections.troubled(ThrottledError("slow down"))
        assert connections.allowed == FIRST // 4


def test_one_answer_that_is_late_while_others_come_is_that_connection_s_own_trouble(clock: Clock) -> None:
    with running(FIRST) as connections:
        connections.answered(0.1)
        connections.carried(1)
        connections.troubled(LateError("late"))
        assert connections.allowed == FIRST


def test_late_answers_of_a_service_that_ponders_are_a_step_back(clock: Clock) -> None:
    with running(FIRST) as connections:
        connections.answered(20.0)
        for _late in range(20):
            connections.troubled(LateError("late"))
        assert connections.allowed == FIRST // 2


def test_what_is_tried_again_waits_until_fewer_run_and_goes_before_what_waits() -> None:
    connections, done = Connections(most=96), list[int]()
    first, _begun, go = held()
    refused, stepped_back = threading.Event(), threading.Event()

    def refuse_once() -> None:
        assert refused.wait(60)
        connections.step_back(stepped_back.set)
        done.append(1)

    others = [held() for _number in range(FIRST - 2)]
    connections.submit([first, read(refuse_once), *(each for each, _begun, _go in others)])
    for _read, each_begun, _go in others:
        assert each_begun.wait(10)
    connections.troubled(ThrottledError("slow down"))
    late = read(partial(done.append, 2))
    connections.submit([late])
    refused.set()
    assert stepped_back.wait(10)
    for _read, _begun, each_go in others[: FIRST // 2]:
        each_go.set()
    go.set()
    assert connections.wait(late, 10)
    assert done == [1, 2]
    for _read, _begun, each_go in others:
        each_go.set()
    connections.close()


def test_where_answers_come_from_nearby_fewer_run_at_first(clock: Clock) -> None:
    with running(FIRST) as connections:
        for _answer in range(ANSWERS_TOLD):
            connections.answered(NEARBY)
        assert connections.allowed == FIRST_NEARBY


def test_time_in_which_nothing_was_asked_for_is_no_time_in_which_little_came(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[float]()
    monkeypatch.setattr(Climb, "measured", lambda self, throughput, **_facts: told.append(throughput))
    connections = Connections()
    clock.now += 100
    connections.submit([read(lambda: None)])
    clock.now += INTERVAL
    connections.carried(1000)
    assert told == [1000 / INTERVAL]
    connections.close()


def test_large_reads_wait_until_it_is_known_how_much_to_ask_for() -> None:
    with running(FIRST, beside=FIRST) as connections:
        assert connections.has_use_for(8 << 10)
        assert not connections.has_use_for(FIRST_RANGE)
        connections.took(FIRST_RANGE, 0.1, 0.5)
        assert connections.has_use_for(FIRST_RANGE)


def test_closing_lets_what_waits_fall() -> None:
    connections, done = Connections(most=1), list[int]()
    running, begun, go = held()
    connections.submit([running, read(partial(done.append, 1))])
    assert begun.wait(10)
    connections.close()
    go.set()
    assert connections.wait(running, 10)
    assert done == []
