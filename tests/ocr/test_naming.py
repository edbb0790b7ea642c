"""What scans are called: by the folder that was given, whichever way; archives that were begun otherwise go on so."""

from pathlib import Path

import pytest

from repatria.errors import Role
from repatria.ocr.batch import Wishes
from repatria.ocr.digitise import DigitiseResult, digitise
from repatria.ocr.naming import NamedFolder, folder_of, named_by_folders
from repatria.source.base import ObjectSource
from repatria.source.objects import Selection, StoreSource
from repatria.store.registry import open_store
from tests.ocr.archives import Archive
from tests.ocr.making import FAKE, encoded, write_scans
from tests.ocr.test_stacks import plain


@pytest.fixture
def boite(tmp_path: Path) -> Path:
    write_scans(tmp_path / "boite", a__png=encoded(plain(200)), b__png=encoded(plain(210)))
    return tmp_path / "boite"


def source_of(folder: Path, name: str = "") -> ObjectSource:
    return StoreSource(open_store(folder.as_uri(), role=Role.SOURCE), folder.as_uri(), Selection(), name=name)


def by_manifest(archive: Archive, folder: Path, *, as_before: bool = False) -> DigitiseResult:
    sources = [source_of(folder)]
    with archive.run() as run:
        named = sources if as_before else named_by_folders(sources, [folder.as_uri()])
        return digitise(run, named, Wishes(FAKE, workers=1), archive.desk)


def cotes(archive: Archive) -> list[str]:
    return [row.cote for row in archive.documents()]


def test_a_manifest_and_the_command_line_call_a_scan_the_same(tmp_path: Path, boite: Path) -> None:
    archive = Archive(tmp_path)
    by_manifest(archive, boite)
    write_scans(boite, b__png=encoded(plain(220)))
    result = archive.digitise(boite)
    assert (result.already, result.documents) == (1, 1)
    assert cotes(archive) == ["boite/a", "boite/b", "boite/b"]
    with archive.chain() as chain:
        (standing,) = [row for _bundle, row in chain.objects() if row.path == "originals/boite/b.png"]
        assert standing.size == (boite / "b.png").stat().st_size


def test_an_archive_that_was_begun_without_the_folders_name_goes_on_without(tmp_path: Path, boite: Path) -> None:
    archive = Archive(tmp_path)
    by_manifest(archive, boite, as_before=True)
    write_scans(boite, b__png=encoded(plain(220)), c__png=encoded(plain(230)))
    result = by_manifest(archive, boite)
    assert (result.already, result.documents) == (1, 2)
    assert cotes(archive) == ["a", "b", "b", "c"]


def test_what_is_listed_under_its_folder_is_read(boite: Path) -> None:
    source = NamedFolder(source_of(boite), "boite")
    first, _second = sorted(source.list(), key=lambda told: told.path)
    with source.read(first) as reading:
        assert (first.path, reading.object.path) == ("boite/a.png", "boite/a.png")
        assert b"".join(reading.chunks) == (boite / "a.png").read_bytes()


def test_a_source_with_a_name_gives_that(boite: Path) -> None:
    (named,) = named_by_folders([source_of(boite, "registres")], [boite.as_uri()])
    assert {told.path for told in named.list()} == {"registres/a.png", "registres/b.png"}


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("file:///srv/scans/Bo%C3%AEte%2012/", "Boîte 12"),
        ("s3://numerisation/1949", "1949"),
        ("s3://numerisation", "numerisation"),
        ("sftp://depot@example.sn", "example.sn"),
    ],
)
def test_the_folder_is_the_last_of_the_uri(uri: str, folder: str) -> None:
    assert folder_of(uri) == folder
