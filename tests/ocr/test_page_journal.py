"""What was read on pages, kept until it is safe: it comes back to the letter, and never stands in the way."""

from pathlib import Path

import pytest

from repatria.ocr.memory import SharedBytes
from repatria.ocr.page import Form, PageTask, Side
from repatria.ocr.page_journal import FILE_NAME, PageJournal
from repatria.ocr.words import PageText
from repatria.paper.separator_code import SeparatorCode
from tests.ocr.making import FAKE, word

KEY = bytes(range(32))
SCAN, OTHER = b"s" * 32, b"o" * 32
TASK = PageTask(SharedBytes.of(b""), Form.IMAGE, 1, 0, FAKE)
PAGE = PageText(1, 2480, 3508, 300.0, 180, -1.5, (word("Épidémie", (1, 2, 3.5, 4)),), ("rotated",))
SIDES = (Side(PAGE, (0.0, 0.48)), Side(PageText(1, 10, 10, 72.0), (0.48, 1.0), SeparatorCode("3 F 12")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_page_comes_back_to_another_run(folder: Path) -> None:
    with PageJournal(folder, KEY) as journal:
        assert journal.known(SCAN, TASK) == ()
        journal.keep(SCAN, TASK, SIDES)
    with PageJournal(folder, KEY) as journal:
        assert journal.known(SCAN, TASK) == SIDES
        assert journal.known(OTHER, TASK) == ()


@pytest.mark.parametrize("other", [{"frame": 1}, {"split": True}, {"again": True}])
def test_what_was_read_otherwise_is_read_again(folder: Path, other: dict[str, object]) -> None:
    with PageJournal(folder, KEY) as journal:
        journal.keep(SCAN, TASK, SIDES)
        facts = {"scan": TASK.scan, "form": TASK.form, "number": 1, "frame": 0, "engine": FAKE, **other}
        assert journal.known(SCAN, PageTask(**facts)) == ()  # type: ignore[arg-type]  # a task's own facts


def test_what_is_safe_is_forgotten(folder: Path) -> None:
    with PageJournal(folder, KEY) as journal:
        journal.keep(SCAN, TASK, SIDES)
        journal.keep(OTHER, TASK, SIDES)
        journal.forget(SCAN)
        assert (journal.known(SCAN, TASK), journal.known(OTHER, TASK)) == ((), SIDES)
        journal.forget_all()
        assert journal.known(OTHER, TASK) == ()


def test_nothing_in_it_is_in_clear(folder: Path) -> None:
    with PageJournal(folder, KEY) as journal:
        journal.keep(SCAN, TASK, SIDES)
        journal.set_separator("Boîte 12", "dupont.tif", "3 F 12")
        journal.set_troubles(b"dupont.tif", [("damaged", 4)])
    data = (folder / FILE_NAME).read_bytes()
    assert not any(clear in data for clear in (SCAN, "Épidémie".encode(), b"dupont", b"3 F 12", b"damaged"))


def test_a_damaged_file_is_made_anew(folder: Path) -> None:
    (folder / FILE_NAME).write_bytes(b"no database at all" * 500)
    with PageJournal(folder, KEY) as journal:
        journal.keep(SCAN, TASK, SIDES)
        assert journal.known(SCAN, TASK) == SIDES


def test_another_key_reads_nothing(folder: Path) -> None:
    with PageJournal(folder, KEY) as journal:
        journal.keep(SCAN, TASK, SIDES)
    with PageJournal(folder, bytes(32)) as journal:
        assert journal.known(SCAN, TASK) == ()


def test_a_file_that_cannot_be_used_is_done_without(folder: Path) -> None:
    (folder / FILE_NAME).mkdir()
    with PageJournal(folder, KEY) as journal:
        journal.keep(SCAN, TASK, SIDES)
        assert journal.known(SCAN, TASK) == SIDES


def test_sheets_and_troubles_are_kept_by_folder_and_scan(folder: Path) -> None:
    with PageJournal(folder, KEY) as journal:
        journal.set_separator("a", "p2.tif", "3 F 12")
        journal.set_separator("a", "p5.tif", "")
        journal.set_separator("b", "p1.tif", "9")
        journal.set_troubles(b"x", [("damaged", 4), ("slow", None)])
    with PageJournal(folder, KEY) as journal:
        assert journal.separators("a") == {"p2.tif": "3 F 12", "p5.tif": ""}
        journal.set_separator("a", "p2.tif", None)
        assert journal.separators("a") == {"p5.tif": ""}
        assert journal.troubles(b"x") == (("damaged", 4), ("slow", None))
        assert journal.troubles(b"y") == ()
