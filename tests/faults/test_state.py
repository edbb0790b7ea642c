"""The machine's own disk: a state folder that is full or read-only, and one that two users share."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.making import Ended, Site, make_site, sha256_of
from tests.migrate.making import noise, write
from tests.work.making import MIB

FILES = {f"{number}": noise(MIB - 5_000 * number) for number in range(6)}
AMINATA, MOUSSA, GROUP = 60_001, 60_002, 60_003
"""Two users and their group."""
PROGRAM = (sys.executable, "-B", "-m", "repatria")


@pytest.fixture
def small_state(site: Site) -> Iterator[Path]:
    """Let the state folder be a disk of its own, of 512 KiB."""
    disk = site.folder / "state"
    shutil.rmtree(disk, ignore_errors=True)
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    write(tmp_path / "abroad", FILES)
    return make_site(tmp_path)


def fill_up(disk: Path) -> Path:
    """Leave no byte free on a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass
    return ballast


def assert_told(ended: Ended, advice: str) -> None:
    """One sentence, what to do, and nothing that looks done."""
    assert ended.code == 2, ended.said
    assert "repatria: " in ended.said
    assert advice in ended.said
    assert "Traceback" not in ended.said
    assert ended.out == ""


def assert_whole(site: Site) -> None:
    ended = site.run("copy", "d.toml")
    assert ended.code == 0, ended.said
    assert site.held() == sha256_of(FILES)
    assert site.run("verify", "d", "--deep", "-i", "key").code == 0


def test_a_state_folder_that_is_full_before_anything_is_written(site: Site, small_state: Path) -> None:
    ballast = fill_up(small_state)
    assert_told(site.run("copy", "d.toml"), "Make room")
    assert not list((site.folder / "vault").rglob("statement.json"))
    ballast.unlink()
    assert_whole(site)


def test_a_state_folder_that_fills_up_under_the_copy(site: Site, small_state: Path) -> None:
    with site.start("copy", "d.toml", "--bandwidth", "16mbit") as process:
        while not list((site.folder / "vault").rglob("vol-*")):
            assert process.poll() is None
            time.sleep(0.02)
        ballast = fill_up(small_state)
        out, said = process.communicate(timeout=60)
    assert_told(Ended(process.returncode, out, said), "Make room")
    assert not list((site.folder / "vault").rglob("statement.json"))
    kept = len(list((site.folder / "vault").rglob("vol-*")))
    ballast.unlink()
    assert_whole(site)
    assert len(list((site.folder / "vault").rglob("vol-*"))) <= kept + 7, "what was proven is not sent again"


def test_a_state_folder_that_is_read_only(site: Site, small_state: Path) -> None:
    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", small_state], check=True)

    remount("ro")
    assert_told(site.run("copy", "d.toml"), "Give this user rights")
    remount("rw")
    assert_whole(site)
    remount("ro")
    (site.folder / "abroad/new").write_bytes(b"new")
    assert_told(site.run("copy", "d.toml"), "Give this user rights")
    remount("rw")
    assert site.run("copy", "d.toml").code == 0
    assert site.held() == sha256_of({**FILES, "new": b"new"})


@pytest.fixture
def shared_site() -> Iterator[Site]:
    """Make a folder that a group writes to; it is none of pytest's own, into which only their owner may look."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can be two other users")
    with tempfile.TemporaryDirectory(prefix="repatria-shared-") as name:
        folder = Path(name)
        write(folder / "abroad", FILES)
        site = make_site(folder)
        for file in (folder, *folder.rglob("*")):
            os.chown(file, AMINATA, GROUP)
            file.chmod(0o2770 if file.is_dir() else 0o660)
        yield site


def by(user: int, site: Site, *arguments: str) -> "subprocess.Popen[str]":
    """Begin a command as one of the group."""
    return subprocess.Popen(
        ["setpriv", f"--reuid={user}", f"--regid={GROUP}", "--clear-groups", *PROGRAM, *arguments],
        cwd=site.folder,
        env={**os.environ, "REPATRIA_STATE": str(site.folder / "state"), "REPATRIA_LANG": "en", "HOME": "/nonexistent"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        umask=0o007,
    )


def test_of_two_users_who_share_a_state_the_second_waits_and_may_go_on(shared_site: Site) -> None:
    (shared_site.folder / "state").mkdir(exist_ok=True)
    (shared_site.folder / "state").chmod(0o2770)
    os.chown(shared_site.folder / "state", AMINATA, GROUP)
    with by(AMINATA, shared_site, "copy", "d.toml", "--bandwidth", "8mbit", "-q") as first:
        while not list((shared_site.folder / "vault").rglob("vol-*")):
            assert first.poll() is None, first.communicate()
            time.sleep(0.02)
        with by(MOUSSA, shared_site, "copy", "d.toml") as second:
            _out, said = second.communicate(timeout=60)
        assert second.returncode == 7, said
        assert str(first.pid) in said
        first.kill()
        first.communicate(timeout=60)
    for user, command in ((MOUSSA, "copy"), (AMINATA, "copy"), (MOUSSA, "verify")):
        with by(user, shared_site, command, "d") as process:
            _out, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert shared_site.held() == sha256_of(FILES)
