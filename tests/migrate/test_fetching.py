"""How much a read asks for next is learned from how its bytes came, and from how long its service ponders."""

from collections.abc import Iterator

import pytest

from repatria.migrate import fetching
from repatria.migrate.climbing import FIRST_RANGE, SMALLEST_RANGE
from repatria.migrate.fetching import Fetcher
from repatria.model import Object
from repatria.store.base import Reading
from repatria.work.pace import Throttle
from repatria.work.patience import Patience

TOLD = Object("large", FIRST_RANGE, version="one")


class Clock:
    """Moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Slow:
    """A source of one object: so many seconds until it answers, so many until the last byte has come."""

    name = public_uri = ""
    reads_at_once = 4

    def __init__(self, clock: Clock, answers: float, comes: float) -> None:
        self._clock, self._answers, self._comes = clock, answers, comes

    def list(self) -> Iterator[Object]:
        yield TOLD

    def read(self, told: Object, start: int = 0, length: int | None = None) -> Reading:
        self._clock.now += self._answers
        return Reading(told, self._chunks(told.size - start if length is None else length))

    def close(self) -> None:
        """Nothing is held."""

    def _chunks(self, length: int) -> Iterator[bytes]:
        self._clock.now += self._comes
        yield bytes(length)


@pytest.mark.parametrize(
    ("answers", "comes", "then"),
    [(20.0, 0.01, 2 * FIRST_RANGE), (0.1, 2.0, FIRST_RANGE // 2), (0.0, 0.01, 2 * FIRST_RANGE)],
    ids=["a slow service", "a slow link", "a disk"],
)
def test_a_read_asks_for_what_the_link_brings_in_half_a_second_or_while_a_service_ponders(
    monkeypatch: pytest.MonkeyPatch, answers: float, comes: float, then: int
) -> None:
    clock = Clock()
    monkeypatch.setattr(fetching, "time", clock)
    fetcher = Fetcher({"": Slow(clock, answers, comes)}, Throttle(None, lambda _seconds: None), Patience())
    fetcher.read_into("", TOLD, 0, memoryview(bytearray(FIRST_RANGE)))
    assert fetcher.range_size("") == then >= SMALLEST_RANGE
    fetcher.close()
