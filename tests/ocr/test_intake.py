"""Which files are scans, what they are called in the archive, and what is refused by name."""

from pathlib import Path

import pytest

from repatria.errors import UsageError
from repatria.ocr.intake import Scan, form_of, inspect, is_litter, list_scans, scan_folders, shelves
from repatria.ocr.memory import SharedBytes
from repatria.ocr.page import Form
from repatria.ocr.picture import UnreadablePageError
from tests.ocr.making import encoded, page, write_scans

PNG = encoded(page())


def listed(*scans: Path) -> list[str]:
    return [scan.path for scan in list_scans(scan_folders(scans))]


def scans_of(folder: Path) -> list[Scan]:
    return list_scans(scan_folders([folder]))


def nothing_known(_path: str) -> bool:
    return False


def test_a_folder_is_a_dossier_and_its_folders_are_dossiers_below_it(tmp_path: Path) -> None:
    write_scans(tmp_path / "Boîte 12", b__png=PNG, a__png=PNG)
    write_scans(tmp_path / "Boîte 12" / "1949", c__png=PNG)
    assert listed(tmp_path / "Boîte 12") == ["Boîte 12/a.png", "Boîte 12/b.png", "Boîte 12/1949/c.png"]


def test_files_of_a_folder_are_of_its_dossier(tmp_path: Path) -> None:
    write_scans(tmp_path / "boite", a__png=PNG, b__png=PNG, c__png=PNG)
    assert listed(tmp_path / "boite" / "c.png", tmp_path / "boite" / "a.png") == ["boite/a.png", "boite/c.png"]


def test_a_folder_given_with_one_of_its_files_is_the_folder(tmp_path: Path) -> None:
    write_scans(tmp_path / "boite", a__png=PNG, b__png=PNG)
    assert listed(tmp_path / "boite" / "a.png", tmp_path / "boite") == ["boite/a.png", "boite/b.png"]


def test_what_is_not_there_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        scan_folders([tmp_path / "nowhere"])


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    for parent in ("est", "ouest"):
        write_scans(tmp_path / parent / "boite", a__png=PNG)
    with pytest.raises(UsageError, match="boite"):
        scan_folders([tmp_path / "est" / "boite", tmp_path / "ouest" / "boite"])


@pytest.mark.parametrize("name", ["Thumbs.db", ".DS_Store", "a/.cache/x.png", "scan.tif.part", "~$note.docx"])
def test_litter_is_left_out(name: str) -> None:
    assert is_litter(f"boite/{name}")
    assert not is_litter("boite/scan.tif")


def test_documents_go_beside_each_other_by_form(tmp_path: Path) -> None:
    write_scans(tmp_path / "boite", page__tif=PNG)
    (shelf,) = shelves(scans_of(tmp_path / "boite"), nothing_known).values()
    assert (shelf.original, shelf.pdf, shelf.text, shelf.alto) == (
        "originals/boite/page.tif",
        "pdf/boite/page.pdf",
        "text/boite/page.txt",
        "alto/boite/page.alto.xml",
    )
    assert (shelf.cote, shelf.dossier, shelf.title, shelf.file_name) == ("boite/page", "boite", "page", "page.tif")


def test_scans_that_differ_in_their_extension_only_keep_it(tmp_path: Path) -> None:
    write_scans(tmp_path / "boite", page__tif=PNG, page__jpg=PNG, other__jpg=PNG)
    placed = shelves(scans_of(tmp_path / "boite"), nothing_known)
    assert {path: shelf.text for path, shelf in placed.items()} == {
        "boite/page.tif": "text/boite/page.tif.txt",
        "boite/page.jpg": "text/boite/page.jpg.txt",
        "boite/other.jpg": "text/boite/other.txt",
    }
    assert placed["boite/page.tif"].cote == "boite/page.tif"


def test_a_scan_that_comes_later_does_not_take_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    write_scans(tmp_path / "boite", page__jpg=PNG)
    known = {"originals/boite/page.tif", "text/boite/page.txt"}
    (shelf,) = shelves(scans_of(tmp_path / "boite"), known.__contains__).values()
    assert shelf.text == "text/boite/page.jpg.txt"


@pytest.mark.parametrize("earlier", ["text/boite/page.txt", "text/boite/page.jpg.txt"])
def test_a_scan_that_comes_again_goes_where_it_was(tmp_path: Path, earlier: str) -> None:
    write_scans(tmp_path / "boite", page__jpg=PNG, page__tif=PNG)
    known = {"originals/boite/page.jpg", earlier}
    assert shelves(scans_of(tmp_path / "boite"), known.__contains__)["boite/page.jpg"].text == earlier


def test_a_name_that_is_not_utf_8_is_archived_under_its_bytes_and_called_by_what_can_be_said(tmp_path: Path) -> None:
    folder = tmp_path / "boite"
    folder.mkdir()
    try:
        (folder / "caf\udce9.png").write_bytes(PNG)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (shelf,) = shelves(scans_of(folder), nothing_known).values()
    assert shelf.original == "originals/boite/caf\udce9.png"
    assert shelf.cote == "boite/caf\ufffd"


@pytest.mark.parametrize(
    ("form", "expected"), [("PNG", Form.IMAGE), ("JPEG", Form.IMAGE), ("TIFF", Form.IMAGE), ("JPEG2000", Form.IMAGE)]
)
def test_a_scan_is_known_by_its_bytes(form: str, expected: Form) -> None:
    assert form_of(encoded(page(), form)) is expected


def test_a_pdf_may_begin_with_a_little_something_else() -> None:
    assert form_of(b"\xef\xbb\xbf\n%PDF-1.4") is Form.PDF
    assert form_of(b"%!PS-Adobe") is None


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty"), (b"<html></html>", "no scan"), (b"GIF89a", "no scan")])
def test_what_is_no_scan_says_so(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadablePageError, match=reason):
        inspect(SharedBytes.of(data))


def test_pages_are_counted() -> None:
    tiff = encoded(page(), "TIFF", save_all=True, append_images=[page(["Deux"])])
    assert inspect(SharedBytes.of(tiff)).frames == (0, 1)
    assert inspect(SharedBytes.of(PNG)).frames == (0,)
