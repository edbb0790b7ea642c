"""The state folder: its key, what it remembers, and who may read it."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repatria.errors import UsageError
from repatria.work.state import KEY_LENGTH, Remembered, StateFolder


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_the_key_is_made_once(tmp_path: Path) -> None:
    key = StateFolder(tmp_path / "state").key()
    assert len(key) == KEY_LENGTH
    assert StateFolder(tmp_path / "state").key() == key


def test_runs_that_begin_at_once_agree_on_the_key(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _number: state.key(), range(32)))
    assert len(keys) == 1
    assert [entry.name for entry in state.path.iterdir()] == ["key"]


def test_a_private_folder_keeps_private_files(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    state.key()
    state.remember("d", Remembered("SHA256:x", "b", "00"))
    assert mode(state.path) == 0o700
    assert mode(state.path / "key") == 0o600
    assert mode(state.dataset("d")) == 0o700
    assert mode(state.dataset("d") / "trust.json") == 0o600


def test_a_folder_of_a_group_keeps_files_for_the_group(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o2770)
    state = StateFolder(folder)
    state.key()
    state.remember("d", Remembered("SHA256:x", "b", "00"))
    assert mode(folder / "key") == 0o640
    assert mode(state.dataset("d")) == 0o2770
    assert mode(state.dataset("d") / "trust.json") == 0o660


def test_a_damaged_key_is_refused_with_advice(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(UsageError) as caught:
        state.key()
    assert caught.value.advice


def test_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        StateFolder(tmp_path / "file" / "state").key()


def test_it_remembers_signer_and_head(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    assert state.remembered("d") is None
    state.remember("d", Remembered("SHA256:a", "b1", "11"))
    state.remember("d", Remembered("SHA256:a", "b2", "22"))
    assert StateFolder(tmp_path).remembered("d") == Remembered("SHA256:a", "b2", "22")
    assert list(state.datasets()) == ["d"]


@pytest.mark.parametrize("text", ["{", "[]", '{"signer": "x"}', '{"signer": 1, "bundle": 2, "statement_sha256": 3}'])
def test_a_damaged_memory_is_no_memory_lost_silently(tmp_path: Path, text: str) -> None:
    state = StateFolder(tmp_path)
    (state.dataset("d") / "trust.json").write_text(text)
    with pytest.raises(UsageError):
        state.remembered("d")
