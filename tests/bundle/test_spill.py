"""No plaintext ever reaches a disk, even where SQLite would like to: when it sorts much with little cache.

A child builds an index larger than any cache, and reads one with a large sort, while the system forbids it to write a
single byte to any file (RLIMIT_FSIZE), be it deleted, unnamed or in memory. A whole run, which has to write, is traced
instead, and all that it wrote is searched. Both watchers are shown to catch a spill that is asked for.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundle.spilling import MARKER

PROJECT = Path(__file__).parents[2]
WRITES = "trace=write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range"


def child(wish: str, work: str, folder: Path, *, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run `spilling` with every temporary file in `folder`."""
    environment = {**os.environ, "TMPDIR": str(folder), "SQLITE_TMPDIR": str(folder), "PYTHONPATH": str(PROJECT)}
    command = [*under, sys.executable, "-m", "tests.bundle.spilling", wish, work, str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("work", ["build", "read"])
def test_a_process_that_may_write_no_file_builds_and_sorts_an_index(tmp_path: Path, work: str) -> None:
    done = child("careful", work, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("work", ["build", "read"])
def test_the_same_process_fails_where_sqlite_spills(tmp_path: Path, work: str) -> None:
    done = child("spill", work, tmp_path)
    assert done.returncode == 1
    told = done.stderr.strip().splitlines()[-1]
    assert told.startswith(("apsw.", "repatria.bundle.errors.MalformedError")), done.stderr


@pytest.mark.parametrize("wish", ["careful", "spill"])
def test_a_whole_run_writes_no_name_and_no_content_to_any_file(tmp_path: Path, wish: str) -> None:
    strace, trace, folder = shutil.which("strace"), tmp_path / "trace", tmp_path / "run"
    if strace is None:
        pytest.skip("strace is absent: what a whole run writes is not searched")
    folder.mkdir()
    watched = (strace, "-f", "-qq", "-s", "1000000", "-e", WRITES, "-o", str(trace))
    done = child(wish, "run", folder, under=watched)
    if "ptrace" in done.stderr:
        pytest.skip("strace may not trace here: what a whole run writes is not searched")
    assert done.returncode == 0, done.stderr
    written = trace.read_text(errors="replace")
    assert written.count("pwrite64(") > 100, "the pages of the journal went past the watcher"
    assert (MARKER in written) is (wish == "spill")
    kept = [file for file in folder.rglob("*") if file.is_file()]
    assert {file.name for file in kept} >= {"journal.db", "vol-000001.tar.age", "index-0001.db.age"}
    assert not any(MARKER.encode() in file.read_bytes() for file in kept)
