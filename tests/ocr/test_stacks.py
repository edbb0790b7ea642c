"""Stacks with separator sheets, spreads, scans that come again: which documents they become."""

import io
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pypdf
import pypdfium2
import pytest
from PIL import Image, ImageFilter

from repatria.ocr.batch import Wishes
from repatria.ocr.bordereau import parse_bordereau
from repatria.ocr.preparation import Grey
from repatria.ocr.show import Reference, find_page
from repatria.ocr.spreads import gutter_of
from repatria.paper.separator import draw_separators
from repatria.paper.separator_code import SeparatorCode
from tests.ocr.archives import Archive
from tests.ocr.making import FAKE, encoded, grey, page, write_scans

ONE = Wishes(FAKE, workers=1)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


@pytest.fixture
def boite(tmp_path: Path) -> Path:
    return tmp_path / "boite"


@cache
def separator(cote: str = "") -> Image.Image:
    document = pypdfium2.PdfDocument(draw_separators([SeparatorCode(cote)], datetime(2026, 1, 5, tzinfo=UTC)))
    return Image.fromarray(np.array(document[0].render(scale=100 / 72, grayscale=True).to_pil().convert("L")))


def plain(width: int) -> Image.Image:
    """Return a page that the fake engine tells by its width."""
    return Image.new("L", (width, 400), 200)


def stack(*pages: Image.Image, form: str = "TIFF") -> bytes:
    first, *others = (image.copy() for image in pages)  # Pillow marks a page that it saved
    return encoded(first, form, save_all=True, append_images=others, dpi=(100, 100))


def live(archive: Archive) -> dict[str, int]:
    """Return the documents that stand, by cote, with their pages."""
    newest = {row.cote: row.pages for row in archive.documents()}
    return {cote: pages for cote, pages in newest.items() if pages}


@pytest.mark.parametrize("form", ["TIFF", "PDF"])
def test_separator_sheets_part_a_stack_into_documents(archive: Archive, boite: Path, form: str) -> None:
    pages = [plain(500), separator("3 F 12/45"), plain(600), plain(610), separator(), separator(), plain(700)]
    write_scans(boite, pile__tif=stack(*pages, form=form))
    result = archive.digitise(boite, wishes=ONE)
    assert (result.documents, result.pages, result.separators, result.findings) == (3, 4, 3, [])
    assert live(archive) == {f"boite/pile.tif/document-00{number}": pages for number, pages in ((1, 1), (2, 2), (3, 1))}
    assert [row.reference for row in archive.documents()] == [None, "3 F 12/45", None]
    assert archive.paths()[4:] == [
        *("pdf/boite/pile.tif/document-001.pdf", "pdf/boite/pile.tif/document-002.pdf"),
        *("pdf/boite/pile.tif/document-003.pdf",),
        *("text/boite/pile.tif/document-001.txt", "text/boite/pile.tif/document-002.txt"),
        *("text/boite/pile.tif/document-003.txt",),
    ]
    second = pypdf.PdfReader(io.BytesIO(archive.read("pdf/boite/pile.tif/document-002.pdf")))
    assert len(second.pages) == 2
    assert archive.read("originals/boite/pile.tif") == (boite / "pile.tif").read_bytes()
    with archive.chain() as chain:
        found = find_page(chain, Reference("fonds", "3 F 12/45/2"))
        assert (found.document.cote, found.page.page) == ("boite/pile.tif/document-002", 2)


def test_a_row_of_the_bordereau_is_found_by_what_the_sheet_tells(archive: Archive, boite: Path) -> None:
    bordereau = parse_bordereau(b"Cote;Titre\n3F12/45;Eau\n3F12/46;Air\n")
    write_scans(boite, pile__tif=stack(separator("3 F 12/45"), plain(600)))
    wishes = Wishes(FAKE, bordereau=bordereau, workers=1)
    result = archive.digitise(boite, wishes=wishes)
    (document,) = archive.documents()
    assert (document.cote, document.reference, document.title) == ("boite/pile", "3F12/45", "Eau")
    assert [finding.path for finding in result.findings] == ["3F12/46"]


def test_a_sheet_scanned_as_a_file_tells_of_the_files_after_it(archive: Archive, boite: Path) -> None:
    names = {"p1": plain(500), "p2": separator("A 1"), "p3": plain(510), "p5": separator("A 2"), "p6": plain(520)}
    write_scans(boite, **{f"{name}__png": encoded(image) for name, image in names.items()})
    result = archive.digitise(boite, wishes=Wishes(FAKE, workers=3))
    assert (result.documents, result.separators, result.findings) == (3, 2, [])
    assert {row.cote[-2:]: row.reference for row in archive.documents()} == {"p1": None, "p3": "A 1", "p6": "A 2"}
    assert "originals/boite/p2.png" in archive.paths()
    write_scans(boite, p4__png=encoded(plain(530)), p1__png=encoded(plain(540)))
    archive.digitise(boite, wishes=ONE)
    assert {row.cote[-2:]: row.reference for row in archive.documents()} == {
        **{"p1": None, "p3": "A 1", "p4": "A 1", "p6": "A 2"}
    }


