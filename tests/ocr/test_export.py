"""What an archival system takes over: parents before children, nothing that a spreadsheet would run."""

import csv
import io
from pathlib import Path

import pytest

from repatria import i18n
from repatria.ocr.batch import Wishes
from repatria.ocr.bordereau import parse_bordereau
from repatria.ocr.export import Fonds, fonds_of
from repatria.ocr.export_atom import COLUMNS, atom_csv, safe_cell
from tests.ocr.archives import Archive
from tests.ocr.making import FAKE, encoded, page, write_scans

BORDEREAU = """Cote;Intitulé;Dates extrêmes;Producteur;Communicabilité;Observations;Boîte
3 F 12/45;Maternité | Khombole;1949-1963;Ministère de la Santé;50 ans;=HYPERLINK("x");7
3 F 12/46;+Rougeole;vers 1949;Ministère de la Santé;;;
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder: Path = tmp_path_factory.mktemp("export")
    made = Archive(folder)
    write_scans(folder / "pile" / "3F12_045", a__png=encoded(page(width=700)), b__png=encoded(page(width=702)))
    write_scans(folder / "pile" / "3F12_046", c__png=encoded(page(width=704)))
    write_scans(folder / "pile" / "vrac", d__png=encoded(page(width=706)))
    made.digitise(
        folder / "pile", wishes=Wishes(FAKE, workers=2, fonds="Santé", bordereau=parse_bordereau(BORDEREAU.encode()))
    )
    return made


def exported(archive: Archive, objects: str | None = None) -> list[dict[str, str]]:
    with archive.chain() as chain:
        data = b"".join(atom_csv("fonds", fonds_of(chain), objects))
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"))))


def test_fonds_dossiers_and_documents_as_they_stand(archive: Archive) -> None:
    with archive.chain() as chain:
        (fonds,) = fonds_of(chain)
    assert fonds.title == "Santé"
    assert [(dossier.name, dossier.title, dossier.pages) for dossier in fonds.dossiers] == [
        ("3 F 12/45", "Maternité | Khombole", 2),
        ("3 F 12/46", "+Rougeole", 1),
        ("pile/vrac", "pile/vrac", 1),
    ]
    assert (fonds.documents, fonds.pages, fonds.creator) == (4, 4, "")


def test_the_columns_are_those_of_the_template(archive: Archive) -> None:
    assert list(exported(archive)[0]) == list(COLUMNS)
    assert len(set(COLUMNS)) == len(COLUMNS) == 56


def test_every_parent_stands_before_its_children(archive: Archive) -> None:
    rows = exported(archive)
    seen = {""}
    for row in rows:
        assert row["parentId"] in seen
        assert row["legacyId"] not in seen
        seen.add(row["legacyId"])
    assert [row["levelOfDescription"] for row in rows] == [
        "Fonds",
        "File",
        "Item",
        "Item",
        "File",
        "Item",
        "File",
        "Item",
    ]


def test_what_the_bordereau_says_stands_in_its_column(archive: Archive) -> None:
    row = exported(archive)[1]
    assert row["identifier"] == "3 F 12/45"
    assert row["title"] == "Maternité | Khombole"
    assert row["accessConditions"] == "50 ans"
    assert row["extentAndMedium"] == "2 scanned pages"
    assert (row["eventDates"], row["eventStartDates"], row["eventEndDates"]) == ("1949-1963", "1949", "1963")
    assert (row["eventTypes"], row["eventActors"]) == ("Creation", "Ministère de la Santé")
    assert row["language"] == "fr"
    assert row["generalNote"] == '\'=HYPERLINK("x")|Boîte: 7'


def test_no_cell_is_a_formula(archive: Archive) -> None:
    for row in exported(archive):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    assert exported(archive)[4]["title"] == "'+Rougeole"
    assert exported(archive)[4]["eventStartDates"] == ""
    assert safe_cell("3 F 12") == "3 F 12"


def test_documents_name_what_show_takes_and_where_their_pdf_lies(archive: Archive) -> None:
    row = exported(archive)[2]
    assert (row["identifier"], row["title"], row["locationOfCopies"]) == ("a", "a", "fonds#pile/3F12_045/a")
    assert row["digitalObjectPath"] == ""
    assert exported(archive, "/srv/atom/")[2]["digitalObjectPath"] == "/srv/atom/pdf/pile/3F12_045/a.pdf"


def test_levels_and_events_are_called_as_atom_calls_them_in_french(archive: Archive) -> None:
    i18n.use("fr")
    try:
        rows = exported(archive)
    finally:
        i18n.use("en")
    assert [row["levelOfDescription"] for row in rows[:3]] == ["Fonds", "Dossier", "Pièce"]
    assert rows[1]["eventTypes"] == "Création/Production"
    assert {row["culture"] for row in rows} == {"fr"}


def test_two_fonds_stand_apart(archive: Archive) -> None:
    with archive.chain() as chain:
        (fonds,) = fonds_of(chain)
    rows = b"".join(atom_csv("fonds", [fonds, Fonds("Autre", ())])).decode().splitlines()
    assert [row.split(",")[0] for row in rows if ",Fonds," in row] == ["fonds/fonds/Santé", "fonds/fonds/Autre"]
