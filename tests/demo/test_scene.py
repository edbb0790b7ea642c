"""The demo's folder: made anew, never anyone else's."""

import os
from pathlib import Path

import pytest
from demo.scene import MARK, empty_scene

from repatria.errors import FullError, UsageError


def test_a_folder_of_an_earlier_demo_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "demo-output"
    (empty_scene(folder).vault / "old").mkdir(parents=True)
    scene = empty_scene(folder)
    assert not scene.vault.exists()
    assert (folder / MARK).is_file()


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert empty_scene(tmp_path).abroad.is_dir()


@pytest.mark.parametrize("theirs", ["file", "folder", "link"])
def test_whatever_no_demo_made_is_not_touched(tmp_path: Path, theirs: str) -> None:
    place = tmp_path / "precious"
    other = tmp_path / "other"
    other.mkdir()
    (other / MARK).touch()
    if theirs == "file":
        place.write_text("thesis")
    elif theirs == "folder":
        place.mkdir()
        (place / "thesis").write_text("years of work")
    else:
        place.symlink_to(other)
    with pytest.raises(UsageError):
        empty_scene(place)
    assert os.path.lexists(place)
    assert (other / MARK).exists()


def test_a_disk_too_small_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.scene.NEEDED_BYTES", 1 << 80)
    with pytest.raises(FullError):
        empty_scene(tmp_path / "demo-output")


def test_commands_see_neither_the_users_home_nor_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("REPATRIA_IDENTITY", "/home/someone/key")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/agent")
    scene = empty_scene(tmp_path / "demo-output")
    environment = scene.environment()
    assert not {"AWS_SECRET_ACCESS_KEY", "REPATRIA_IDENTITY", "SSH_AUTH_SOCK"} & environment.keys()
    for name in ("HOME", "TMPDIR", "REPATRIA_STATE"):
        assert Path(environment[name]).is_relative_to(scene.folder)


def test_its_manifests_and_settings_are_read(tmp_path: Path) -> None:
    from repatria.manifest import load_manifest
    from repatria.settings import load_settings

    scene = empty_scene(tmp_path / "demo-output")
    assert load_manifest(scene.folder / "manifests" / "hopital.toml").transfer.volume_size == 16 << 20
    assert load_manifest(scene.folder / "manifests" / "archives.toml").archive is not None
    assert load_settings({}, scene.folder).state == scene.folder / ".repatria"
