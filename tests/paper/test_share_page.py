"""A share's page: everything on one sheet, in any language, and read back as it was written."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from repatria import i18n
from repatria.errors import InternalError
from repatria.paper import share_page
from repatria.paper.share_page import SharePage, draw_share
from repatria.paper.sheet import Sheet, printable

WORDS = [f"academic{number:02d}"[-8:] for number in range(1, 34)]
PAGE = SharePage(
    words=WORDS,
    number=2,
    shares=5,
    threshold=3,
    set_number=12345,
    fingerprint="0123-4567-89ab-cdef-0123-4567-89ab-cdef",
    kind="post-quantum hybrid (age 1.3 or later)",
    purpose="Données de l’hôpital de Fann, cœur",
    made=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
)


def shown(pdf: bytes, *program: str) -> str:
    return subprocess.run([*program, "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()


def facts_of(pdf: bytes, folder: Path) -> str:
    file = folder / "page.pdf"
    file.write_bytes(pdf)
    return subprocess.run(["pdfinfo", file], capture_output=True, check=True, text=True).stdout


def test_the_page_holds_what_custodians_need(tmp_path: Path) -> None:
    pdf = draw_share(PAGE)
    text = shown(pdf, "pdftotext", "-layout")
    assert [word for word in text.split() if word in WORDS] == [
        WORDS[row + column] for row in range(11) for column in (0, 11, 22)
    ]
    assert "Share 2 of 5" in text
    assert "any 3 of the 5 shares of set 12345" in text
    assert PAGE.fingerprint in text
    assert "Données de l’hôpital de Fann, cœur" in text
    assert "2 other custodians" in text
    assert "2026-01-02 03:04 UTC" in text
    assert "repatria keys join" in text


def test_it_is_one_sheet_of_a4_and_its_metadata_hold_no_word(tmp_path: Path) -> None:
    facts = facts_of(draw_share(PAGE), tmp_path)
    assert "Pages:           1\n" in facts
    assert "(A4)" in facts
    assert not [word for word in WORDS if word in facts]


def test_a_page_without_a_purpose(tmp_path: Path) -> None:
    assert "Opens" not in shown(draw_share(replace(PAGE, purpose="")), "pdftotext", "-layout")


@pytest.mark.parametrize("growth", [1.5, 1.9])
def test_sentences_of_a_longer_language_still_fit(growth: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def longer(sentence: str) -> str:
        return sentence + " mot" * int(len(sentence) * (growth - 1) / 4)

    monkeypatch.setattr(share_page, "_", longer)
    text = shown(draw_share(PAGE), "pdftotext", "-layout")
    assert "the same day." in " ".join(text.split())
    assert text.index("Never") < text.index("Signature")


def test_a_text_that_no_type_makes_fit_is_never_printed_cut() -> None:
    sheet = Sheet("x", "en", PAGE.made)
    with pytest.raises(InternalError):
        sheet.fitting([("mot " * 10000, False)], foot=10)


def test_the_page_speaks_the_language_in_use() -> None:
    i18n.use("fr")
    try:
        assert b"/Lang (fr)" in draw_share(PAGE)
    finally:
        i18n.use("en")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Élève, cœur, l’été – 5 €", "Élève, cœur, l’été – 5 €"),
        ("Ạwa Ŝow", "Awa Sow"),
        ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("وزارة", "?????"),
        ("a\nb\tc\x00", "a b c?"),
        ("1\N{NARROW NO-BREAK SPACE}000", "1\N{NO-BREAK SPACE}000"),
    ],
)
def test_what_the_core_fonts_have(text: str, result: str) -> None:
    assert printable(text) == result
