"""The seam to Tesseract: what is missing is said before any work, and the real engine reads a page in memory."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from repatria.errors import UsageError
from repatria.ocr.engine import EngineChoice, Layout, choose_engine, find_tessdata, languages_of
from tests.ocr.making import page


@pytest.fixture(scope="module")
def french() -> EngineChoice:
    try:
        return choose_engine(["fra"])
    except UsageError as error:
        pytest.skip(f"Tesseract cannot be used here: {error.message}")


@pytest.mark.parametrize(
    ("text", "names"),
    [("fra", ("fra",)), ("fra+ara", ("fra", "ara")), ("fra, ara", ("fra", "ara")), ("fra+fra", ("fra",))],
)
def test_languages_are_named_by_plus_or_comma(text: str, names: tuple[str, ...]) -> None:
    assert languages_of(text) == names


@pytest.mark.parametrize("text", ["", "+", "../fra", "fra;ls"])
def test_what_names_no_language_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        languages_of(text)


def environment(folder: Path) -> Mapping[str, str]:
    return {"TESSDATA_PREFIX": str(folder)}


def test_a_missing_language_names_its_package(tmp_path: Path) -> None:
    (tmp_path / "fra.traineddata").touch()
    with pytest.raises(UsageError) as caught:
        choose_engine(["fra", "chi_sim"], environment(tmp_path))
    assert "chi_sim" in caught.value.message
    assert "tesseract-ocr-chi-sim" in caught.value.advice
    assert "fra" in caught.value.advice


def test_without_any_data_the_package_is_named_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        choose_engine(["fra"], environment(tmp_path))
    assert "tesseract-ocr-fra" in caught.value.advice


def test_data_is_found_where_the_environment_says_or_below_it(tmp_path: Path) -> None:
    (tmp_path / "tessdata").mkdir()
    (tmp_path / "tessdata" / "fra.traineddata").touch()
    assert find_tessdata(environment(tmp_path)) == tmp_path / "tessdata"
    assert find_tessdata(environment(tmp_path / "tessdata")) == tmp_path / "tessdata"


def test_pages_cannot_be_turned_without_orientation_data(tmp_path: Path) -> None:
    (tmp_path / "fra.traineddata").touch()
    assert not choose_engine(["fra"], environment(tmp_path)).can_orient


def test_a_page_is_read_with_boxes_lines_and_confidence(french: EngineChoice) -> None:
    words = french.open().read(page(), 150.0)
    assert [word.text for word in words[:4]] == ["La", "campagne", "de", "vaccination"]
    assert words[0].line == 0
    assert words[-1].line == 2
    assert all(0 <= (word.confidence or 0) <= 100 for word in words)
    campagne = words[1].box
    assert 130 < campagne.left < 200
    assert 70 < campagne.top < 120
    assert campagne.width > 150


def test_the_same_page_gives_the_same_words_whoever_came_before(french: EngineChoice) -> None:
    opened = french.open()
    alone = opened.read(page(), 150.0)
    opened.read(page(["Une autre page", "d'autres mots"]), 150.0, Layout.BLOCK)
    assert opened.read(page(), 150.0) == alone


def test_a_page_without_text_has_no_words(french: EngineChoice) -> None:
    assert french.open().read(page([]), 150.0) == []


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_orientation_is_what_turns_the_page_upright(french: EngineChoice, rotation: int) -> None:
    if not french.can_orient:
        pytest.skip("orientation data (tesseract-ocr-osd) is not installed")
    long = page(["Le conseil municipal s'est réuni à la mairie"] * 9, height=1700, width=1400)
    found = french.open().upright(long.rotate(rotation, expand=True))  # Pillow turns counter-clockwise
    assert found is not None
    assert found.rotation == rotation


def test_the_program_is_used_where_the_library_is_not_installed(
    french: EngineChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tesserocr", None)
    monkeypatch.setattr(tempfile, "tempdir", None)
    try:
        choice = choose_engine(french.languages)
    except UsageError:
        pytest.skip("the tesseract program is not installed")
    assert not choice.in_memory
    words = choice.open().read(page(), 150.0)
    assert [word.text for word in words[:4]] == ["La", "campagne", "de", "vaccination"]
    assert (words[0].line, words[0].block) == (0, 0)
    assert words[-1].line == 2
    assert tempfile.tempdir == "/dev/shm"
