"""`inventory` and `plan`: words for people in their language, and options checked before anything is read."""

import json
from pathlib import Path

import pytest

from repatria.cli.kind_words import WORDS, kind_word, signs_text
from repatria.i18n import use
from tests.cli.making import MANIFEST, code, make_site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = make_site(tmp_path, monkeypatch, capsys, {"patients.csv": b"nom;naissance\nDiop;2001\n", "b": b"2"})
    (folder / "d.toml").write_text(MANIFEST.replace("public", "health"))
    return folder


def test_every_word_is_french_in_french() -> None:
    use("fr")
    try:
        same = {word for word in WORDS if kind_word(word) == word}
        assert signs_text({"nin number": 1200}) == "numéro NIN 1\u202f200"
    finally:
        use("en")
    assert same <= {"image", "audio"}
    assert kind_word("dicom") == "dicom"


@pytest.mark.usefixtures("site")
def test_json_keeps_the_bare_words(capsys: pytest.CaptureFixture[str]) -> None:
    use("fr")
    try:
        assert code("inventory", "d.toml", "--json") == 0
    finally:
        use("en")
    found = json.loads(capsys.readouterr().out.splitlines()[0])
    assert found["kinds"]["csv"]["signs"] == {"birth": 1, "name": 1}


def test_links_and_folders_are_told_of_where_there_are_some(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("inventory", "d.toml") == 0
    assert "links" not in capsys.readouterr().out
    (site / "abroad/link").symlink_to("b")
    assert code("inventory", "d.toml") == 0
    assert "3 with links and folders" in capsys.readouterr().out


@pytest.mark.parametrize("command", [("plan",), ("copy", "--dry-run"), ("copy",)])
def test_a_window_that_is_none_is_refused_before_the_source_is_asked(
    site: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "abroad").rename(site / "elsewhere")
    assert code(*command, "d.toml", "--window", "25:00-06:00") == 2
    assert "25:00" in capsys.readouterr().err


def test_a_listing_is_counted_without_the_source(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("inventory", "d.toml", "--export-csv", "list.csv") == 0
    (site / "abroad").rename(site / "elsewhere")
    capsys.readouterr()
    assert code("inventory", "d.toml", "--from", "list.csv", "--json") == 0
    found = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (found["objects"], found["bytes"], found["kinds"]["csv"]["sampled"]) == (2, 25, 0)
    assert code("inventory", "d.toml", "d.toml", "--from", "list.csv") == 2
    assert "one manifest" in capsys.readouterr().err
