"""One run a dataset at a time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from repatria.errors import LockedError, UsageError
from repatria.work.lock import dataset_lock, lock_holder
from repatria.work.state import StateFolder

HOLDING = """
import sys, time
from pathlib import Path
from repatria.work.lock import dataset_lock
from repatria.work.state import StateFolder
with dataset_lock(StateFolder(Path(sys.argv[1])), "d"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(tmp_path)], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"held\n"
            with pytest.raises(LockedError, match=str(other.pid)) as caught, dataset_lock(state, "d"):
                pass
            assert caught.value.code == 7
            holder = lock_holder(state, "d")
            assert holder is not None
            assert holder.pid == other.pid
        finally:
            other.send_signal(signal.SIGKILL)
    with dataset_lock(state, "d"):  # the kernel let go of it with the process
        pass


def test_a_lock_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    (state.dataset("d") / "lock").mkdir()  # as good as a folder without rights, and refused to root too
    with pytest.raises(UsageError, match="cannot be used"), dataset_lock(state, "d"):
        pass


def test_other_datasets_are_free(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with dataset_lock(state, "a"), dataset_lock(state, "b"):
        pass


def test_nobody_holds_a_lock_that_was_let_go(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    assert lock_holder(state, "d") is None
    with dataset_lock(state, "d"):
        holder = lock_holder(state, "d")
        assert holder is not None
        assert holder.pid == os.getpid()
    assert lock_holder(state, "d") is None
