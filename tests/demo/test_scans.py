"""The scanner's files: the formats of scanners, the same in every run, old paper with French on it."""

from pathlib import Path

import numpy as np
import pytest
from demo.letters import LETTERS
from demo.scans import write_scan
from demo.sheet import A4, DPI, Face, pages_of, typed_lines
from PIL import Image, ImageFont

BY_NAME = {Path(letter.file).name: letter for letter in LETTERS}


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    for name in ("rapport-0142.tif", "circulaire-0009.pdf", "telegramme-031.jpg", "note-de-service-0230.png"):
        write_scan(BY_NAME[name], folder)
    return folder


def test_they_are_the_same_in_every_run(scans: Path, tmp_path: Path) -> None:
    for name in ("circulaire-0009.pdf", "telegramme-031.jpg"):
        letter = BY_NAME[name]
        write_scan(letter, tmp_path)
        assert (tmp_path / letter.file).read_bytes() == (scans / letter.file).read_bytes()


def test_a_tiff_holds_all_pages_of_its_letter(scans: Path) -> None:
    with Image.open(scans / BY_NAME["rapport-0142.tif"].file) as image:
        assert (image.n_frames, image.size, image.info["dpi"]) == (2, A4, (DPI, DPI))  # type: ignore[attr-defined]  # TIFF has it


def test_a_pdf_holds_pictures_and_no_text(scans: Path) -> None:
    pdf = (scans / BY_NAME["circulaire-0009.pdf"].file).read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert pdf.count(b"/Subtype /Image") == 2
    assert b"/Font" not in pdf


def test_one_sheet_lies_a_quarter_turn_wrong(scans: Path) -> None:
    with Image.open(scans / BY_NAME["note-de-service-0230.png"].file) as image:
        assert image.size == A4[::-1]


def test_the_paper_is_grey_uneven_and_grainy_and_the_ink_dark(scans: Path) -> None:
    with Image.open(scans / BY_NAME["telegramme-031.jpg"].file) as image:
        grey = np.asarray(image, dtype=np.float64)
    assert 120 < np.median(grey) < 200
    assert np.median(grey[:200, :200]) < np.median(grey[1000:1200, 700:900]) - 5
    assert grey[-200:, 600:800].std() > 5
    assert (grey < 90).mean() > 0.005


def test_paragraphs_are_broken_as_a_typist_does_and_tables_stay() -> None:
    lines = list(typed_lines("un mot " * 20 + "\n\n| A    1\n| B    2"))
    assert lines[0].startswith("     un mot")
    assert max(map(len, lines)) <= 66
    assert lines[-3:] == ["A    1", "B    2", ""]


def test_a_font_without_accents_types_without_them() -> None:
    plain = Face(ImageFont.load_default(30), accents=False)
    assert plain.spelt("L'œuvre des Sœurs, n° 5 – été") == "L'oeuvre des Soeurs, no 5 - ete"


def test_every_letter_fits_its_sheets() -> None:
    for letter in LETTERS:
        if letter.wear.quarter_turns == 0:
            *_others, last = pages_of(letter)
            bottom = np.asarray(last, dtype=np.float64)[A4[1] - 60 :, 150:]
            assert bottom.min() > 60, letter.file
