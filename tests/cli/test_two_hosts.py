"""Two machines, each with its own state folder, one target: two real processes at the same time."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.making import make_site
from tests.migrate.making import noise
from tests.work.making import MIB


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = make_site(tmp_path, monkeypatch, capsys, {f"{number}": noise(MIB) for number in range(4)})
    with (folder / "d.toml").open("a") as manifest:
        manifest.write('[transfer]\nvolume_size = "1MiB"\n')
    return folder


def start(site: Path, machine: str, *arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "REPATRIA_STATE": str(site / machine), "REPATRIA_LANG": "en"}
    return subprocess.Popen(
        [sys.executable, "-m", "repatria", *arguments],
        cwd=site,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(site: Path, machine: str, *arguments: str) -> tuple[int, str]:
    with start(site, machine, *arguments) as process:
        _out, said = process.communicate(timeout=60)
        return process.returncode, said


def wait_for_volume(site: Path, process: "subprocess.Popen[str]") -> None:
    while not list((site / "vault").rglob("vol-*")):
        assert process.poll() is None
        time.sleep(0.02)


def leases(site: Path) -> list[str]:
    return [file.name for file in (site / "vault").rglob("leases/*")]


def test_the_second_machine_gets_code_7_and_the_first_goes_on_undisturbed(site: Path) -> None:
    with start(site, "one", "copy", "d.toml", "--bandwidth", "4mbit", "-q") as first:
        wait_for_volume(site, first)
        code, said = run(site, "two", "copy", "d.toml")
        assert code == 7
        assert f"process {first.pid}" in said
        assert "is free 40 minutes after its last sign of life" in said
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)
        assert first.returncode == 8
    assert leases(site) == [], "a run that stops ends its lease"
    assert run(site, "one", "copy", "d.toml")[0] == 0
    assert run(site, "one", "verify", "d", "--deep", "-i", "key")[0] == 0


def kill_under_way(site: Path, machine: str) -> None:
    with start(site, machine, "copy", "d.toml", "--bandwidth", "4mbit", "-q") as first:
        wait_for_volume(site, first)
        first.kill()
    assert len(leases(site)) == 1


def test_a_killed_run_blocks_another_machine_and_not_its_own(site: Path) -> None:
    kill_under_way(site, "one")
    (claim,) = (site / "vault").rglob("leases/*")
    claim.write_text(json.dumps({**json.loads(claim.read_text()), "boot": "that of another machine"}))
    assert run(site, "two", "copy", "d.toml")[0] == 7
    assert run(site, "one", "copy", "d.toml")[0] == 0
    assert leases(site) == []
    assert run(site, "one", "verify", "d")[0] == 0, "a lease is nothing unexpected"


def test_a_killed_run_of_which_the_state_is_lost_blocks_nobody_on_its_machine(site: Path) -> None:
    kill_under_way(site, "one")
    shutil.rmtree(site / "one")
    assert run(site, "one", "copy", "d.toml")[0] == 0
    assert leases(site) == []
    assert run(site, "one", "verify", "d", "--deep", "-i", "key")[0] == 0
