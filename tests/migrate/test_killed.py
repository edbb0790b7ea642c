"""A copy that is killed at random instants, again and again, and comes to its end whole."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from repatria.bundle.chain import Chain
from repatria.crypt.identity import load_identities
from repatria.store.local import LocalStore
from tests.migrate.making import noise, write
from tests.work.making import MIB

FILES = {
    **{f"dossiers/{number}": noise(number * 1_000) for number in range(60)},
    "grand.sql": noise(7 * MIB + 321),
    "zz": b"",
}
MANIFEST = """id = "d"
[[source]]
uri = "abroad"
[target]
uri = "vault"
[encryption]
recipients = ["key.pub"]
[transfer]
volume_size = "1MiB"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write(tmp_path / "abroad", FILES)
    (tmp_path / "d.toml").write_text(MANIFEST)
    assert run(tmp_path, "keys", "new", "-o", "key", "-q") == 0
    return tmp_path


def start(site: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "REPATRIA_STATE": str(site / "state"), "REPATRIA_LANG": "en"}
    return subprocess.Popen(
        [sys.executable, "-m", "repatria", *arguments],
        cwd=site,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(site: Path, *arguments: str) -> int:
    with start(site, *arguments) as process:
        process.communicate()
        return process.returncode


def test_a_copy_killed_at_random_instants_comes_to_its_end(site: Path) -> None:
    """`./run soak` does this for hours."""
    chance = random.Random(2)  # noqa: S311 -- the same instants every time, not a secret
    kills = 0
    while kills < 6:
        with start(site, "copy", "d.toml", "--bandwidth", "40mbit") as process:
            try:
                process.communicate(timeout=chance.uniform(0.7, 2.5))
                break  # it came to its end
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
    assert run(site, "copy", "d.toml") == 0
    assert run(site, "verify", "d", "--deep", "-i", "key") == 0
    chain = Chain.load(LocalStore(site / "vault"), "d", identities=load_identities(site / "key", None))
    assert {row.path: b"".join(owner.read_object(row)) for owner, row in chain.objects()} == FILES
    volumes = [file for file in (site / "vault").rglob("vol-*")]
    assert len(volumes) <= 8 + 4 * kills + 1, "what was proven is not sent again"


def test_a_copy_asked_to_stop_ends_soon_with_code_8_and_goes_on(site: Path) -> None:
    with start(site, "copy", "d.toml", "--bandwidth", "8mbit") as process:
        assert process.stdout is not None
        while not list((site / "vault").rglob("vol-*")):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _out, said = process.communicate(timeout=60)
    assert process.returncode == 8
    assert b"Nothing is lost." in said
    assert run(site, "copy", "d.toml") == 0
    assert run(site, "verify", "d", "--deep", "-i", "key") == 0


def test_ctrl_c_is_code_130(site: Path) -> None:
    with start(site, "copy", "d.toml", "--bandwidth", "8mbit", "-q") as process:
        while not list((site / "vault").rglob("vol-*")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert run(site, "copy", "d.toml") == 0


def test_a_second_copy_at_the_same_time_is_told_who_is_at_work(site: Path) -> None:
    with start(site, "copy", "d.toml", "--bandwidth", "1mbit") as first:
        while not (site / "state/datasets/d/journal.db").exists():
            assert first.poll() is None
        with start(site, "copy", "d.toml") as second:
            _out, said = second.communicate()
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)
    assert second.returncode == 7
    assert str(first.pid).encode() in said
