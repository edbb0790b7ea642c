"""A run whose main thread does not come back from what it called: a process of its own, which must end all the same."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import repatria.__main__ as program
from repatria.cli import endings
from repatria.cli.endings import LastWords
from repatria.cli.output import Output
from repatria.errors import StoppedError
from repatria.migrate import copy as copying
from repatria.work.state import StateFolder
from repatria.work.stop import Reason, StopSignal
from tests.work.making import Site, store_all, told

PROGRAM = """
import hashlib, logging, sys, time
from pathlib import Path

import repatria.cli.endings as endings
from repatria.cli.output import Output
from repatria.work.state import StateFolder
from repatria.work.stop import Reason, StopSignal

logging.getLogger().addHandler(logging.NullHandler())
endings.SECONDS_TO_END, endings.SECONDS_TO_LET_GO = 0.5, 1.0
stop = StopSignal()
words = endings.LastWords(Output(quiet="-q" in sys.argv), StateFolder(Path("state")), "copy", "d")
with endings.ending_soon(words, stop, goes_on=lambda: "--wait" in sys.argv):
    if "--window" in sys.argv:
        stop.at(time.time() + 0.2, "It opens again.", why="It is six.")
    if "--failure" in sys.argv:
        stop.request(Reason.FAILURE)
    print("hangs", flush=True)
    hashlib.pbkdf2_hmac("sha512", b"", b"", 2_000_000_000)
"""
"""Minutes in one call, which lets other threads work and no signal's handler."""


def ended(folder: Path, *arguments: str, number: signal.Signals | None = None) -> tuple[int, str]:
    """Run it, send a signal once it hangs, and return its code and what it said."""
    environment = {**os.environ, "REPATRIA_LANG": "en"}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        if number is not None:
            process.send_signal(number)
        try:
            _out, said = process.communicate(timeout=30)
        finally:
            process.kill()
    return process.returncode, said


def last_code(folder: Path) -> object:
    return json.loads((folder / "state/log.jsonl").read_text().splitlines()[-1])["code"]


@pytest.mark.parametrize(
    ("number", "arguments", "code"),
    [
        (signal.SIGTERM, (), 8),
        (signal.SIGHUP, ("--wait",), 8),
        (signal.SIGINT, (), 130),
        (signal.SIGTERM, ("--failure",), 8),
    ],
)
def test_a_signal_ends_a_call_that_never_returns(
    tmp_path: Path, number: signal.Signals, arguments: tuple[str, ...], code: int
) -> None:
    ending, said = ended(tmp_path, *arguments, number=number)
    assert ending == code
    assert "was broken off. Nothing is lost; run the same command again to go on." in said
    assert last_code(tmp_path) == code


@pytest.mark.parametrize("arguments", [("--window",), ("--window", "--wait")])
def test_the_end_of_a_window_ends_it_too(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ending, said = ended(tmp_path, *arguments)
    assert ending == 8
    assert said.startswith("repatria: It is six. What was under way did not come to an end in time")
    assert said.rstrip().endswith("It opens again.")


def test_the_last_words_tell_what_is_safe(tmp_path: Path) -> None:
    made, stop, said = Site(StateFolder(tmp_path / "state").path), StopSignal(), io.StringIO()
    stop.request(Reason.LINK, StoppedError("The link was waited for in vain.", advice="Look at it."))
    with made.open() as run:
        store_all(run, [(told("b", b"45"), b"45")])
        LastWords(Output(stderr=said), made.state, "copy", "d").tell(stop)
    first, second = said.getvalue().splitlines()
    assert first.startswith("repatria: The link was waited for in vain. What was under way")
    assert first.endswith("1 volume is safe at the target; run the same command again to go on.")
    assert second.endswith("Look at it.")


@pytest.mark.parametrize("is_heard", [True, False])
def test_only_a_main_thread_that_heard_nothing_is_said_to_hang(tmp_path: Path, is_heard: bool) -> None:
    stop, said = StopSignal(), io.StringIO()
    stop.request(Reason.SIGNAL)
    if is_heard:
        with pytest.raises(StoppedError):
            stop.raise_if_requested()
    LastWords(Output(stderr=said), StateFolder(tmp_path), "copy", "d").tell(stop)
    assert "in time" in said.getvalue()
    assert ("hangs" in said.getvalue()) is not is_heard


def test_what_waits_for_volumes_leaves_time_to_end_the_lease_over_a_thin_link() -> None:
    assert copying._LAST_SECONDS + program.SECONDS_TO_EXIT_STOPPED <= endings.SECONDS_TO_END - 4.0


@pytest.mark.parametrize("code", [8, 130])
def test_a_stopped_program_does_not_wait_for_a_thread_that_hangs(code: int) -> None:
    hanging = (
        "import threading, time; import repatria.__main__ as program;"
        "program.SECONDS_TO_EXIT = 3600.0;"
        "threading.Thread(target=time.sleep, args=(3600,)).start();"
        f"program._exit_in_time({code})"
    )
    assert subprocess.run([sys.executable, "-c", hanging], timeout=50, check=False).returncode == code


def test_a_normal_night_is_quiet(tmp_path: Path) -> None:
    assert ended(tmp_path, "--window", "-q") == (8, "")
