"""Hostile scans in one batch: it ends, good pages are read, and each bad file is named with its reason.

`./run soak nasty` does the same with hundreds of files, the program itself and the real engine.
"""

import os
import re
from pathlib import Path

import nasty
import pytest

from repatria.ocr.batch import Wishes
from tests.ocr.archives import Archive
from tests.ocr.making import FAKE

COUNT = int(os.environ.get("REPATRIA_HOSTILE_FILES", "40"))


@pytest.fixture(scope="module")
def folder(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("hostile") / "scans"
    nasty.write_batch(made, COUNT, seed=7)
    return made


def test_the_batch_ends_and_accounts_for_every_file(folder: Path, tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    result = archive.digitise(folder, wishes=Wishes(FAKE, workers=2))
    names = {file.name for file in folder.iterdir()}
    assert len(names) > COUNT
    assert result.findings
    assert all(finding.kind == "failed" and finding.detail for finding in result.findings)
    named = {str(finding.path).removeprefix("scans/") for finding in result.findings}
    kept = {path.removeprefix("originals/scans/") for path in archive.paths()}
    good = {name for name in names if re.fullmatch(r"[0-9]+-good[.][a-z]+", name)}
    assert len(good) == nasty.GOOD
    assert good <= kept - named
    # Two mutations may make the same bytes: they are in the archive once, under one name.
    assert len(names - named - kept) <= result.copies


def test_the_same_seed_makes_the_same_files(folder: Path, shared: Path, tmp_path: Path) -> None:
    again = nasty.write_batch(tmp_path / "scans", COUNT, seed=7)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == again
