"""Two trees are the same only if everything is: names, kinds, bytes, links, times, rights."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from demo.compare import differences


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    left, right = tmp_path / "left", tmp_path / "right"
    (left / "folder" / "empty").mkdir(parents=True)
    (left / "folder" / "file").write_text("as it was")
    (left / "link").symlink_to("nowhere")
    shutil.copytree(left, right, symlinks=True)
    return left, right


def test_equal_trees_have_no_differences(trees: tuple[Path, Path]) -> None:
    assert list(differences(*trees)) == []


def _same_size_and_time(root: Path) -> None:
    file = root / "folder" / "file"
    times = file.stat()
    file.write_text("as it WAS")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def _point_elsewhere(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").symlink_to("elsewhere")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "bytes": (_same_size_and_time, "folder/file"),
    "time": (lambda root: os.utime(root / "folder" / "file", (1, 1)), "folder/file"),
    "rights": (lambda root: (root / "folder" / "file").chmod(0o600), "folder/file"),
    "gone": (lambda root: (root / "folder" / "file").unlink(), "folder/file"),
    "come": (lambda root: (root / "new").touch(), "new"),
    "empty folder gone": (lambda root: (root / "folder" / "empty").rmdir(), "folder/empty"),
    "another link": (_point_elsewhere, "link"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_is_seen(trees: tuple[Path, Path], what: str) -> None:
    change, name = CHANGES[what]
    change(trees[1])
    assert list(differences(*trees)) == [name]
