"""A disk that fills up in the middle: what was proven stays, one sentence says so, and the next run goes on."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from repatria import i18n
from repatria.cli.app import run_app

HOSPITAL = Path(__file__).parents[1] / "transcripts" / "hospital.sh"
ROOM = 1_500_000
"""Bytes that the target's disk still holds: one volume, not two."""


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPATRIA_STATE", str(tmp_path / "state"))
    subprocess.run(["sh", HOSPITAL], check=True)
    return tmp_path / "vault"


@pytest.fixture
def full_disk(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let writes below the vault fail, as a full disk does, once `ROOM` bytes are written."""
    real_write, written = os.write, [0]

    def write(descriptor: int, data: bytes) -> int:
        if dataset in Path(f"/proc/self/fd/{descriptor}").readlink().parents:
            written[0] += len(data)
            if written[0] > ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_write(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    yield
    monkeypatch.setattr(os, "write", real_write)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "is full; what was written before is safe.\nMake room there, then run the same command again.\n"),
        ("fr", "est plein ; ce qui a été écrit avant est en sûreté.\nFaites-y de la place, puis relancez"),
    ],
)
@pytest.mark.usefixtures("full_disk")
def test_a_full_target_is_code_5_and_the_next_run_goes_on(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, said: str
) -> None:
    i18n.use(language)
    try:
        with pytest.raises(SystemExit, match="5"):
            run_app(["copy", "fann.toml", "--workers", "1"])
    finally:
        i18n.use("en")
    assert said in capsys.readouterr().err
    monkeypatch.undo()
    environment = {**os.environ, "REPATRIA_STATE": str(dataset.parent / "state")}
    for command in (["copy", "fann.toml"], ["verify", "fann", "--deep", "-i", "key"]):
        subprocess.run(["repatria", *command], cwd=dataset.parent, env=environment, check=True, capture_output=True)
