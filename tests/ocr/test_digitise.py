"""From folders of scans to an archive: what is kept, what is skipped, what fails costs itself only."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from repatria.bundle.rows import ObjectRow
from repatria.errors import StoppedError, UsageError
from repatria.ocr import reading, shelving
from repatria.ocr.batch import Wishes
from repatria.ocr.bordereau import parse_bordereau
from repatria.ocr.engine import choose_engine
from repatria.ocr.show import Reference, find_page
from repatria.work.patience import Patience
from repatria.work.stop import Reason, StopSignal
from tests.ocr.archives import DATASET, Archive
from tests.ocr.making import CRASHES, FAKE, HANGS, encoded, page, write_scans


def grey_page(grey: int, form: str = "PNG", **options: object) -> bytes:
    """Return a page of one grey: each is another file."""
    return encoded(Image.new("L", (600, 400), grey), form, **options)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


@pytest.fixture
def boite(tmp_path: Path) -> Path:
    return tmp_path / "boite"


def test_a_scan_becomes_a_document_in_four_forms(archive: Archive, boite: Path) -> None:
    scan = encoded(page(), "JPEG", quality=80)
    write_scans(boite, lettre__jpg=scan)
    result = archive.digitise(boite, wishes=Wishes(FAKE, "Fonds du préfet", workers=1))
    assert (result.documents, result.pages, result.findings) == (1, 1, [])
    assert result.uri is not None
    assert archive.paths() == [
        "alto/boite/lettre.alto.xml",
        "originals/boite/lettre.jpg",
        "pdf/boite/lettre.pdf",
        "text/boite/lettre.txt",
    ]
    assert archive.read("originals/boite/lettre.jpg") == scan
    assert archive.read("text/boite/lettre.txt") == b"page de largeur 2480\n"
    assert archive.read("pdf/boite/lettre.pdf").startswith(b"%PDF-1.7")
    assert b"largeur" in archive.read("alto/boite/lettre.alto.xml")


def test_the_index_tells_of_documents_and_pages(archive: Archive, boite: Path) -> None:
    write_scans(
        boite, lettre__tif=encoded(page(), "TIFF", save_all=True, append_images=[page(["Deux"])], dpi=(150, 150))
    )
    archive.digitise(boite, wishes=Wishes(FAKE, "Fonds du préfet", workers=1))
    (document,) = archive.documents()
    assert (document.cote, document.dossier, document.title) == ("boite/lettre", "boite", "lettre")
    assert (document.pages, document.languages, document.confidence) == (2, "fra", 95.0)
    assert document.description == '{"fonds": "Fonds du préfet"}'
    with archive.chain() as chain:
        rows: dict[int, ObjectRow] = {row.number: row for _bundle, row in chain.objects()}
    numbers = (document.original, document.pdf, document.text, document.alto)
    assert [rows[number or 0].path.split("/")[0] for number in numbers] == ["originals", "pdf", "text", "alto"]
    first, second = archive.pages(document.number)
    assert (first.page, second.page) == (1, 2)
    assert (first.width, first.height, first.dpi, first.words) == (1240, 620, 150.0, 4)
    assert first.text == "page de largeur 1984\n"


def test_a_bordereau_describes_documents_and_what_is_missing_on_either_side_is_found(
    archive: Archive, boite: Path
) -> None:
    bordereau = parse_bordereau(
        "Cote;Intitulé;Dates extrêmes;Communicabilité;Boîte\n3 F 12;Épidémies;1949;50 ans;7\n3 F 13;Eau;;;\n".encode()
    )
    wishes = Wishes(FAKE, "Santé", bordereau, workers=1)
    write_scans(boite / "3F12", p1__png=grey_page(200), p2__png=grey_page(210))
    write_scans(boite, autre__png=grey_page(220))
    result = archive.digitise(boite, wishes=wishes)
    assert [(finding.kind, finding.path) for finding in result.findings] == [
        ("missing", "3 F 13"),
        ("unexpected", "boite/autre.png"),
    ]
    first, second, other = sorted(archive.documents(), key=lambda row: row.reference or "~")
    assert {first.cote, second.cote} == {"boite/3F12/p1", "boite/3F12/p2"}
    assert (first.reference, first.title, first.dates) == ("3 F 12", "Épidémies", "1949")
    assert json.loads(first.description or "") == {
        "fonds": "Santé",
        "reference": "3 F 12",
        "title": "Épidémies",
        "dates": "1949",
        "access": "50 ans",
        "other": {"Boîte": "7"},
    }
    assert (other.reference, other.title, other.description) == (None, "autre", '{"fonds": "Santé"}')
    with archive.chain() as chain:
        pages = [find_page(chain, Reference("fonds", f"3 F 12/{number}")) for number in (1, 2)]
        assert [page.document.cote for page in pages] == ["boite/3F12/p1", "boite/3F12/p2"]
    (boite / "3F12" / "p1.png").unlink()
    (boite / "3F12" / "p2.png").unlink()
    assert [finding.path for finding in archive.digitise(boite, wishes=wishes).findings] == [
        "3 F 13",
        "boite/autre.png",
    ]


def test_pages_of_a_text_are_parted_by_form_feeds(archive: Archive, boite: Path) -> None:
    write_scans(
        boite, registre__tif=grey_page(200, "TIFF", save_all=True, append_images=[Image.new("L", (600, 400), 220)])
    )
    archive.digitise(boite)
    assert archive.read("text/boite/registre.txt").count(b"\f") == 1


def test_a_second_run_has_nothing_to_do(archive: Archive, boite: Path) -> None:
    write_scans(boite, a__png=grey_page(200), b__png=grey_page(210))
    first = archive.digitise(boite)
    second = archive.digitise(boite)
    assert first.uri is not None
    assert (second.uri, second.documents, second.already) == (None, 0, 2)


def test_what_was_digitised_is_known_by_its_bytes_without_this_machines_memory(archive: Archive, boite: Path) -> None:
    write_scans(boite, a__png=grey_page(200))
    archive.digitise(boite)
    archive.seen_file.unlink()
    write_scans(boite.with_name("ailleurs"), copie__png=grey_page(200))
    result = archive.digitise(boite, boite.with_name("ailleurs"))
    assert (result.uri, result.already, result.copies) == (None, 1, 1)
    assert [path for path, _twin in result.twins] == ["ailleurs/copie.png"]


def test_copies_in_one_batch_are_archived_once(archive: Archive, boite: Path) -> None:
    write_scans(boite, a__png=grey_page(200), b__png=grey_page(200), c__png=grey_page(200))
    result = archive.digitise(boite)
    assert (result.documents, result.copies) == (1, 2)
    assert result.twins == [("boite/b.png", "boite/a.png"), ("boite/c.png", "boite/a.png")]


def test_a_torn_memory_is_mended(archive: Archive, boite: Path) -> None:
    write_scans(boite, a__png=grey_page(200))
    archive.digitise(boite)
    archive.seen_file.write_bytes(archive.seen_file.read_bytes() + b"torn")
    write_scans(boite, b__png=grey_page(210))
    archive.digitise(boite)
    assert archive.seen_file.stat().st_size % 32 == 0
    assert archive.digitise(boite).already == 2


def test_new_scans_go_into_a_bundle_that_follows(archive: Archive, boite: Path) -> None:
    write_scans(boite, a__png=grey_page(200))
    archive.digitise(boite)
    write_scans(boite, b__png=grey_page(210))
    result = archive.digitise(boite)
    assert (result.documents, result.already) == (1, 1)
    with archive.chain() as chain:
        assert len(chain.bundles) == 2
    assert len(archive.paths()) == 8


def test_a_scan_that_was_replaced_replaces_its_documents(archive: Archive, boite: Path) -> None:
    write_scans(boite, a__png=grey_page(200))
    archive.digitise(boite)
    write_scans(boite, a__png=grey_page(90))
    os.utime(boite / "a.png", ns=(1, 1))
    assert archive.digitise(boite).documents == 1
    assert archive.read("originals/boite/a.png") == grey_page(90)
    assert len(archive.paths()) == 4
    assert [document.cote for document in archive.documents()] == ["boite/a", "boite/a"]


def test_a_scan_that_vanished_stays_in_the_archive(archive: Archive, boite: Path) -> None:
    write_scans(boite, a__png=grey_page(200), b__png=grey_page(210))
    archive.digitise(boite)
    (boite / "a.png").unlink()
    write_scans(boite, c__png=grey_page(220))
    archive.digitise(boite)
    assert "originals/boite/a.png" in archive.paths()


def test_an_unreadable_file_is_a_finding_by_name_and_the_batch_goes_on(archive: Archive, boite: Path) -> None:
    write_scans(
        boite, good__png=grey_page(200), empty__tif=b"", html__pdf=b"<html>", cut__jpg=grey_page(9, "JPEG")[:300]
    )
    (boite / "lien.png").symlink_to(boite / "good.png")
    result = archive.digitise(boite)
    assert result.documents == 1
    assert sorted(finding.path or "" for finding in result.findings) == [
        "boite/cut.jpg",
        "boite/empty.tif",
        "boite/html.pdf",
        "boite/lien.png",
    ]
    assert all(finding.detail for finding in result.findings)
    assert not any("boite" in finding.subject + finding.detail for finding in result.findings)


@pytest.mark.parametrize(("width", "reason"), [(CRASHES, "crashed"), (HANGS, "longer")])
def test_a_page_that_ends_the_engine_keeps_its_picture_and_costs_nothing_else(
    archive: Archive, boite: Path, width: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_SECONDS", 3.0)
    bad = Image.new("L", (width, 400), 200)
    write_scans(boite, registre__tif=grey_page(200, "TIFF", save_all=True, append_images=[bad]), b__png=grey_page(210))
    result = archive.digitise(boite)
    assert (result.documents, result.pages, result.flagged) == (2, 3, 1)
    (finding,) = result.findings
    assert finding.path == "boite/registre.tif"
    assert "2" in finding.detail
    assert reason in finding.detail
    document = next(row for row in archive.documents() if row.pages == 2)
    assert '"failed"' in archive.pages(document.number)[1].flags


def test_a_large_scan_is_cut_where_volumes_end_and_comes_back_whole(archive: Archive, boite: Path) -> None:
    noise = Image.frombytes("RGB", (1000, 1000), os.urandom(3_000_000))
    write_scans(boite, photo__png=encoded(noise), a__png=grey_page(200))
    archive.digitise(boite)
    assert archive.read("originals/boite/photo.png") == encoded(noise)
    with archive.chain() as chain:
        assert chain.head.statement.volumes.count > 4


def test_nothing_is_lost_when_it_stops_and_the_next_run_goes_on(
    archive: Archive, boite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scans(boite, **{f"p{number}__png": grey_page(100 + number) for number in range(8)})
    monkeypatch.setattr(shelving, "SAVE_AFTER", 0.0)
    stop = StopSignal()
    stored = shelving.Shelving._store

    def stop_after_the_first(self: shelving.Shelving, *given: object, **options: object) -> None:
        stored(self, *given, **options)  # type: ignore[arg-type]  # passed on as they came
        stop.request(Reason.SIGNAL)

    monkeypatch.setattr(shelving.Shelving, "_store", stop_after_the_first)
    with pytest.raises(StoppedError, match="Nothing is lost"):
        archive.digitise(boite, patience=Patience(stop))
    monkeypatch.setattr(shelving.Shelving, "_store", stored)
    result = archive.digitise(boite)
    assert result.documents < 8
    assert result.documents + result.already == 8
    assert len(archive.documents()) == 8
    assert len(archive.paths()) == 32


def test_no_page_in_clear_reaches_the_state_folder_or_the_target(archive: Archive, boite: Path) -> None:
    write_scans(boite, dupont__png=grey_page(200))
    archive.digitise(boite)
    for file in archive.folder.rglob("*"):
        if file.is_file() and boite not in file.parents:
            data = file.read_bytes()
            assert b"largeur" not in data
            assert b"dupont" not in data
            assert grey_page(200) not in data


def test_hostile_files_are_read_or_named_and_none_ends_the_batch(archive: Archive, shared: Path) -> None:
    """Each file of the collection that is no gigapixel page, by the fake engine."""
    unreadable = {
        *("MANIFEST.tsv", "NOTICE.txt", "derived_html_named.pdf", "derived_zero_bytes.tif"),
        *("img_decompression_bomb.gif", "img_truncated.jpg", "pdf_encrypted_aes256_user_password.pdf"),
        *("pdf_header_then_eof.pdf", "tif_libtiff_segfault.tif", "tif_oom.tif"),
    }
    files = [file for file in (shared / "nasty").iterdir() if "huge" not in file.name]
    result = archive.digitise(*files)
    assert {Path(finding.path or "").name for finding in result.findings} == unreadable
    assert result.documents == len(files) - len(unreadable)


def test_a_real_page_is_read_by_the_real_engine(archive: Archive, shared: Path) -> None:
    try:
        wishes = Wishes(choose_engine(["fra"]), workers=1)
    except UsageError as error:
        pytest.skip(f"Tesseract cannot be used here: {error.message}")
    archive.digitise(shared / "scans" / "tap14_fiche_small.jpg", wishes=wishes)
    text = archive.read("text/scans/tap14_fiche_small.txt").decode()
    assert "Lettre d'Auguste Delâtre" in text
    assert "15 avril 1858" in text
    (document,) = archive.documents()
    assert (document.confidence or 0) > 80


def test_the_dataset_is_the_one_of_the_archive(archive: Archive, boite: Path) -> None:
    write_scans(boite, a__png=grey_page(200))
    result = archive.digitise(boite)
    assert result.uri is not None
    assert f"/{DATASET}/" in result.uri
