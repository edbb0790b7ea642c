"""An installation without the part that reads scans: what needs it says so before any work, the rest goes on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = "numpy", "PIL", "pypdf", "pypdfium2", "pytesseract", "snowballstemmer", "tesserocr", "zxingcpp"
WITHOUT = (
    "import sys\n"
    f"sys.modules.update(dict.fromkeys({BLOCKED!r}))\n"  # None there makes an import fail
    "from repatria.__main__ import main\n"
    "main()\n"
)
ADVICE = "pip install '.[ocr]'"


def without_ocr(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "REPATRIA_STATE": str(folder / "s")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        ("ocr", "scans", "--to", "vault", "-r", "key.pub", "--id", "letters"),
        ("show", "letters#a/1", "-i", "key", "-o", "page.png"),
    ],
)
def test_what_needs_it_says_so_before_any_work(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "scans").mkdir()
    done = without_ocr(tmp_path, *command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "The part that reads scans is not installed." in done.stderr
    assert ADVICE in done.stderr
    assert not (tmp_path / "vault").exists()


def test_doctor_warns_with_the_same_words(tmp_path: Path) -> None:
    done = without_ocr(tmp_path, "doctor")
    assert done.returncode == 0
    assert "The part that reads scans is not installed." in done.stdout
    assert ADVICE in done.stdout


def test_an_archive_is_searched_without_it(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a.txt").write_text("a", encoding="utf-8")
    without_ocr(tmp_path, "keys", "new", "-o", "key")
    (tmp_path / "m.toml").write_text(
        'id = "m"\n[[source]]\nuri = "source"\n[target]\nuri = "vault"\n[encryption]\nrecipients = ["key.pub"]\n',
        encoding="utf-8",
    )
    assert without_ocr(tmp_path, "copy", "m.toml").returncode == 0
    done = without_ocr(tmp_path, "search", "word", "m", "-i", "key")
    assert done.returncode == 0, done.stderr
    assert "m holds no pages to search" in done.stderr
    assert "0 pages found" not in done.stderr
