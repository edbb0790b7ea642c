"""Which reading is kept, which of its words the others put right, and what is no text."""

import numpy as np
import pytest

from repatria.ocr.lexicon import WordGraphs
from repatria.ocr.readings import Look, Reading, agreed, best_of, without_noise
from repatria.ocr.words import Box, Word
from tests.ocr.test_lexicon import lexicon

PAPER = np.full((40, 400), 250, dtype=np.uint8)


def words_of(confidence: float, *texts: str, line: int = 0, aside: float = 0.0) -> list[Word]:
    """Return words side by side, 100 pixels each."""
    return [
        Word(text, Box(100 * place + aside, 10, 100 * place + 80 + aside, 37), confidence, line, 0)
        for place, text in enumerate(texts)
    ]


def reading(*words: Word) -> Reading:
    return Reading(Look("plain", 1.0), words, 0.0, PAPER)


NOTHING = reading()
NO_WORDS = WordGraphs()
ONE_SURE_WORD = reading(*words_of(96.0, "je"))
GOOD_PAGE = reading(*words_of(80.0, *["dispositions"] * 20))
POOR_PAGE = reading(*words_of(60.0, *["dispositions"] * 20))
SPECKS = reading(*words_of(20.0, "~", "|"))


@pytest.mark.parametrize(
    ("readings", "best"),
    [
        ([ONE_SURE_WORD, GOOD_PAGE], GOOD_PAGE),
        ([ONE_SURE_WORD, POOR_PAGE], POOR_PAGE),
        ([POOR_PAGE, GOOD_PAGE, NOTHING], GOOD_PAGE),
        ([SPECKS, NOTHING], SPECKS),
        ([SPECKS, ONE_SURE_WORD], ONE_SURE_WORD),
        ([NOTHING], NOTHING),
    ],
)
def test_the_reading_that_is_surest_of_most_characters_is_the_best(readings: list[Reading], best: Reading) -> None:
    assert best_of(readings) is best
    assert best_of(readings[::-1]) is best


def said(words: tuple[Word, ...]) -> str:
    return " ".join(word.text for word in words)


def test_a_word_that_other_readings_agree_on_takes_the_place_of_the_best_ones() -> None:
    best = reading(*words_of(90.0, "le", "nersonnel", "soignant"))
    others = [reading(*words_of(70.0, "le", "personnel", "soignant", aside=shift)) for shift in (4.0, -6.0)]
    words = agreed(best, others, NO_WORDS)
    assert said(words) == "le personnel soignant"
    assert words[1].box == best.words[1].box


def test_a_word_stays_where_the_others_do_not_agree() -> None:
    best = reading(*words_of(80.0, "quinine"))
    others = [reading(*words_of(60.0, "guinine")), reading(*words_of(60.0, "quinïne")), NOTHING]
    assert said(agreed(best, others, NO_WORDS)) == "quinine"


def test_a_word_that_the_lexicon_knows_stands_against_two_that_it_does_not() -> None:
    best = reading(*words_of(90.0, "nersonnel"))
    others = [reading(*words_of(90.0, "nersonnel")), reading(*words_of(80.0, "personnel"))]
    assert said(agreed(best, others, NO_WORDS)) == "nersonnel"
    assert said(agreed(best, others, lexicon("personnel"))) == "personnel"


def test_a_name_stays_where_nearly_all_read_it() -> None:
    best = reading(*words_of(90.0, "Sarr"))
    others = [reading(*words_of(90.0, "Sarr"))] * 3 + [reading(*words_of(90.0, "Sari"))]
    assert said(agreed(best, others, lexicon("sari"))) == "Sarr"


def test_words_that_stand_elsewhere_have_no_vote() -> None:
    best = reading(*words_of(20.0, "un"))
    others = [reading(*words_of(95.0, "deux", aside=45.0))] * 2
    assert said(agreed(best, others, NO_WORDS)) == "un"


def test_a_reading_alone_stays_as_it_is() -> None:
    assert agreed(GOOD_PAGE, [], NO_WORDS) == GOOD_PAGE.words


def test_what_is_agreed_on_is_as_sure_as_the_surest_who_say_it() -> None:
    best = reading(*words_of(40.0, "mars"))
    others = [reading(*words_of(85.0, "mars")), reading(*words_of(95.0, "mors"))]
    (word,) = agreed(best, others, NO_WORDS)
    assert (word.text, word.confidence) == ("mars", 85.0)


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (words_of(95.0, "Compte", "rendu"), "Compte rendu"),
        (words_of(30.0, "Compto", "randu"), "Compto randu"),  # perhaps text: a person may guess it
        (words_of(30.0, "QS", ")"), ""),
        (words_of(30.0, "1e", "4", "y"), ""),
        (words_of(80.0, "12"), "12"),
        ([*words_of(95.0, "soit"), *words_of(20.0, "3")], "soit 3"),
        ([*words_of(95.0, "soit"), *words_of(20.0, "|", "-")], "soit"),
        ([*words_of(95.0, "soit"), *words_of(90.0, "-")], "soit -"),
        ([*words_of(95.0, "soit"), *words_of(20.0, "~", line=1)], "soit"),
        ([*words_of(30.0, "k", "ab"), *words_of(95.0, "soit"), *words_of(55.0, "je", "Y")], "soit"),
        ([*words_of(95.0, "soit"), *words_of(30.0, "à"), *words_of(95.0, "raison")], "soit à raison"),
        ([*words_of(95.0, "soit"), *words_of(30.0, "dit")], "soit dit"),
        ([Word("déjà", Box(0, 0, 9, 9), None, 0, 0), Word("-", Box(9, 0, 10, 9), None, 0, 0)], "déjà -"),
        (words_of(60.0, "من"), "من"),
        ([], ""),
    ],
)
def test_noise_is_unsure_signs_lines_of_a_few_letters_and_letters_where_lines_end(words: list[Word], kept: str) -> None:
    assert said(without_noise(words)) == kept
