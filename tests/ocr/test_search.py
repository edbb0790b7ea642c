"""Searching archives: across bundles, by any spelling, the newest document of a cote only."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from repatria.bundle.rows import DocumentRow, ObjectRow
from repatria.errors import UsageError
from repatria.model import Object
from repatria.ocr.document_rows import page_row
from repatria.ocr.folding import tokens
from repatria.ocr.query import parse_query
from repatria.ocr.search import Hit, search
from repatria.ocr.show import Form, Reference, find_page
from repatria.ocr.snippet import snippet
from repatria.ocr.words import PageText
from repatria.store.memory import MemoryStore
from repatria.work.sealed_rows import VolumeContent
from tests.ocr.archives import Archive
from tests.ocr.making import word

PREFET = "Le préfet signale une épidémie de variole à Saint-Louis."
VACCINATION = "La campagne de vaccination contre la rougeole commence le 12 janvier I949."
MISREAD = "Les vacclnations de rougeo1e ont cessé."


def page_of(number: int, text: str) -> PageText:
    """Return a page whose lines are those of a text."""
    words = [
        word(each, line=line, confidence=80.0 + number)
        for line, row in enumerate(text.split("\n"))
        for each in row.split()
    ]
    return PageText(number, 100, 100, 100.0, words=tuple(words))


def add_bundle(archive: Archive, documents: Mapping[str, Sequence[str]]) -> None:
    """Make a bundle with documents: cote -> texts of its pages."""
    with archive.run() as run:
        volume = run.volumes.volume()
        rows, members, found, pages = [], [], [], []
        for cote, texts in documents.items():
            number = run.next_document_number()
            data = f"\f{number}".join(texts).encode()
            told = Object(f"originals/{cote}-{number}.txt", len(data), 0, version=str(number))
            original = run.next_object_number()
            volume.begin(told, run.volumes.member_name(told.path, original), number=original)
            volume.write(data)
            members.append(volume.end())
            rows.append(object_row(told, original, data))
            found.append(
                DocumentRow(
                    number,
                    cote,
                    cote.split("/")[0],
                    cote,
                    None,
                    None,
                    original,
                    None,
                    None,
                    None,
                    len(texts),
                    "fra",
                    80.0,
                )
            )
            pages += [page_row(number, page_of(place, text), ("fra",)) for place, text in enumerate(texts, 1)]
        run.volumes.store(volume, VolumeContent(rows, members, found, pages), last=True)
        assert run.finish() is not None


def object_row(told: Object, number: int, data: bytes) -> ObjectRow:
    return ObjectRow.of(told, number=number, source="", sha256=hashlib.sha256(data).digest(), salt=bytes(16))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    made = Archive(tmp_path_factory.mktemp("archive"), target=MemoryStore())
    add_bundle(made, {"1949/0001": [VACCINATION, "Deuxième page, sans rien."], "1914/0007": [PREFET]})
    add_bundle(made, {"1949/0002": [MISREAD], "1914/0008": ["Remplacé bientôt : variole."]})
    add_bundle(made, {"1914/0008": ["Le nouveau texte du préfet."]})
    return made


def hits(archive: Archive, query: str, limit: int = 20) -> list[Hit]:
    with archive.chain() as chain:
        return search([chain], parse_query(query), limit)


def references(archive: Archive, query: str) -> list[str]:
    return [hit.reference for hit in hits(archive, query)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("epidemie", ["fonds#1914/0007/1"]),
        ("ÉPIDÉMIES", ["fonds#1914/0007/1"]),
        ("1949", ["fonds#1949/0001/1"]),
        ("janvier I949", ["fonds#1949/0001/1"]),
        ("deuxième", ["fonds#1949/0001/2"]),
        ('"campagne de vaccination"', ["fonds#1949/0001/1"]),
        ('"vaccination de campagne"', []),
        ("saint louis", ["fonds#1914/0007/1"]),
        ("rien du tout", []),
    ],
)
def test_pages_are_found(archive: Archive, query: str, expected: list[str]) -> None:
    assert references(archive, query) == expected


def test_misread_words_are_found_after_those_read_well(archive: Archive) -> None:
    found = hits(archive, "vaccination rougeole")
    assert [hit.reference for hit in found] == ["fonds#1949/0001/1", "fonds#1949/0002/1"]
    assert [hit.nearly for hit in found] == [False, True]
    assert found[1].snippet == "Les [vacclnations] de [rougeo1e] ont cessé."


def test_a_replaced_document_is_not_found_its_successor_is(archive: Archive) -> None:
    assert references(archive, "variole") == ["fonds#1914/0007/1"]
    assert references(archive, "nouveau texte") == ["fonds#1914/0008/1"]


def test_a_hit_tells_where_it_is_and_how_sure_it_is(archive: Archive) -> None:
    (hit,) = hits(archive, "rougeole commence")
    assert (hit.dataset, hit.cote, hit.dossier, hit.page) == ("fonds", "1949/0001", "1949", 1)
    assert hit.confidence == 81.0
    assert "[rougeole] [commence]" in hit.snippet


def test_no_more_than_the_limit_is_given(archive: Archive) -> None:
    assert len(hits(archive, "le", limit=1)) == 1


def test_several_archives_are_searched_together(archive: Archive, tmp_path: Path) -> None:
    other = Archive(tmp_path, target=MemoryStore())
    add_bundle(other, {"2001/1": ["Une épidémie de choléra."]})
    with archive.chain() as one, other.chain() as two:
        found = search([one, two], parse_query("épidémie"), 10)
    assert {hit.cote for hit in found} == {"1914/0007", "2001/1"}


def snippet_of(text: str, query: str, length: int = 40) -> str:
    return snippet(text, parse_query(query).places(list(tokens(text))), length)


def test_a_snippet_is_one_line_between_words() -> None:
    text = "Premier paragraphe sans rapport aucun.\n\nPuis la variole\nfrappe la ville entière de Gorée."
    assert snippet_of(text, "variole") == "… aucun. Puis la [variole] frappe la ville …"


def test_a_snippet_is_where_most_words_are() -> None:
    text = "Le préfet écrit. " + "x " * 80 + "Le préfet de la région signale la variole ici."
    assert "[préfet] de la région signale la [variole]" in snippet_of(text, "préfet variole", 80)


def test_a_short_text_is_shown_whole() -> None:
    assert snippet_of("La variole.\n", "variole") == "La [variole]."


@pytest.mark.parametrize("text", ["fonds", "#cote", "fonds#"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Reference.parse(text)


def test_a_reference_may_hold_the_bundle_as_a_uri() -> None:
    assert Reference.parse("s3://coffre/fonds#1914/0007/1").bundle == "s3://coffre/fonds"


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("fonds#1949/0001/2", "Deuxième page, sans rien.\n"),
        ("fonds#1914/0007", f"{PREFET}\n"),
        ("fonds#1914/0008/1", "Le nouveau texte du préfet.\n"),
    ],
)
def test_a_page_is_given_back_by_its_reference(archive: Archive, reference: str, text: str) -> None:
    with archive.chain() as chain:
        assert find_page(chain, Reference.parse(reference)).page.text == text


def test_the_original_is_given_back_too(archive: Archive) -> None:
    with archive.chain() as chain:
        assert find_page(chain, Reference.parse("fonds#1914/0007/1")).read(Form.ORIGINAL) == PREFET.encode()


@pytest.mark.parametrize("reference", ["fonds#1914/0007/2", "fonds#1914/9999/1", "fonds#x"])
def test_a_page_that_is_not_there_is_refused(archive: Archive, reference: str) -> None:
    with archive.chain() as chain, pytest.raises(UsageError):
        find_page(chain, Reference.parse(reference))


def test_a_form_that_is_not_there_is_refused(archive: Archive) -> None:
    with archive.chain() as chain, pytest.raises(UsageError):
        find_page(chain, Reference.parse("fonds#1914/0007/1")).read(Form.PDF)
