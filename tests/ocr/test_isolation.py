"""A child that crashes, hangs or eats memory costs its unit, by name, and nothing else."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from repatria.errors import UsageError
from repatria.ocr.isolation import Children, Ending, IsolationError, Limits


def double(number: int) -> int:
    return 2 * number


def crash(_unit: None) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(_unit: None) -> None:
    time.sleep(600)


def eat(size: int) -> int:
    return len(bytearray(size))


def fail(_unit: None) -> None:
    raise ValueError("odd bytes")


def refuse(_unit: None) -> None:
    raise UsageError("no", advice="do so")


def process(_unit: None) -> int:
    return os.getpid()


def chatter(_unit: None) -> None:
    os.write(1, b"to stdout\n")
    os.write(2, b"to stderr\n")


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with Children(Limits(seconds=30, memory=1 << 30)) as made:
        yield made


def test_a_unit_is_worked_in_another_process(children: Children) -> None:
    assert children.call(double, 21) == 42
    assert children.call(process, None) != os.getpid()


def test_one_child_works_many_units(children: Children) -> None:
    assert children.call(process, None) == children.call(process, None)


@pytest.mark.parametrize(
    ("function", "unit", "ending"),
    [
        (crash, None, Ending.CRASHED),
        (hang, None, Ending.TIMED_OUT),
        (eat, 4 << 30, Ending.OUT_OF_MEMORY),
        (fail, None, Ending.RAISED),
    ],
)
def test_a_failing_unit_is_named_by_its_kind_of_failure_and_the_next_one_is_worked(
    children: Children, function: object, unit: object, ending: Ending
) -> None:
    with pytest.raises(IsolationError) as caught:
        children.call(function, unit, seconds=1.0)  # type: ignore[arg-type]  # four functions of different units
    assert caught.value.ending is ending
    assert children.call(double, 2) == 4


def test_a_crash_tells_its_signal(children: Children) -> None:
    with pytest.raises(IsolationError, match="SIGSEGV"):
        children.call(crash, None)


def test_what_the_function_refuses_comes_back_as_it_was_raised(children: Children) -> None:
    with pytest.raises(UsageError) as caught:
        children.call(refuse, None)
    assert (caught.value.message, caught.value.advice) == ("no", "do so")


def test_each_thread_has_a_child_of_its_own(children: Children) -> None:
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(children.call, hang, None, 2.0)
        assert threads.submit(children.call, double, 4).result(timeout=20) == 8
        with pytest.raises(IsolationError):
            slow.result(timeout=20)


def test_killing_ends_what_is_under_way() -> None:
    with Children(Limits(seconds=60, memory=1 << 30)) as own, ThreadPoolExecutor(1) as threads:
        assert threads.submit(own.call, double, 1).result() == 2
        under_way = threads.submit(own.call, hang, None)
        time.sleep(0.2)
        own.kill()
        with pytest.raises(IsolationError):
            under_way.result(timeout=20)


def test_a_child_that_was_killed_works_nothing_more() -> None:
    with Children(Limits(seconds=60, memory=1 << 30)) as own:
        assert own.call(double, 1) == 2
        own.kill()
        with pytest.raises(IsolationError):
            own.call(double, 1)


def signal_me(number: int) -> bool:
    os.kill(os.getpid(), number)
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_to_all_processes_of_a_run_are_heard_by_the_parent_alone(children: Children, number: int) -> None:
    assert children.call(signal_me, number)


def test_what_decoders_print_goes_nowhere(children: Children, capfd: pytest.CaptureFixture[str]) -> None:
    children.call(chatter, None)
    assert capfd.readouterr() == ("", "")
