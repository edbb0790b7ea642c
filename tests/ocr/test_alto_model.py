"""Every ALTO file that is made keeps the schema's content model, whatever was read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.ocr.alto import alto
from repatria.ocr.words import Box, PageText, Word
from tests.ocr.alto_model import faults_of
from tests.ocr.archives import Archive
from tests.ocr.making import encoded, page, write_scans

MADE = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
_coordinates = st.floats(-50, 5000)
_words = st.builds(
    Word,
    text=st.text(min_size=1, max_size=12),
    box=st.builds(Box, _coordinates, _coordinates, _coordinates, _coordinates),
    confidence=st.none() | st.floats(-5, 105),
    line=st.integers(0, 3),
    block=st.integers(0, 2),
)
_pages = st.builds(
    PageText,
    number=st.just(1),
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    dpi=st.floats(70, 600),
    rotation=st.sampled_from((0, 90, 180, 270)),
    skew=st.floats(-6, 6),
    words=st.lists(_words, max_size=12).map(tuple),
)


@given(_pages, st.text(max_size=30), st.lists(st.sampled_from(("fra", "ara", "wol")), min_size=1, max_size=2))
def test_whatever_was_read(read: PageText, file_name: str, languages: list[str]) -> None:
    assert faults_of(alto([read], file_name, "tesseract 5.3.0", languages, MADE)) == []


def test_files_of_an_archive(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    pages = [page(width=700), page(width=710)]
    write_scans(tmp_path / "b", a__tif=encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    archive.digitise(tmp_path / "b")
    assert faults_of(archive.read("alto/b/a.alto.xml")) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b"<MeasurementUnit>pixel", b"<MeasurementUnit>inch"),
        (b'CONTENT="', b'Content="'),
        (b'WC="0.9000"', b'WC="0,9"'),
        (b'ID="page_1"', b'ID="1page"'),
        (b"<Layout>", b"<Layout><SP/>"),
        (b'PROCESSINGREFS="processing_1"', b'PROCESSINGREFS="other"'),
    ],
)
def test_the_model_finds_what_is_wrong(right: bytes, wrong: bytes) -> None:
    word = Word("rougeole", Box(0, 0, 10, 10), 90.0, 0, 0)
    file = alto([PageText(1, 100, 100, 200.0, words=(word,))], "a.tif", "tesseract", ["fra"], MADE)
    assert right in file
    assert faults_of(file.replace(right, wrong)) != []
