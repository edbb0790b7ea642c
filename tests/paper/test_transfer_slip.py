"""The bordereau de versement: every dossier stands on it, its head on every page, and two can sign it."""

import io
from datetime import UTC, datetime

import pytest
from pypdf import PdfReader

from repatria.paper.transfer_slip import SlipRow, TransferSlip, draw_transfer_slip

MADE = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)


def slip(count: int, title: str = "Maternité de Khombole") -> PdfReader:
    rows = [SlipRow(f"3 F 12/{number}", f"{title} {number}", "1949-1963", 2, 14, "50 ans") for number in range(count)]
    made = TransferSlip("Ministère de la Santé", "Santé", "fonds", "20260131T080000Z-abcdef", "ab" * 32, MADE, rows)
    return PdfReader(io.BytesIO(draw_transfer_slip(made)))


@pytest.mark.parametrize("count", [0, 1, 20, 24, 25, 26, 30, 200])
def test_every_dossier_stands_on_it_and_the_signatures_stand_together(count: int) -> None:
    reader = slip(count)
    texts = [page.extract_text() for page in reader.pages]
    whole = "\n".join(texts)
    assert all(f"3 F 12/{number}" in whole for number in range(count))
    assert whole.count("Signature et cachet") == 2
    assert "Signature et cachet" in texts[-1]
    assert f"Page {len(texts)} sur {len(texts)}" in texts[-1]
    assert "Ministère de la Santé" in texts[0]
    assert f"{14 * count} pages numérisées" in texts[0]


def test_the_heading_of_the_table_stands_on_each_of_its_pages() -> None:
    texts = [page.extract_text() for page in slip(100).pages]
    assert all("Intitulé" in text for text in texts if "3 F 12/" in text)


def test_a_title_without_spaces_or_of_other_scripts_does_not_stop_it() -> None:
    assert len(slip(3, "x" * 400).pages) >= 1
    assert len(slip(3, "مستشفى دكار \x00\n").pages) == 1


def test_it_is_french_whatever_is_spoken() -> None:
    reader = slip(1)
    assert reader.metadata is not None
    assert reader.metadata.title == "Bordereau de versement"
    assert str(reader.root_object["/Lang"]) == "fr"
