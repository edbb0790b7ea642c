"""A lost link is waited for; what is lasting is not."""

import pytest

from repatria.errors import NotFoundError, StoppedError, ThrottledError, UnreachableError
from repatria.progress import Silent
from repatria.work.patience import Patience
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


def test_a_short_hiccup_is_not_told() -> None:
    told = Told()
    patience = Patience(progress=told, first_pause=0.001)
    assert patience.insist(Flaky(UnreachableError("away"), UnreachableError("away"))) == "done"
    assert told.sentences == []
