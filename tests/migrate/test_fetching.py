"""How much a read asks for next is learned from how its bytes came, and from how long its service ponders."""

from collections.abc import Iterator

import pytest

from repatria.errors import StoppedError, ThrottledError
from repatria.migrate import fetching
from repatria.migrate.climbing import FIRST_RANGE, SMALLEST_RANGE
from repatria.migrate.fetching import Fetcher
from repatria.migrate.witness import WithheldError
from repatria.model import Object
from repatria.store.base import Reading
from repatria.work import patience
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


class Asking(Slow):
    """A source of two objects; its service asks for a pause whenever one of them is wanted, or either."""

    def __init__(self, clock: Clock, pause: float, *refused: str) -> None:
        super().__init__(clock, 0.0, 0.01)
        self._pause, self._refused = pause, refused
        self.refusals = 0

    def list(self) -> Iterator[Object]:
        yield TOLD
        yield OTHER

    def read(self, told: Object, start: int = 0, length: int | None = None) -> Reading:
        if told.path in self._refused:
            self.refusals += told is TOLD
            error = ThrottledError("It asks for fewer requests.")
            error.pause = self._pause
            raise error
        return super().read(told, start, length)


OTHER = Object("other", FIRST_RANGE, version="one")


def wanted(monkeypatch: pytest.MonkeyPatch, source: Asking) -> tuple[Fetcher, list[float]]:
    """Return what reads from a source, and the pauses that it makes."""
    pauses: list[float] = []
    clock, made = Clock(), Patience(seconds=3600.0)
    monkeypatch.setattr(patience, "time", clock)

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        clock.now += seconds

    monkeypatch.setattr(made.stop, "wait", wait)
    return Fetcher({"": source}, Throttle(None, lambda _seconds: None), made), pauses


def test_one_object_for_which_a_long_pause_is_asked_is_put_aside_after_one_and_has_more_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Asking(Clock(), 20.0, TOLD.path)
    fetcher, pauses = wanted(monkeypatch, source)
    for tries in (fetching.WITNESSED_ASIDE, fetching.WITNESSED):
        source.refusals = 0
        pauses.clear()
        with pytest.raises(WithheldError):
            fetcher.read_into("", TOLD, 0, memoryview(bytearray(FIRST_RANGE)))
        assert source.refusals == tries
        assert len(pauses) == tries - 1
    fetcher.close()


def test_short_pauses_are_made_before_others_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Asking(Clock(), 1.0, TOLD.path)
    fetcher, pauses = wanted(monkeypatch, source)
    with pytest.raises(WithheldError):
        fetcher.read_into("", TOLD, 0, memoryview(bytearray(FIRST_RANGE)))
    assert len(pauses) == 4
    fetcher.close()


def test_a_service_that_asks_everybody_for_a_pause_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Asking(Clock(), 20.0, TOLD.path, OTHER.path)
    fetcher, pauses = wanted(monkeypatch, source)
    with pytest.raises(StoppedError, match="waited for in vain"):
        fetcher.read_into("", TOLD, 0, memoryview(bytearray(FIRST_RANGE)))
    assert sum(pauses) == pytest.approx(3600.0)
    fetcher.close()
