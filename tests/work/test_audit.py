"""The audit log: appended, chained, free of names."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from repatria.work.audit import FIRST, cut_off, read_log, record, record_beginning
from repatria.work.lock import dataset_lock
from repatria.work.state import StateFolder


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    state = StateFolder(tmp_path)
    for number in range(4):
        record(state, "copy", "d", 0, bundle=f"b{number}", objects=number)
    return state


def test_every_run_is_a_line_that_names_the_one_before(state: StateFolder) -> None:
    lines = list(read_log(state))
    assert [line.fields["bundle"] for line in lines] == ["b0", "b1", "b2", "b3"]
    assert all(line.intact for line in lines)
    assert lines[0].fields["previous"] == FIRST
    assert {"time", "user", "host", "command", "dataset", "code"} <= set(lines[0].fields)


@pytest.mark.parametrize("harm", ["change", "remove", "swap", "insert"])
def test_harm_shows(state: StateFolder, harm: str) -> None:
    lines = state.log_path().read_bytes().splitlines(keepends=True)
    harmed = {
        "change": [lines[0], lines[1].replace(b'"objects":1', b'"objects":9'), *lines[2:]],
        "remove": [lines[0], *lines[2:]],
        "swap": [lines[0], lines[2], lines[1], lines[3]],
        "insert": [*lines[:2], b'{"previous":"00"}\n', *lines[2:]],
    }[harm]
    state.log_path().write_bytes(b"".join(harmed))
    assert not all(line.intact for line in read_log(state))


def test_a_line_torn_by_a_power_cut_does_not_harm_the_next(state: StateFolder) -> None:
    data = state.log_path().read_bytes()
    state.log_path().write_bytes(data[:-20])
    record(state, "verify", "d", 0)
    lines = list(read_log(state))
    assert [line.intact for line in lines] == [True, True, True, False, True]


def test_runs_that_end_at_once_are_all_in_the_chain(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: record(state, "copy", f"d{number}", 0), range(40)))
    assert sum(line.intact for line in read_log(state)) == 40


def test_long_lines_are_found_too(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    record(state, "copy", "d", 0, note="x" * 200_000)
    record(state, "copy", "d", 0)
    assert all(line.intact for line in read_log(state))
    assert json.loads(state.log_path().read_bytes().splitlines()[1])["command"] == "copy"


def test_no_log_has_no_lines(tmp_path: Path) -> None:
    assert list(read_log(StateFolder(tmp_path))) == []


def test_what_began_is_known_though_it_was_killed(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    record_beginning(state, "copy", "fann")
    (line,) = read_log(state)
    assert line.intact
    assert (line.fields["command"], line.fields["dataset"], line.fields["began"]) == ("copy", "fann", True)
    assert "code" not in line.fields


BEGIN = """
import sys
from pathlib import Path
from repatria.work.audit import record, record_beginning
from repatria.work.state import StateFolder

_, folder, command, *codes = sys.argv
record_beginning(StateFolder(Path(folder)), command, "fann")
for code in codes:
    record(StateFolder(Path(folder)), command, "fann", int(code))
"""


def begin_elsewhere(folder: Path, command: str, *codes: str) -> None:
    """Have another process, which is gone when this returns, begin a run, and end it if a code is given."""
    subprocess.run([sys.executable, "-c", BEGIN, str(folder), command, *codes], check=True, timeout=60)


def test_a_run_without_an_end_whose_process_is_gone_was_cut_off(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    begin_elsewhere(tmp_path, "copy")
    begin_elsewhere(tmp_path, "restore", "0")
    begin_elsewhere(tmp_path, "restore")
    assert cut_off(state) == {1, 4}


def test_a_run_that_goes_on_was_not_and_one_that_found_the_lock_held_does_not_end_it(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    record_beginning(state, "copy", "fann")
    begin_elsewhere(tmp_path, "copy", "7")
    assert cut_off(state) == frozenset()
    record(state, "copy", "fann", 0)
    assert cut_off(state) == frozenset()


@pytest.mark.parametrize(
    ("command", "host", "free", "expected"),
    [
        ("copy", None, True, {1}),
        ("copy", None, False, set()),
        ("copy", "another", True, {1}),
        ("copy", "another", False, set()),
        ("restore", None, True, {1}),
        ("restore", "another", True, set()),
    ],
)
def test_of_another_boot_the_lock_tells_and_of_a_run_without_one_the_host(
    tmp_path: Path, command: str, host: str | None, free: bool, expected: set[int]
) -> None:
    state = StateFolder(tmp_path)
    record_beginning(state, command, "fann")
    told = json.loads(state.log_path().read_text())
    state.log_path().write_text(json.dumps({**told, "boot": "0" * 32, "host": host or told["host"]}) + "\n")
    with nullcontext() if free else dataset_lock(state, "fann"):
        assert cut_off(state) == expected


def test_a_line_of_old_without_a_mark_is_judged_by_the_lock(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    old = {"command": "copy", "dataset": "fann", "host": "h", "previous": FIRST}
    lines = [{**old, "began": True}, {**old, "code": 0}, {**old, "began": True}]
    state.log_path().parent.mkdir(parents=True, exist_ok=True)
    state.log_path().write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert cut_off(state) == {3}
    with dataset_lock(state, "fann"):
        assert cut_off(state) == frozenset()
