"""The archivist's table: how it is read, which scans its rows mean, what is missing on either side."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.errors import UsageError
from repatria.ocr.bordereau import Bordereau, Entry, parse_bordereau
from repatria.ocr.description import Description
from repatria.ocr.reconciling import NAMED_IN_FOLDER, reconcile

TABLE = """Cote;Intitulé;Dates extrêmes;Importance matérielle;Communicabilité;Boîte
3 F 12/45;"Maternité ; travaux";1960-1963;2 cm;50 ans;7
3 F 12/46;Épidémies;1949;;;
"""


def rows(text: str, encoding: str = "utf-8") -> Bordereau:
    return parse_bordereau(text.encode(encoding))


def never(_entry: Entry) -> bool:
    return False


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("windows-1252", "Windows-1252"),
        ("utf-16", "UTF-16"),
    ],
)
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_spreadsheets_write_is_read_and_said(encoding: str, said: str, delimiter: str, end: str) -> None:
    cells = csv.reader(io.StringIO(TABLE), delimiter=";")
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator=end).writerows(cells)
    bordereau = parse_bordereau(written.getvalue().encode(encoding))
    assert (bordereau.encoding, bordereau.delimiter, bordereau.others) == (said, delimiter, ("Boîte",))
    first, second = (entry.description for entry in bordereau.entries)
    assert first == Description(
        reference="3 F 12/45",
        title="Maternité ; travaux",
        dates="1960-1963",
        extent="2 cm",
        access="50 ans",
        other={"Boîte": "7"},
    )
    assert (second.reference, second.title, second.dates, second.other) == ("3 F 12/46", "Épidémies", "1949", {})


@pytest.mark.parametrize(
    ("header", "element", "kept"),
    [
        ("INTITULÉ", "title", "x"),
        ("Intitule / analyse", "title", "x"),
        ("Niveau de description", "level", "x"),
        ("Service producteur", "creator", "x"),
        ("Portée et contenu", "scope", "x"),
        ("Conditions d’accès", "access", "x"),
        ("Langue des documents", "language", "x"),
        ("Observations", "notes", "x"),
        ("Date de début", "dates", "x"),
    ],
)
def test_columns_are_known_by_their_french_names_however_written(header: str, element: str, kept: str) -> None:
    (entry,) = rows(f"Titre inconnu;cote;{header}\n;1;x\n").entries
    assert getattr(entry.description, element) == kept


def test_of_two_columns_for_one_element_the_likelier_is_it_and_the_other_is_kept() -> None:
    (entry,) = rows("Analyse;Titre;Cote\nanalysé;titré;1\n").entries
    assert entry.description.title == "titré"
    assert entry.description.other == {"Analyse": "analysé"}


def test_what_follows_a_telling_word_in_a_header_does_not_matter() -> None:
    bordereau = rows("N° d'article;Intitulé du dossier;Dates extrêmes (AAAA-AAAA);Sort final\n7;Eau;1960-1975;C\n")
    told = bordereau.entries[0].description
    assert (told.reference, told.title, told.dates, told.other) == ("7", "Eau", "1960-1975", {"Sort final": "C"})


def test_two_dates_are_joined() -> None:
    assert rows("Cote,Date début,Date fin\n1,1960,1975\n").entries[0].description.dates == "1960-1975"


def test_titles_above_the_header_and_what_excel_adds_are_passed_over() -> None:
    bordereau = rows("sep=;\r\nBordereau de versement;;\r\n;;\r\nCote;Titre;Notes\r\n1;a;b\r\n;;\r\n2;c;d\r\n")
    assert [entry.line for entry in bordereau.entries] == [5, 7]


def test_a_cell_of_several_lines_counts_as_it_stands() -> None:
    first, second = rows('Cote;Titre\n1;"deux\nlignes"\n2;b\n').entries
    assert (first.line, second.line, first.description.title) == (2, 4, "deux\nlignes")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "header"),
        (b"Nom;Date\na;b\n", "header"),
        (b"Cote\n1\n", "header"),
        (b"Cote;Titre\n", "no rows"),
        (b"Cote;Titre\n1;a;b\n", "Line 2"),
        (b'Cote;Titre\n1;"a\n', "CSV"),
        (b"Cote;Titre\n3F12;a\n3 F 012;b\n", "Lines 2 and 3"),
        (b"Cote;Titre\x81\n1;a\n", "neither"),
        (b"PK\x03\x04\x00\x00", "neither"),
    ],
)
def test_what_cannot_be_told_for_certain_is_refused_with_its_line(data: bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_bordereau(data)


@pytest.mark.parametrize(
    ("path", "reference"),
    [
        ("scans/3F12_45/1.tif", "3F12/45"),
        ("scans/3 F 12-045/verso/1.tif", "3F12/45"),
        ("scans/3F12/45/1.tif", "3F12/45"),
        ("scans/3F12/45.pdf", "3F12/45"),
        ("3F12-45.pdf", "3F12/45"),
        ("scans/3F12/46/1.tif", "3F12"),
        ("scans/1/9.tif", "1"),
        ("scans/3F12/1.tif", "3F12"),
        ("scans/B7/lettre.tif", "B 7"),
        ("scans/vrac/registre.pdf", "R9"),
        ("scans/1.tif", "1"),
        ("scans/vrac/1.tif", None),
        ("scans/rien/9.tif", None),
    ],
)
def test_a_row_is_meant_by_the_folder_or_file_that_bears_its_cote(path: str, reference: str | None) -> None:
    bordereau = rows("Cote;Titre;Fichier\n3F12;a;\n3F12/45;b;\n1;c;\nB 7;d;\nR9;e;vrac\\registre.pdf\n")
    entries = bordereau.above(path)
    assert (entries[-1].description.reference if entries else None) == reference


def test_rows_without_scans_and_scans_without_rows_are_named() -> None:
    bordereau = rows("Cote;Titre;Niveau\n3F;Fonds;Fonds\n3F12;a;dossier\n3F13;b;dossier\n;sans cote;\n3F14;c;dossier\n")
    archived = {"3F14"}
    compared = reconcile(bordereau, ["s/3F12/1.tif", "s/a.tif"], lambda entry: entry.description.reference in archived)
    findings = compared.findings
    assert compared.counts() == {"rows": 4, "scanned": 2, "context": 1, "bare": 1, "unnamed": 1, "orphans": 1}
    assert [(finding.kind, finding.path) for finding in findings] == [
        ("unexpected", None),
        ("missing", "3F13"),
        ("unexpected", "s/a.tif"),
    ]
    assert "line 5" in findings[0].subject
    assert not any("3F13" in finding.subject + finding.detail for finding in findings)


def test_of_a_large_folder_without_a_row_the_folder_is_named() -> None:
    pages = [f"s/vrac/{number}.tif" for number in range(NAMED_IN_FOLDER + 1)]
    (finding,) = reconcile(rows("Cote;Titre\n1;a\n"), pages, lambda _entry: True).findings
    assert finding.path == "s/vrac/"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_bordereau(b"Cote;Titre;Notes\n" + data)
    except UsageError as error:
        assert error.advice  # noqa: PT017 -- both outcomes are right


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12), min_size=3, max_size=3))
def test_what_a_spreadsheet_writes_comes_back(cells: list[str]) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["Cote", "Titre", "Notes", "Autre"], ["3F12", *cells]])
    (entry,) = rows(written.getvalue()).entries
    told = entry.description
    assert [told.title, told.notes, told.other.get("Autre", "")] == [cell.strip() for cell in cells]
