"""Words of which some stand on a page and the others in what the archivist says of it are found together."""

from pathlib import Path

import pytest

from repatria.errors import UsageError
from repatria.ocr.batch import Wishes
from repatria.ocr.bordereau import parse_bordereau
from repatria.ocr.query import parse_query
from repatria.ocr.search import Hit, search
from repatria.ocr.show import Reference, find_page
from tests.ocr.archives import Archive
from tests.ocr.making import FAKE, encoded, write_scans
from tests.ocr.test_stacks import plain, separator, stack

FIRST = """Cote;Intitulé;Dates extrêmes
3 F 12;Maternité de Khombole;1963
3 F 13;Rougeole;vers 1949
3 F 14;Paludisme à Podor;1950
3 F 15;;
"""
SECOND = FIRST.replace("Khombole;1963", "Khombole;1971")


def digitise(archive: Archive, bordereau: str | None) -> None:
    told = parse_bordereau(bordereau.encode()) if bordereau is not None else None
    archive.digitise(archive.folder / "boite", wishes=Wishes(FAKE, "Santé", told, workers=1))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return an archive whose rows came in a later bundle than its pages, and one of them once more.

    On each page stands `page de largeur N`, N being twice the picture's width.
    """
    folder = tmp_path_factory.mktemp("combining")
    write_scans(folder / "boite" / "3F12", lettre__png=encoded(plain(200)), p2__png=encoded(plain(210)))
    write_scans(folder / "boite" / "3F13", p1__png=encoded(plain(220)))
    write_scans(folder / "boite" / "vrac", p1__png=encoded(plain(230)))
    write_scans(folder / "boite", pile__tif=stack(separator("3 F 13"), plain(240)))
    made = Archive(folder)
    for bordereau in (None, FIRST, SECOND):
        digitise(made, bordereau)
    return made


def hits(archive: Archive, query: str, limit: int = 20) -> list[Hit]:
    with archive.chain() as chain:
        return search([chain], parse_query(query), limit)


def found(archive: Archive, query: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(hit.reference.removeprefix("fonds#boite/"), hit.where) for hit in hits(archive, query)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("largeur 1971", [("3F12/lettre/1", ("page", "dates")), ("3F12/p2/1", ("page", "dates"))]),
        ("1971 420 khombole", [("3F12/p2/1", ("page", "title", "dates"))]),
        ("420 khombole", [("3F12/p2/1", ("page", "title"))]),
        ('"de largeur" khombole 420', [("3F12/p2/1", ("page", "title"))]),
        ("largeur vrac", [("vrac/p1/1", ("page", "folder"))]),
        ("lettre khombole", [("3F12/lettre/1", ("name", "title"))]),
        ("lettre khombole 400", [("3F12/lettre/1", ("page", "name", "title"))]),
        ("largeur rougeole", [("pile/1", ("page", "title")), ("3F13/p1/1", ("page", "title"))]),
        ("largeur 1963", []),
        ("largeur paludisme", []),
        ("420 rougeole", []),
        ("khombole 1971", [("3F12/lettre/1", ("title", "dates"))]),
    ],
)
def test_pages_are_found_by_what_stands_on_them_and_what_is_said_of_them(
    archive: Archive, query: str, expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert found(archive, query) == expected


def test_such_a_hit_shows_both(archive: Archive) -> None:
    (hit,) = hits(archive, "420 khombole")
    assert hit.snippet == "page de largeur [420] / Maternité de [Khombole]"
    assert (hit.title, hit.confidence, hit.nearly) == ("Maternité de Khombole", 95.0, False)


def test_pages_that_hold_more_of_the_words_come_first_and_no_more_than_asked_for(archive: Archive) -> None:
    assert [hit.cote for hit in hits(archive, "largeur 1971", limit=1)] == ["boite/3F12/lettre"]
    first, *_others = hits(archive, "maternité largeur 420 1971")
    assert first.cote == "boite/3F12/p2"


def test_several_archives_are_asked(archive: Archive) -> None:
    with archive.chain() as one, archive.chain() as two:
        assert len(search([one, two], parse_query("420 khombole"), 20)) == 2


def test_a_page_that_was_scanned_again_is_found_as_it_is_now(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    write_scans(tmp_path / "boite" / "3F12", p1__png=encoded(plain(200)))
    digitise(archive, FIRST)
    write_scans(tmp_path / "boite" / "3F12", p1__png=encoded(plain(300)))
    digitise(archive, FIRST)
    assert found(archive, "400 khombole") == []
    assert found(archive, "600 khombole") == [("3F12/p1/1", ("page", "title"))]


def test_what_is_described_and_not_digitised_is_found_and_says_so(archive: Archive) -> None:
    (hit,) = hits(archive, "paludisme 1950")
    assert (hit.reference, hit.page, hit.is_digitised) == ("fonds#3 F 14", 0, False)
    assert (hit.title, hit.snippet) == ("Paludisme à Podor", "[Paludisme] à Podor / [1950]")
    with archive.chain() as chain, pytest.raises(UsageError, match="holds no scan of it"):
        find_page(chain, Reference.parse(hit.reference))


def test_a_row_of_a_cote_alone_describes_nothing(archive: Archive) -> None:
    assert hits(archive, '"3 F 15"') == []
