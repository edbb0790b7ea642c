"""Which looks are taken, and which reading is kept."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from repatria.ocr.engine import Layout, Upright
from repatria.ocr.lexicon import Lexicon
from repatria.ocr.looks import (
    DOUBTFUL,
    READING_DPI,
    READING_SIDE,
    Sheet,
    first_look,
    more_looks,
    read_sheet,
)
from repatria.ocr.readings import Look, Reading
from repatria.ocr.words import Box, Word
from tests.ocr.making import grey, page, word
from tests.ocr.test_lexicon import lexicon

SHEET = Sheet(grey(page()), 150.0, dpi_known=True)
BLANK = Sheet(np.full((1600, 1200), 250, dtype=np.uint8), 150.0, dpi_known=True)


def words_of(confidence: float, *texts: str, height: float = 27) -> list[Word]:
    return [
        Word(text, Box(100 * place, 10, 100 * place + 80, 10 + height), confidence, 0, 0)
        for place, text in enumerate(texts)
    ]


class Scripted:
    """An engine that answers one reading after the other, the last one for ever."""

    lexicon: Lexicon = lexicon("campagne", "personnel", "soignant", "vaccination")

    def __init__(self, *answers: Sequence[Word], upright: Upright | None = None) -> None:
        self._answers = list(answers)
        self._upright = upright
        self.seen: list[tuple[tuple[int, int], Layout]] = []

    def read(self, image: Image.Image, dpi: float, layout: Layout = Layout.AUTOMATIC) -> list[Word]:
        self.seen.append((image.size, layout))
        return list(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])

    def upright(self, image: Image.Image) -> Upright | None:
        return self._upright


def test_a_page_read_surely_is_read_once() -> None:
    engine = Scripted(words_of(96.0, "campagne", "de", "vaccination"))
    read = read_sheet(SHEET, 1, engine)
    assert len(engine.seen) == 1
    assert read.flags == ()
    assert [each.text for each in read.words] == ["campagne", "de", "vaccination"]


def test_a_page_read_badly_is_read_again_and_the_better_reading_is_kept() -> None:
    engine = Scripted(words_of(76.0, "camgne"), words_of(60.0, "bad"), words_of(91.0, "campagne"), words_of(9.0, "x"))
    read = read_sheet(SHEET, 1, engine)
    assert [each.text for each in read.words] == ["campagne"]
    assert "second-look" in read.flags


def test_a_page_read_surely_is_read_again_if_its_words_are_none() -> None:
    wrong, right = ([*words_of(96.0, said, "soignant", "vaccination")] for said in ("nersonnel", "personnel"))
    engine = Scripted(wrong, right)
    read = read_sheet(SHEET, 1, engine)
    assert [each.text for each in read.words] == ["personnel", "soignant", "vaccination"]
    assert len(engine.seen) == 3


def test_halves_of_words_that_lines_break_are_no_misread_ones() -> None:
    engine = Scripted([*words_of(96.0, "vaccina-"), *words_of(96.0, "tion", "soignanx-")])
    read_sheet(SHEET, 1, engine)
    assert len(engine.seen) == 1


def test_boxes_are_in_the_pixels_of_the_page_whatever_it_was_resized_to() -> None:
    engine = Scripted([word("mot", (160, 80, 320, 120), confidence=96.0)])
    read = read_sheet(SHEET, 1, engine)
    factor = READING_DPI / 150
    assert read.words[0].box.left == pytest.approx(160 / factor, abs=1)
    assert read.words[0].box.bottom == pytest.approx(120 / factor, abs=1)


def test_a_page_on_its_head_is_turned_if_it_reads_better_so() -> None:
    engine = Scripted(words_of(30.0, "sɐd"), words_of(95.0, "pas"), upright=Upright(180, 8.0))
    read = read_sheet(SHEET, 1, engine)
    assert read.rotation == 180
    assert "rotated" in read.flags


def test_a_page_is_not_turned_when_that_reads_worse() -> None:
    engine = Scripted(words_of(70.0, "lisible"), words_of(20.0, "x"), upright=Upright(180, 8.0))
    assert read_sheet(SHEET, 1, engine).rotation == 0


def test_words_that_stand_on_end_tell_of_a_page_on_its_side_however_surely_they_are_read() -> None:
    on_end = [Word("campagne", Box(10, 10, 40, 200), 95.0, 0, 0)]
    engine = Scripted(on_end, words_of(94.0, "campagne"), upright=Upright(270, 8.0))
    read = read_sheet(SHEET, 1, engine)
    assert (read.rotation, read.width, read.height) == (270, SHEET.grey.shape[0], SHEET.grey.shape[1])


def test_a_blank_page_is_flagged_and_not_read_again() -> None:
    engine = Scripted([])
    read = read_sheet(BLANK, 3, engine)
    assert read.flags == ("blank",)
    assert len(engine.seen) == 1
    assert read.number == 3


def test_a_page_with_ink_and_no_words_is_looked_at_again_and_flagged() -> None:
    read = read_sheet(SHEET, 1, Scripted([]))
    assert set(read.flags) == {"second-look", "low-confidence"}


@pytest.mark.parametrize(
    ("sheet", "expected"),
    [
        (SHEET, READING_DPI / 150),
        (Sheet(SHEET.grey, 600.0, dpi_known=True), READING_DPI / 600),
        (Sheet(SHEET.grey, 106.0, dpi_known=False), 2.0),
        (Sheet(np.zeros((5200, 100), dtype=np.uint8), 445.0, dpi_known=False), READING_SIDE / 5200),
    ],
)
def test_the_first_look_brings_letters_to_the_size_that_engines_read_best(sheet: Sheet, expected: float) -> None:
    look = first_look(sheet)
    assert (look.preparation, look.layout) == ("flattened", Layout.AUTOMATIC)
    assert look.factor == pytest.approx(expected)


def test_a_page_that_is_nearly_sure_gets_the_looks_that_put_single_words_right() -> None:
    first = Reading(Look("flattened", 1.0), tuple(words_of(DOUBTFUL, "mot")), 0.0, BLANK.grey)
    assert [look.preparation for look in more_looks(SHEET, first)] == ["stretched", "softened"]


def test_of_a_page_that_is_nearly_sure_other_looks_put_words_right_and_nothing_else() -> None:
    others = words_of(99.0, "la", "personnel", "soignant", "du", "secteur")
    read = read_sheet(SHEET, 1, Scripted(words_of(88.0, "le", "nersonnel", "soignant"), others[1:]))
    assert [each.text for each in read.words] == ["le", "personnel", "soignant"]


def test_a_second_look_corrects_the_size_by_the_words_that_were_seen() -> None:
    first = Reading(Look("flattened", 1.0), tuple(words_of(60.0, "mot", height=54.0)), 0.0, BLANK.grey)
    factors = {look.factor for look in more_looks(SHEET, first) if look.preparation == "flattened"}
    assert factors == {0.5}


DARK = Sheet(255 - SHEET.grey, 150.0, dpi_known=True)


def test_a_dark_page_is_read_as_a_negative_however_sure_the_few_words_are_that_are_seen_on_it() -> None:
    engine = Scripted(words_of(96.0, "la"), words_of(95.0, "campagne", "de", "vaccination"))
    read = read_sheet(DARK, 1, engine)
    assert [each.text for each in read.words] == ["campagne", "de", "vaccination"]
    assert len(engine.seen) == 2


def test_a_dark_page_that_is_none_is_read_as_it_is() -> None:
    engine = Scripted(words_of(95.0, "campagne", "de", "vaccination"), words_of(40.0, "la"))
    assert [each.text for each in read_sheet(DARK, 1, engine).words] == ["campagne", "de", "vaccination"]


def test_a_negative_that_lies_on_its_head_is_turned() -> None:
    engine = Scripted([], words_of(60.0, "sɐd"), words_of(95.0, "pas"), upright=Upright(180, 8.0))
    read = read_sheet(DARK, 1, engine)
    assert (read.rotation, [each.text for each in read.words]) == (180, ["pas"])
