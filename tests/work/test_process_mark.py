"""Whether the process that left a mark still runs: known on its machine, never guessed elsewhere."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from repatria.work.process_mark import ProcessMark

MARK = """
from repatria.work.process_mark import ProcessMark
mark = ProcessMark.here()
print(mark.boot, mark.pid, mark.started, flush=True)
input()
"""


def mark_of_another(*, end: bool) -> tuple[ProcessMark, "subprocess.Popen[str]"]:
    process = subprocess.Popen([sys.executable, "-c", MARK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    boot, pid, started = process.stdout.readline().split()
    if end:
        process.communicate("")
    return ProcessMark(boot, int(pid), int(started)), process


def here() -> ProcessMark:
    mark = ProcessMark.here()
    if mark is None:
        pytest.skip("this system has no /proc: no process leaves a mark")
    return mark


def test_a_process_is_there_until_it_ends() -> None:
    here()
    mark, process = mark_of_another(end=False)
    assert (mark.pid, mark.is_gone()) == (process.pid, False)
    process.communicate("")
    assert mark.is_gone()


def test_a_process_that_was_killed_is_gone_though_its_parent_never_asks() -> None:
    here()
    mark, process = mark_of_another(end=False)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
    assert mark.is_gone()
    process.communicate()


def test_a_number_that_the_kernel_gave_again_is_another_process() -> None:
    assert not here().is_gone()
    assert replace(here(), started=here().started - 1).is_gone()


def test_of_another_machine_or_boot_nothing_is_known() -> None:
    mark, _process = mark_of_another(end=True)
    assert not replace(mark, boot="0" * 32).is_gone()


def test_of_a_machine_that_was_restored_from_the_same_snapshot_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here()
    mark, _process = mark_of_another(end=True)
    assert mark.is_gone()
    monkeypatch.setattr("socket.gethostname", lambda: "the-other")
    assert not mark.is_gone()


@pytest.mark.parametrize("pid", [0, -1, -os.getpid(), 1 << 80], ids=["none", "all", "group", "too large"])
def test_numbers_that_no_process_has_tell_nothing(pid: int) -> None:
    assert not replace(here(), pid=pid).is_gone()


def test_a_mark_tells_nothing_of_the_machine() -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert here().boot != boot.replace("-", "")
