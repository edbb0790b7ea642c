"""A lost link is waited for; what is lasting is not."""

import pytest

from repatria.errors import FailingError, LateError, NotFoundError, StoppedError, ThrottledError, UnreachableError
from repatria.progress import Silent
from repatria.work.patience import LONGEST_ASKED_FOR, Patience
from repatria.work.stop import Reason, StopSignal


class Flaky:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def test_transient_errors_are_tried_again() -> None:
    call = Flaky(UnreachableError("away"), ThrottledError("slow down"))
    assert Patience(first_pause=0.001).insist(call) == "done"
    assert call.calls == 3


def test_lasting_errors_are_told_at_once() -> None:
    call = Flaky(NotFoundError("gone"))
    with pytest.raises(NotFoundError):
        Patience().insist(call)
    assert call.calls == 1


def test_when_patience_is_over_the_whole_run_stops_resumably() -> None:
    stop = StopSignal()
    with pytest.raises(StoppedError, match="away") as caught:
        Patience(stop, seconds=0.0).insist(Flaky(UnreachableError("The far end is away.")))
    assert caught.value.code == 8
    assert stop.reason is Reason.LINK
    assert stop.error().message == caught.value.message


class Waits(StopSignal):
    """Keeps how long it was to be waited."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.mark.parametrize(("asked_for", "waited"), [(0.0, 0.0), (120.0, 120.0), (1e9, LONGEST_ASKED_FOR)])
def test_a_store_has_the_pause_that_it_asks_for(asked_for: float, waited: float) -> None:
    stop, throttled = Waits(), ThrottledError("slow down")
    throttled.pause = asked_for
    Patience(stop).attempt().pause(throttled)
    assert waited + 0.5 <= stop.seconds[0] <= waited + 1.0


def test_a_pause_that_is_asked_for_ends_with_the_patience_and_is_told_at_once() -> None:
    told, stop, throttled = Told(), Waits(), ThrottledError("slow down")
    throttled.pause = 900.0
    Patience(stop, seconds=300.0, progress=told).attempt().pause(throttled)
    assert stop.seconds == [pytest.approx(300.0, abs=30.0)]
    assert stop.seconds[0] <= 300.0
    assert told.sentences == [
        "The service asks for fewer requests; it gets fewer, and is tried again for up to 5 minutes."
    ]


def test_what_was_not_to_be_told_at_first_is_told_when_it_is() -> None:
    told = Told()
    attempt = Patience(progress=told, first_pause=0.001).attempt()
    for failure in range(6):
        attempt.pause(UnreachableError("away"), tell=failure >= 4)
    assert told.sentences == ["The link is slow or lost; it is tried again for up to 6 hours."]


def test_a_stop_ends_the_waiting() -> None:
    stop = StopSignal()
    stop.request(Reason.SIGNAL)
    with pytest.raises(StoppedError):
        Patience(stop).insist(Flaky(UnreachableError("away")))


def test_bytes_that_flow_again_renew_the_patience() -> None:
    attempt = Patience(seconds=3600, first_pause=0.001).attempt()
    attempt.pause(UnreachableError("away"))
    attempt.succeeded()
    attempt.pause(UnreachableError("away"))


class Told(Silent):
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, message: str) -> None:
        self.sentences.append(message)


def test_an_outage_is_told_once_for_all_threads_and_so_is_its_end() -> None:
    told = Told()
    patience = Patience(progress=told, seconds=7200, first_pause=0.001)
    attempts = [patience.attempt() for _thread in range(8)]
    for _again in range(4):
        for attempt in attempts:
            attempt.pause(UnreachableError("away"))
    assert told.sentences == ["The link is slow or lost; it is tried again for up to 2 hours."]
    for attempt in attempts:
        attempt.succeeded()
    assert told.sentences[1:] == ["Answers come again."]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (LateError("late"), "The service answers late; it is asked for less at a time, and waited for up to 6 hours."),
        (
            ThrottledError("less"),
            "The service asks for fewer requests; it gets fewer, and is tried again for up to 6 hours.",
        ),
        (FailingError("fails"), "The service fails; it is tried again for up to 6 hours."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_told_is_what_is_wrong(error: UnreachableError, sentence: str) -> None:
    told = Told()
    attempt = Patience(progress=told, first_pause=0.001).attempt()
    for _failure in range(3):
        attempt.pause(error)
    assert told.sentences == [sentence]


def test_a_short_hiccup_is_not_told() -> None:
    told = Told()
    patience = Patience(progress=told, first_pause=0.001)
    assert patience.insist(Flaky(UnreachableError("away"), UnreachableError("away"))) == "done"
    assert told.sentences == []
