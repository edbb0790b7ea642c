"""A disk that is really full: a file system of a few megabytes."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from repatria.errors import FullError, Role
from repatria.store.local import LocalStore
from repatria.work.stop import StopSignal
from tests.migrate.making import Job, folder_source, noise, write
from tests.work.making import MIB, read_chain, verify

FILES = {f"f{number}": noise(900_000) for number in range(9)}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_keeps_what_is_proven_and_the_copy_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    folder = write(tmp_path / "abroad", FILES)
    job = Job([folder_source(folder)], tmp_path / "state", LocalStore(small_disk, role=Role.TARGET))
    with pytest.raises(FullError) as caught:
        job.run()
    assert caught.value.code == 5
    kept = {file.name for file in small_disk.rglob("vol-*")}
    assert kept
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    job.stop = StopSignal()
    assert job.run().volumes <= 9 - len(kept) + 1
    assert read_chain(job.target) == FILES
    assert verify(job.target, job.state) == []
    job.target.close()
    assert sum(file.stat().st_size for file in small_disk.rglob("vol-*")) < 12 * MIB
