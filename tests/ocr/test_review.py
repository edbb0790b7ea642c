"""Which pages need an eye: by what was seen when they were read, and by their neighbours."""

import json
from pathlib import Path

import pytest
from PIL import Image

from repatria.bundle.rows import PageRow
from repatria.ocr.glimpse import GlimpseTask, ReadLine, ReadWord, glimpses, least_sure
from repatria.ocr.memory import SharedBytes
from repatria.ocr.review import Concern, Missing, Review, ToldBy, concerns_of, review
from repatria.ocr.standing import by_dossier, natural_key
from tests.ocr.archives import Archive
from tests.ocr.making import encoded, page, write_scans


def row(*flags: str, words: int = 10, confidence: float | None = 90.0) -> PageRow:
    return PageRow(1, 1, 100, 100, 150.0, 0, words, confidence, json.dumps(flags), "")


@pytest.mark.parametrize(
    ("page_row", "concerns"),
    [
        (row(), set()),
        (row("skewed", "second-look", "text-layer", "split"), set()),
        (row("blank", words=0, confidence=None), {Concern.BLANK}),
        (row("failed", words=0, confidence=None), {Concern.UNREADABLE}),
        (row("low-confidence", words=0, confidence=None), {Concern.UNREADABLE}),
        (row("low-confidence", confidence=55.0), {Concern.UNSURE}),
        (row("low-confidence", confidence=22.0), {Concern.UNREADABLE}),
        (row("rotated", "faint", "askew"), {Concern.TURNED, Concern.FAINT, Concern.ASKEW}),
        (row("handwriting", "sideways", confidence=50.0), {Concern.HANDWRITING, Concern.SIDEWAYS}),
        (row("something a later version says"), set()),
    ],
)
def test_concerns_of_a_page(page_row: PageRow, concerns: set[Concern]) -> None:
    assert concerns_of(page_row) == concerns


def reviewed(archive: Archive) -> Review:
    with archive.chain() as chain:
        return review(chain)


def test_numbers_before_a_gap_in_names_are_suspected_and_blank_pages_listed(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    pages = {f"p-{number}__png": encoded(page(width=700 + number)) for number in (2, 9, 10, 12)}
    write_scans(tmp_path / "boite", **pages)
    archive.digitise(tmp_path / "boite")
    found = reviewed(archive)
    assert (found.documents, found.pages) == (4, 4)
    # Seven numbers are missing between 2 and 9, more than there are pages: no series.
    assert [(entry.reference, entry.missing) for entry in found.entries] == []
    write_scans(tmp_path / "boite", **{f"p-{number}__png": encoded(page(width=800 + number)) for number in range(3, 9)})
    archive.digitise(tmp_path / "boite")
    found = reviewed(archive)
    assert [(entry.reference, entry.missing) for entry in found.entries] == [
        ("fonds#boite/p-12/1", (Missing(11, 11, ToldBy.NAMES),))
    ]
    assert found.entries[0].concerns == (Concern.MISSING,)
    assert found.count(Concern.MISSING) == 1


def test_of_a_page_scanned_again_the_newest_counts(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    write_scans(tmp_path / "boite", a__png=encoded(page(width=700)), b__png=encoded(page(width=710)))
    archive.digitise(tmp_path / "boite")
    write_scans(tmp_path / "boite", a__png=encoded(page(width=720)))
    archive.digitise(tmp_path / "boite")
    with archive.chain() as chain:
        documents = by_dossier(chain)
        assert [document.row.cote for document in documents] == ["boite/a", "boite/b"]
        assert [next(document.pages()).text.split()[-1] for document in documents] == ["1440", "1420"]


def test_names_are_sorted_as_a_person_does() -> None:
    assert sorted(["p10", "p2", "P1", "p2b", "a"], key=natural_key) == ["P1", "a", "p2", "p2b", "p10"]


def test_a_glimpse_shows_the_page_and_its_least_sure_lines(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    write_scans(tmp_path / "boite", a__png=encoded(page(width=700, height=400)))
    archive.digitise(tmp_path / "boite")
    alto = SharedBytes.of(archive.read("alto/boite/a.alto.xml").replace(b'WC="0.9500"', b'WC="0.5000"'))
    pdf = SharedBytes.of(archive.read("pdf/boite/a.pdf"))
    (seen,) = glimpses(GlimpseTask(alto, (1,), pdf))
    assert seen.thumbnail is not None
    assert (seen.width, seen.height) == (420, 240)
    assert seen.thumbnail.startswith(b"\xff\xd8\xff")
    assert [(line.text, line.confidence) for line in seen.lines] == [("page de largeur 1400", 50.0)]
    (unseen,) = glimpses(GlimpseTask(alto, (1,)))
    assert unseen.thumbnail is None


def test_a_document_that_cannot_be_drawn_has_no_picture() -> None:
    empty = b'<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"/>'
    (seen,) = glimpses(GlimpseTask(SharedBytes.of(empty), (3,), SharedBytes.of(b"%PDF-1.4 no")))
    assert (seen.page, seen.thumbnail, seen.lines) == (3, None, ())


def test_the_least_sure_lines_stand_in_their_order() -> None:
    lines = tuple(ReadLine((ReadWord(str(sure), float(sure)),)) for sure in (90, 70, 20, 84, 60, 50, 99))
    assert [line.text for line in least_sure(lines)] == ["70", "20", "60", "50"]


def test_pictures_in_colour_stay_in_colour(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    write_scans(tmp_path / "boite", a__png=encoded(Image.new("RGB", (600, 400), (200, 30, 30))))
    archive.digitise(tmp_path / "boite")
    pdf = SharedBytes.of(archive.read("pdf/boite/a.pdf"))
    alto = SharedBytes.of(archive.read("alto/boite/a.alto.xml"))
    (seen,) = glimpses(GlimpseTask(alto, (1,), pdf))
    assert seen.thumbnail is not None
