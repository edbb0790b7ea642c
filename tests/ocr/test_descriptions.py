"""What the archivist said last counts: a bordereau that comes late, or again, describes what is there."""

import io
from pathlib import Path

import pypdf
import pytest

from repatria.bundle.rows import DocumentRow
from repatria.errors import UsageError
from repatria.ocr.batch import Wishes
from repatria.ocr.bordereau import parse_bordereau
from repatria.ocr.cotes import place_of
from repatria.ocr.digitise import DigitiseResult
from repatria.ocr.export import fonds_of
from repatria.ocr.query import parse_query
from repatria.ocr.review import review
from repatria.ocr.search import Hit, search, terms_found
from repatria.ocr.show import Reference, find_page
from repatria.ocr.standing import standing_documents
from repatria.work.bundle_volumes import BundleVolumes
from repatria.work.bundling import BundleRun
from tests.cli.making import code
from tests.ocr.archives import DATASET, Archive
from tests.ocr.making import FAKE, encoded, write_scans
from tests.ocr.test_stacks import plain, separator, stack

FIRST = """Cote;Intitulé;Dates extrêmes
3 F 12;Maternité de Khombole;1963
3 F 13;Rougeole;vers 1949
"""


def scanned(folder: Path) -> Archive:
    write_scans(folder / "boite" / "3F12", p1__png=encoded(plain(200)), p2__png=encoded(plain(210)))
    write_scans(folder / "boite" / "3F13", p1__png=encoded(plain(220)))
    return Archive(folder)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return scanned(tmp_path)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return an archive to search, with a row of which no scan is there."""
    made = scanned(tmp_path_factory.mktemp("described"))
    digitise(made, FIRST + "3 F 14;Paludisme;1950\n")
    return made


def digitise(archive: Archive, bordereau: str | None, name: str = "bordereau.csv") -> DigitiseResult:
    told = parse_bordereau(bordereau.encode(), name) if bordereau is not None else None
    return archive.digitise(archive.folder / "boite", wishes=Wishes(FAKE, "Santé", told, workers=1))


def standing(archive: Archive) -> dict[str, DocumentRow]:
    with archive.chain() as chain:
        return {document.row.cote: document.row for document in standing_documents(chain)}


def titles(archive: Archive) -> dict[str, str | None]:
    return {cote.removeprefix("boite/"): row.title for cote, row in sorted(standing(archive).items())}


def hits(archive: Archive, query: str) -> list[Hit]:
    with archive.chain() as chain:
        return search([chain], parse_query(query), 20)


def found(archive: Archive, query: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(hit.cote.removeprefix("boite/"), hit.where) for hit in hits(archive, query)]


def test_a_corrected_bordereau_describes_what_is_there_in_a_new_bundle_and_reads_nothing_anew(archive: Archive) -> None:
    digitise(archive, FIRST)
    before = archive.documents()
    result = digitise(archive, FIRST.replace("Khombole", "Thiès").replace("1963", "1963-1964"))
    assert (result.documents, result.already, result.described) == (0, 3, 1)
    assert result.uri is not None
    assert titles(archive) == {"3F12/p1": "Maternité de Thiès", "3F12/p2": "Maternité de Thiès", "3F13/p1": "Rougeole"}
    assert standing(archive)["boite/3F12/p1"].dates == "1963-1964"
    assert archive.documents() == before, "what was said before stays where it was signed"
    with archive.chain() as chain:
        assert [bundle.statement.documents.count for bundle in chain.bundles] == [3, 0]


def test_the_bordereau_itself_lies_in_the_archive_the_earlier_one_too(archive: Archive) -> None:
    digitise(archive, FIRST, "versement 7.csv")
    corrected = FIRST.replace("Rougeole", "Variole")
    digitise(archive, corrected, "versement 7.csv")
    assert archive.read("bordereaux/versement 7.csv").decode() == corrected
    with archive.chain() as chain:
        kept = [row.size for _bundle, row, _fate in chain.history() if row.path.startswith("bordereaux/")]
    assert sorted(kept) == sorted([len(FIRST.encode()), len(corrected.encode())])


def test_the_same_bordereau_makes_no_bundle(archive: Archive) -> None:
    digitise(archive, FIRST)
    assert digitise(archive, FIRST).uri is None
    assert digitise(archive, FIRST.replace(";", ",")).uri is None, "the same rows, written otherwise"


def test_a_row_that_is_changed_back_counts_again(archive: Archive) -> None:
    for text in (FIRST, FIRST.replace("Rougeole", "Variole"), FIRST):
        assert digitise(archive, text).uri is not None
    assert titles(archive)["3F13/p1"] == "Rougeole"


class CutOffError(BaseException):
    """The machine is gone; no handler of the program may catch it."""


def cut_off(archive: Archive, bordereau: str, name: str = "bordereau.csv", *, before: str = "finish") -> None:
    """Bring a bordereau, and be killed before the bundle is finished, or before a volume is stored."""

    def die(*_given: object, **_named: object) -> None:
        raise CutOffError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BundleVolumes if before == "store" else BundleRun, before, die)
        with pytest.raises(CutOffError):
            digitise(archive, bordereau, name)


WRONG = FIRST.replace("Rougeole", "Variole")


@pytest.mark.parametrize(
    "back", [FIRST, FIRST.replace("Khombole", "Thiès")], ids=["as it was", "with another row corrected"]
)
def test_a_mistake_in_an_unfinished_bundle_can_be_taken_back(archive: Archive, back: str) -> None:
    digitise(archive, FIRST)
    cut_off(archive, WRONG)
    digitise(archive, back)
    assert titles(archive)["3F13/p1"] == "Rougeole"
    assert archive.read("bordereaux/bordereau.csv").decode() == back
    assert digitise(archive, back).uri is None


def test_a_mistake_that_was_finished_without_its_bordereau_can_be_taken_back(archive: Archive) -> None:
    digitise(archive, FIRST)
    cut_off(archive, WRONG)
    digitise(archive, None)
    assert titles(archive)["3F13/p1"] == "Variole"
    digitise(archive, FIRST)
    assert titles(archive)["3F13/p1"] == "Rougeole"


def test_of_two_bordereaux_in_an_unfinished_bundle_the_one_brought_last_counts(archive: Archive) -> None:
    cut_off(archive, FIRST, "a.csv")
    cut_off(archive, WRONG, "b.csv")
    cut_off(archive, FIRST, "a.csv", before="store")
    digitise(archive, FIRST, "a.csv")
    assert titles(archive)["3F13/p1"] == "Rougeole"


def test_a_run_that_was_cut_off_brings_its_bordereau_once(archive: Archive) -> None:
    cut_off(archive, FIRST)
    digitise(archive, FIRST)
    with archive.chain() as chain:
        rows = [row for bundle in chain.bundles for index in bundle.indexes() for row in index.described_folders()]
    assert len(rows) == 2


def test_a_machine_that_takes_an_archive_back_says_its_rows_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, state = archive.folder, archive.state.path
    (folder / "id").write_text(f"{archive.identity.secret_text()}\n")
    (folder / "id").chmod(0o600)
    (folder / "allowed").write_text(f"{archive.signer.key.allowed_line('other')}\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("REPATRIA_STATE", str(state))
    adopt = ("adopt", f"{(folder / 'vault').as_uri()}/{DATASET}", "-i", "id", "--signers", "allowed", "-q")
    digitise(archive, FIRST)
    state.rename(folder / "first")
    assert code(*adopt) == 0
    digitise(archive, WRONG)
    state.rename(folder / "second")
    (folder / "first").rename(state)
    assert code(*adopt) == 0
    digitise(archive, FIRST)
    assert titles(archive)["3F13/p1"] == "Rougeole"


def test_a_bordereau_that_comes_after_the_scans_describes_them(archive: Archive) -> None:
    digitise(archive, None)
    assert titles(archive)["3F12/p1"] == "p1"
    digitise(archive, FIRST)
    assert titles(archive) == {
        "3F12/p1": "Maternité de Khombole",
        "3F12/p2": "Maternité de Khombole",
        "3F13/p1": "Rougeole",
    }
    with archive.chain() as chain:
        page = find_page(chain, Reference("fonds", "3 F 12/2"))
        assert (page.document.cote, page.document.title) == ("boite/3F12/p2", "Maternité de Khombole")
        (fonds,) = fonds_of(chain)
        assert [(dossier.name, dossier.title) for dossier in fonds.dossiers] == [
            ("3 F 12", "Maternité de Khombole"),
            ("3 F 13", "Rougeole"),
        ]
        assert {entry.document.row.title for entry in review(chain).entries} <= {"Maternité de Khombole", "Rougeole"}


def test_a_bordereau_of_other_dossiers_leaves_what_was_said_of_these(archive: Archive) -> None:
    digitise(archive, FIRST)
    digitise(archive, "Cote;Intitulé\n9 Z 1;Autre versement\n")
    assert titles(archive)["3F12/p1"] == "Maternité de Khombole"


def test_a_corrected_cote_is_the_one_that_show_takes(archive: Archive) -> None:
    told = "Cote;Intitulé;Fichier\n{};Maternité;boite/3F12\n"
    digitise(archive, told.format("3 F 99"))
    digitise(archive, told.format("3 F 120"))
    with archive.chain() as chain:
        assert find_page(chain, Reference("fonds", "3 F 120/2")).document.cote == "boite/3F12/p2"
        with pytest.raises(UsageError):
            find_page(chain, Reference("fonds", "3 F 99/2"))


def test_what_a_separator_sheet_told_is_described_by_the_row_of_its_cote(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    pile = stack(separator("3 F 13"), plain(200), separator("3 F 12"), plain(210))
    write_scans(tmp_path / "boite" / "3F12", pile__tif=pile)
    digitise(archive, None)
    digitise(archive, FIRST)
    assert sorted(title or "" for title in titles(archive).values()) == ["Maternité de Khombole", "Rougeole"]


def test_a_pdf_bears_the_intitule_and_without_one_the_name_of_its_scan(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    pile = stack(separator("3 F 13"), plain(200), separator("3 F 99"), plain(210))
    write_scans(tmp_path / "boite" / "3F12", lettre__png=encoded(plain(220)), pile__tif=pile)
    digitise(archive, FIRST)
    assert [
        pypdf.PdfReader(io.BytesIO(archive.read(f"pdf/boite/3F12/{name}.pdf"))).metadata["/Title"]  # type: ignore[index]  # it has metadata
        for name in ("lettre", "pile.tif/document-001", "pile.tif/document-002")
    ] == ["Maternité de Khombole", "Rougeole", "pile"]


def test_a_machine_that_forgot_says_it_once_more_and_no_more(archive: Archive) -> None:
    digitise(archive, FIRST)
    (archive.state.dataset("fonds") / "rows.seen").unlink()
    assert digitise(archive, FIRST).described == 2
    assert digitise(archive, FIRST).uri is None
    assert titles(archive)["3F13/p1"] == "Rougeole"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("khombole", [("3F12/p1", ("title",))]),
        ("maternites khombole", [("3F12/p1", ("title",))]),
        ("1963", [("3F12/p1", ("dates",))]),
        ("maternité 1963", [("3F12/p1", ("title", "dates"))]),
        ('"3 F 13"', [("3F13/p1", ("reference",))]),
        ("khombolle", [("3F12/p1", ("title",))]),
        ("p2", [("3F12/p2", ("name",))]),
        ("rougeole khombole", []),
    ],
)
def test_a_dossier_is_found_by_what_is_said_of_it_once(
    described: Archive, query: str, expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert found(described, query) == expected


def test_a_hit_in_a_description_shows_it(described: Archive) -> None:
    (hit,) = hits(described, "maternité 1963")
    assert (hit.reference, hit.snippet, hit.confidence) == (
        "fonds#boite/3F12/p1/1",
        "[Maternité] de Khombole / [1963]",
        None,
    )


def test_words_that_were_corrected_are_found_no_more(archive: Archive) -> None:
    digitise(archive, FIRST)
    digitise(archive, FIRST.replace("Khombole", "Thiès"))
    assert found(archive, "khombole") == []
    assert found(archive, "thies") == [("3F12/p1", ("title",))]


def test_rows_that_a_bordereau_has_no_more_are_counted_and_still_stand(archive: Archive) -> None:
    digitise(archive, FIRST)
    fewer = FIRST.replace("3 F 13;Rougeole;vers 1949\n", "")
    told = digitise(archive, fewer)
    assert (told.left_out, told.described) == (1, 0)
    assert titles(archive)["3F13/p1"] == "Rougeole"
    assert digitise(archive, fewer).left_out == 0, "it is said once"
    assert digitise(archive, fewer, "autre.csv").left_out == 0, "another bordereau is about other dossiers"


def test_a_row_of_a_cote_alone_takes_back_what_was_said(archive: Archive) -> None:
    digitise(archive, FIRST)
    digitise(archive, FIRST.replace("3 F 13;Rougeole;vers 1949", "3 F 13;;"))
    row = standing(archive)["boite/3F13/p1"]
    assert (row.title, row.dates, row.reference) == ("p1", None, "3 F 13")
    assert found(archive, "rougeole") == []


def test_a_title_given_after_the_scans_finds_them(archive: Archive) -> None:
    digitise(archive, None)
    digitise(archive, FIRST)
    assert found(archive, "khombole") == [("3F12/p1", ("title",))]


def test_a_row_without_scans_is_found_as_what_it_is(described: Archive) -> None:
    (hit,) = hits(described, "paludisme")
    assert (hit.reference, hit.page, hit.where) == ("fonds#3 F 14", 0, ("title",))


def test_it_is_told_which_words_of_a_query_are_found_alone(described: Archive) -> None:
    with described.chain() as chain:
        assert terms_found([chain], parse_query("rougeole Khombole citerne")) == {
            "rougeole": True,
            "Khombole": True,
            "citerne": False,
        }


@pytest.mark.parametrize(
    ("cote", "place"),
    [
        ("boite/lettre", "boite/lettre"),
        ("boite/lettre.tif", "boite/lettre"),
        ("boite/v1.2/lettre", "boite/v1.2/lettre"),
        ("boite/pile.tif/document-002", "boite/pile"),
    ],
)
def test_a_document_lies_where_its_scan_lay(cote: str, place: str) -> None:
    assert place_of(cote) == place