def test_a_stack_that_comes_again_with_fewer_documents_leaves_none_behind(archive: Archive, boite: Path) -> None:
    write_scans(boite, pile__tif=stack(plain(500), separator(), plain(600), separator(), plain(700)))
    archive.digitise(boite, wishes=ONE)
    before = archive.paths()
    write_scans(boite, pile__tif=stack(plain(500), separator(), plain(610)))
    archive.digitise(boite, wishes=ONE)
    assert sorted(live(archive)) == ["boite/pile.tif/document-001", "boite/pile.tif/document-002"]
    assert archive.paths() == [path for path in before if "document-003" not in path]
    write_scans(boite, pile__tif=stack(plain(500), plain(610)))
    archive.digitise(boite, wishes=ONE)
    assert live(archive) == {"boite/pile": 2}
    assert len(archive.paths()) == 4
    with archive.chain() as chain:
        assert len(chain.bundles) == 3
        assert len(list(chain.history())) == 10 + 7 + 4


def test_what_an_earlier_scan_held_stays_provable(archive: Archive, boite: Path) -> None:
    write_scans(boite, a__png=encoded(plain(500)))
    archive.digitise(boite, wishes=ONE)
    write_scans(boite, a__png=encoded(plain(600)))
    os.utime(boite / "a.png", ns=(1, 1))
    archive.digitise(boite, wishes=ONE)
    with archive.chain() as chain:
        (first, second) = [
            (bundle, row) for bundle, row, _fate in chain.history() if row.path == "originals/boite/a.png"
        ][::-1]
        assert b"".join(first[0].read_object(first[1])) == encoded(plain(500))
        assert b"".join(second[0].read_object(second[1])) == encoded(plain(600))
        assert chain.find("originals/boite/a.png") == second


def spread(*, fold: bool, gap: int = 160) -> Image.Image:
    """Return two pages of text side by side, as a book lies under a scanner."""
    lines = [f"Ligne {number} de la page" for number in range(8)]
    left = page(lines, width=820, height=1100, size=40)
    right = page(lines[::-1], width=820, height=1100, size=40)
    image = Image.new("L", (1640 + gap, 1160), 235)
    image.paste(left, (0, 30))
    image.paste(right, (820 + gap, 30))
    if not fold:
        return image
    middle = (1640 + gap) // 2
    pixels = np.asarray(image).astype(np.float32)
    shade = 1 - 0.6 * np.exp(-(((np.arange(image.width) - middle) / 18) ** 2))
    return Image.fromarray((pixels * shade).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))


@pytest.mark.parametrize(("fold", "gap"), [(True, 0), (True, 160), (False, 160)])
def test_the_gutter_of_a_spread_is_found(fold: bool, gap: int) -> None:
    assert gutter_of(grey(spread(fold=fold, gap=gap))) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    "image",
    [
        page(width=1240, height=1754),
        page([f"Une longue ligne de texte qui va d'un bord à l'autre, {n}" for n in range(9)], width=1754, height=1240),
        page((), width=1754, height=1240),
        Image.new("L", (3000, 300), 240),
    ],
    ids=["portrait", "lines across", "blank", "strip"],
)
def test_what_is_no_spread_stays_one_page(image: Image.Image) -> None:
    assert gutter_of(grey(image)) is None


def test_a_black_rule_is_no_fold() -> None:
    pixels: Grey = np.array(
        page([f"Une ligne de texte d'un bord à l'autre {n}" for n in range(9)], width=1754, height=1240)
    )
    pixels[:, 876:880] = 0
    assert gutter_of(pixels) is None


def test_pages_of_real_archives_are_no_spreads(shared: Path) -> None:
    for file in sorted((shared / "scans").glob("*.jpg")):
        assert gutter_of(grey(Image.open(file))) is None, file.name


@pytest.mark.parametrize("form", ["JPEG", "PNG", "PDF"])
def test_a_spread_is_read_as_two_pages_where_that_is_wished(archive: Archive, boite: Path, form: str) -> None:
    image = spread(fold=True)
    write_scans(boite, livre__xyz=encoded(image, form, **({} if form == "PNG" else {"quality": 90})))
    assert archive.digitise(boite, wishes=Wishes(FAKE, split=True, workers=1)).pages == 2
    (document,) = archive.documents()
    left, right = archive.pages(document.number)
    assert '"split"' in left.flags
    assert left.width + right.width == pytest.approx(image.width * left.dpi / (left.dpi or 1), rel=1.2)
    made = pypdfium2.PdfDocument(archive.read("pdf/boite/livre.pdf"))
    assert len(made) == 2
    for number, half in enumerate(made):
        width, height = half.get_size()
        assert width / height == pytest.approx(900 / 1160, rel=0.06)
        drawn = half.render(scale=900 / width, grayscale=True).to_pil().convert("L")
        part = image.crop((900 * number, 0, 900 * (number + 1), 1160)).resize(drawn.size)
        difference = np.abs(np.asarray(drawn).astype(int) - np.asarray(part).astype(int)).mean()
        assert difference < 12
        assert "page de largeur" in half.get_textpage().get_text_range()


def test_a_spread_is_one_page_unless_wished(archive: Archive, boite: Path) -> None:
    write_scans(boite, livre__png=encoded(spread(fold=True)))
    assert archive.digitise(boite, wishes=ONE).pages == 1
