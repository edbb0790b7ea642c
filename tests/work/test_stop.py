"""The wish to stop: heard at once, resumable, with its own exit code."""

import os
import signal
import threading

import pytest

from repatria.errors import InterruptedByUserError, StoppedError
from repatria.work.stop import Reason, StopSignal


@pytest.mark.parametrize(
    ("number", "reason", "code"),
    [
        (signal.SIGTERM, Reason.SIGNAL, 8),
        (signal.SIGHUP, Reason.SIGNAL, 8),
        (signal.SIGINT, Reason.KEYBOARD, 130),
    ],
)
def test_signals_ask_for_a_stop(number: signal.Signals, reason: Reason, code: int) -> None:
    with StopSignal() as stop:
        stop.raise_if_requested()
        os.kill(os.getpid(), number)
        assert stop.reason is reason
        with pytest.raises(StoppedError) as caught:
            stop.raise_if_requested()
        assert caught.value.code == code


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with StopSignal() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert isinstance(stop.error(), InterruptedByUserError)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignal():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_the_process_was_started_to_ignore_stays_ignored() -> None:
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with StopSignal() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.requested
    finally:
        signal.signal(signal.SIGHUP, earlier)


def test_the_first_reason_stays() -> None:
    stop = StopSignal()
    stop.request(Reason.LINK)
    stop.request(Reason.SIGNAL)
    assert stop.reason is Reason.LINK


def test_a_deadline_stops_and_says_when_it_goes_on() -> None:
    now = [0.0]
    stop = StopSignal(clock=lambda: now[0])
    stop.at(10.0, "The window opens at eight.", why="It is six.")
    assert not stop.requested
    assert stop.why == ""
    now[0] = 10.0
    assert stop.requested
    assert stop.error().advice == "The window opens at eight."
    assert stop.error().message.startswith("It is six. Nothing is lost")
    stop.renew()
    assert not stop.requested


def test_only_a_closed_window_can_be_forgotten() -> None:
    stop = StopSignal()
    stop.request(Reason.SIGNAL)
    stop.renew()
    assert stop.requested


def test_a_lost_link_is_what_ended_the_run() -> None:
    stop = StopSignal()
    stop.request(Reason.LINK, StoppedError("The link was waited for in vain."))
    assert stop.why == "The link was waited for in vain."


def test_waiting_ends_when_a_stop_is_asked_for() -> None:
    stop = StopSignal()
    stop.wait(0.01)
    stop.request(Reason.SIGNAL)
    with pytest.raises(StoppedError):
        stop.wait(3600)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 8)])
def test_a_question_does_not_outlive_a_signal(number: signal.Signals, code: int) -> None:
    reading, writing = os.pipe()
    with StopSignal() as stop, os.fdopen(reading) as asked, os.fdopen(writing, "w"):
        soon = threading.Timer(0.05, os.kill, (os.getpid(), number))
        soon.start()
        with pytest.raises(StoppedError) as caught, stop.asking():
            asked.readline()
        soon.join()
        assert caught.value.code == code
        with pytest.raises(StoppedError), stop.asking():
            pytest.fail("nobody is asked any more")


def test_what_the_main_thread_knows_is_told() -> None:
    stop = StopSignal()
    stop.request(Reason.SIGNAL)  # as another thread does that saw the signal's byte
    assert not stop.is_heard
    with pytest.raises(StoppedError):
        stop.raise_if_requested()
    assert stop.is_heard
    with StopSignal() as listening:
        os.kill(os.getpid(), signal.SIGTERM)
        assert listening.is_heard
