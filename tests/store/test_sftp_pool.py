"""How many connections there are, and who has which."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import cast

import pytest

from repatria.errors import RefusedError, UnreachableError
from repatria.store import sftp_pool
from repatria.store.sftp_connection import Connection
from repatria.store.sftp_pool import FEWEST, FULL, LEAST, MOST, Pool, wanted_at


class Line:
    """What the pool needs of a connection, without a server; its session is itself."""

    def __init__(self, round_trip: float) -> None:
        self.alive = True
        self.seconds = round_trip

    @property
    def session(self) -> "Line":
        return self

    def round_trip(self) -> float:
        return self.seconds

    def close(self) -> None:
        self.alive = False


class Far:
    """A server at some distance that takes so many connections."""

    def __init__(self, round_trip: float = 0.1, most: int = 1000) -> None:
        self.round_trip = round_trip
        self.most = most
        self.lines: list[Line] = []
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()

    def connect(self, attempts: int) -> Connection:
        with self.lock:
            self.asked += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.002)
        with self.lock:
            self.at_once -= 1
            if sum(line.alive for line in self.lines) >= self.most:
                raise UnreachableError("no more")
            self.lines.append(Line(self.round_trip))
            return cast("Connection", self.lines[-1])  # all that a pool asks of one


@pytest.fixture
def loans() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.002)
    assert holds()


def test_a_longer_way_calls_for_more() -> None:
    assert wanted_at(0.0) == wanted_at(0.005) == FEWEST
    assert wanted_at(0.05) == 14
    assert wanted_at(0.1) == wanted_at(2.0) == MOST


def test_one_is_enough_for_one_question_after_the_other() -> None:
    far = Far()
    pool = Pool(far.connect)
    for _each in range(10):
        with pool.lend():
            pass
    assert far.asked == 1


def test_more_are_made_as_soon_as_reads_overlap_few_at_a_time(loans: ExitStack) -> None:
    far = Far()
    pool = Pool(far.connect)
    loans.enter_context(pool.lend(1 << 20))
    loans.enter_context(pool.lend(1 << 20))
    wait_for(lambda: len(far.lines) == MOST)
    assert far.most_at_once <= sftp_pool.AT_ONCE


def test_small_reads_share_one_and_large_ones_go_where_least_is_under_way(loans: ExitStack) -> None:
    far = Far(round_trip=0.0, most=2)
    pool = Pool(far.connect)
    with pool.lend(), pool.lend():
        wait_for(lambda: len(pool._loads) == 2 and not pool._starting)
    first = loans.enter_context(pool.lend(1 << 20))
    small = [loans.enter_context(pool.lend(LEAST)) for _each in range(32)]
    assert all(each is not first for each in small)
    assert len(set(map(id, small))) == 1


def test_a_connection_of_ones_own_is_shared_with_nobody(loans: ExitStack) -> None:
    far = Far(round_trip=0.0)
    pool = Pool(far.connect)
    alone = loans.enter_context(pool.lend(FULL))
    others = [loans.enter_context(pool.lend()) for _each in range(20)]
    assert all(each is not alone for each in others)


def test_a_listing_over_a_long_way_has_some_made_for_what_it_finds() -> None:
    far, near = Far(round_trip=0.1), Far(round_trip=0.0)
    for place in (far, near):
        pool = Pool(place.connect)
        with pool.lend(FULL, listing=True):
            wait_for(lambda pool=pool: not pool._starting)  # type: ignore[misc]  # of this round
    assert len(far.lines) == sftp_pool.AT_ONCE
    assert len(near.lines) == 1


def test_a_server_that_refuses_more_is_left_in_peace(loans: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    far = Far(most=3)
    pool = Pool(far.connect)
    for _each in range(5):
        loans.enter_context(pool.lend(1 << 20))
    wait_for(lambda: len(pool._loads) == 3 and not pool._starting)
    asked = far.asked
    for _each in range(100):
        with pool.lend():
            pass
    assert far.asked == asked <= 1 + sftp_pool.AT_ONCE + 2
    monkeypatch.setattr(pool, "_calm_until", 0.0)
    with pool.lend():
        pass
    wait_for(lambda: pool._starting == 0)
    assert far.asked == asked + 1


def test_a_link_that_was_lost_and_is_back_is_used_as_before(loans: ExitStack) -> None:
    """All handshakes of a burst fail with the link: that is no server that refuses more and more."""
    far = Far(round_trip=0.02)
    pool = Pool(far.connect)
    for _each in range(2):
        loans.enter_context(pool.lend(1 << 19))
    wait_for(lambda: len(pool._loads) == pool._wanted)
    far.most = 0
    for line in far.lines:
        line.alive = False
    for _each in range(20):
        with pytest.raises(UnreachableError):
            pool.borrow()
    far.most = 1000
    for _each in range(2):
        loans.enter_context(pool.lend(1 << 19))
    wait_for(lambda: len(pool._loads) == pool._wanted)


def test_a_burst_of_refusals_is_one(loans: ExitStack) -> None:
    far = Far(round_trip=0.1, most=1)
    pool = Pool(far.connect)
    for _each in range(2):
        loans.enter_context(pool.lend(1 << 20))
    wait_for(lambda: far.asked > sftp_pool.AT_ONCE and not pool._starting)
    assert pool._refusals == 1


def test_one_that_broke_is_replaced() -> None:
    far = Far()
    pool = Pool(far.connect)
    with pool.lend():
        far.lines[0].alive = False
    with pool.lend() as session:
        assert cast("Line", session) is far.lines[1]


def test_an_error_of_the_first_is_told_to_all_who_wait_for_it() -> None:
    asked = threading.Semaphore(0)
    go = threading.Event()

    def connect(attempts: int) -> Connection:
        asked.release()
        go.wait()
        raise RefusedError("unknown")

    pool = Pool(connect)
    told: list[str] = []

    def ask() -> None:
        with pytest.raises(RefusedError) as caught:
            pool.borrow()
        told.append(caught.value.message)

    threads = [threading.Thread(target=ask) for _each in range(5)]
    for thread in threads:
        thread.start()
    asked.acquire()
    time.sleep(0.05)
    go.set()
    for thread in threads:
        thread.join()
    assert told == ["unknown"] * 5


def test_what_is_made_while_it_closes_is_ended_too(loans: ExitStack) -> None:
    far = Far()
    pool = Pool(far.connect)
    with pool.lend(), pool.lend():
        pool.close()
    wait_for(lambda: pool._starting == 0)
    wait_for(lambda: not any(line.alive for line in far.lines))
