"""What an archival system takes over: parents before children, nothing that a spreadsheet would run."""

import csv
import io
from pathlib import Path

import pytest

from repatria import i18n
from repatria.ocr.batch import Wishes
from repatria.ocr.bordereau import parse_bordereau
from repatria.ocr.digitise import digitise
from repatria.ocr.export import Fonds, fonds_of
from repatria.ocr.export_atom import COLUMNS, atom_csv, safe_cell
from repatria.ocr.intake import ScanFolder
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
        ("vrac", "vrac", 1),
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


HIERARCHY = """Cote;Intitulé;Dates extrêmes;Niveau
3F;Service de la maternité;1949-1970;série
3 F 12;Accouchements;;sous-série
3 F 12/45;Registre;1949-1963;dossier
3 F 12/46;Registre perdu;1964;dossier
3 F 2;Correspondance;vers 1950;dossier
3 F 12/47;;;
"""


@pytest.fixture(scope="module")
def arranged(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder: Path = tmp_path_factory.mktemp("arranged")
    made = Archive(folder)
    write_scans(folder / "pile" / "3F12_045", a__png=encoded(page(width=700)))
    write_scans(folder / "pile" / "vrac" / "lettres", d__png=encoded(page(width=706)))
    told = parse_bordereau(HIERARCHY.encode())
    made.digitise(folder / "pile", wishes=Wishes(FAKE, workers=2, fonds="Santé", bordereau=told))
    return made


def test_what_was_described_and_not_digitised_is_exported_in_its_place(arranged: Archive) -> None:
    rows = exported(arranged)
    assert [(row["identifier"], row["levelOfDescription"], row["parentId"].rpartition("/")[2]) for row in rows] == [
        ("fonds", "Fonds", ""),
        ("3F", "Série", "fonds"),
        ("3 F 2", "Dossier", "3F"),
        ("3 F 12", "Sous-série", "3F"),
        ("3 F 12/45", "Dossier", "3 F 12"),
        ("a", "Item", "45"),
        ("3 F 12/46", "Dossier", "3 F 12"),
        ("vrac/lettres", "File", "fonds"),
        ("d", "Item", "lettres"),
    ]
    assert [row["generalNote"] for row in rows if row["extentAndMedium"] == ""] == [
        *("", "Not digitised.", "", "Not digitised."),
    ]
    seen = {""}
    for row in rows:
        assert row["parentId"] in seen
        seen.add(row["legacyId"])


def test_scans_in_no_folder_belong_to_the_fonds_itself(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    write_scans(tmp_path / "inbox" / "boite", b__png=encoded(page(width=702)))
    write_scans(tmp_path / "inbox", a__png=encoded(page(width=700)))
    with archive.run() as run:
        digitise(run, [ScanFolder(tmp_path / "inbox", prefix="")], Wishes(FAKE, workers=1), archive.desk)
    rows = exported(archive)
    assert [(row["identifier"], row["parentId"]) for row in rows] == [
        ("fonds", ""),
        ("a", "fonds"),
        ("boite", "fonds"),
        ("b", "fonds/dossier/boite"),
    ]
    assert all(row["title"] and row["levelOfDescription"] for row in rows)
