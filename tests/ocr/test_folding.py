"""Words that are equal for a search."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.ocr.folding import fold, forms_of, indexed_grams, indexed_stems, tokens, typed

FRENCH = ("fra",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("épidémie", "EPIDEMIE"),
        ("Œuvre", "oeuvre"),
        ("ﬁche", "fiche"),
        ("Noe\u0308l", "Noël"),
        ("مُحَمَّد", "محمد"),
        ("أحمد", "احمد"),
        ("مستشفى", "مستشفي"),
        ("مدرسة", "مدرسه"),
        ("كتـــاب", "كتاب"),
    ],
)
def test_spellings_that_fold_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("i949", "1949"), ("l949", "1949"), ("19o7", "1907"), ("2i", "21"), ("il", "il"), ("io", "io"), ("b12", "b12")],
)
def test_a_typewriters_digits_are_digits_in_numbers_only(written: str, meant: str) -> None:
    assert typed(written) == meant


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("vaccinations", "vaccination"),
        ("campagnes", "campagne"),
        ("épidémies", "epidemie"),
        ("I949", "1949"),
        ("hôpitaux", "hopitaux"),
        ("malades", "malade"),
    ],
)
def test_words_that_find_each_other(one: str, other: str) -> None:
    assert forms_of(one.casefold(), FRENCH) & forms_of(other.casefold(), FRENCH)


@pytest.mark.parametrize(("one", "other"), [("santé", "saint"), ("1949", "1948"), ("mort", "more")])
def test_words_that_do_not(one: str, other: str) -> None:
    assert not forms_of(one, FRENCH) & forms_of(other, FRENCH)


def test_a_word_that_the_end_of_a_line_divides_is_one_word() -> None:
    found = [token.text for token in tokens("plu-\nsieurs reprises en Seine-\nInférieure, porte-clés")]
    assert found == ["plusieurs", "reprises", "en", "seine", "inférieure", "porte", "clés"]


def test_an_apostrophe_parts_words() -> None:
    assert [token.text for token in tokens("l'hôpital d’Abomey")] == ["l", "hôpital", "d", "abomey"]


@given(st.text(max_size=80))
def test_tokens_tell_where_they_stand(text: str) -> None:
    last = 0
    for token in tokens(text):
        assert last <= token.start < token.end <= len(text)
        last = token.end


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(alphabet=st.characters(categories=["L", "N", "M"]), min_size=1, max_size=20))
def test_forms_are_single_tokens_without_marks(word: str) -> None:
    for form in forms_of(word.casefold(), ("fra", "ara", "eng")):
        assert form
        assert " " not in form
        assert not any(unicodedata.combining(character) for character in form)


def test_beside_a_text_stands_only_what_it_lacks() -> None:
    assert indexed_stems("les campagnes de 1949 et de I950", FRENCH).split() == ["1950", "campagn", "le"]


def test_trigrams_are_taken_of_folded_text() -> None:
    assert indexed_grams("L'Épidémie de I9O7, plu-\nsieurs cas") == "l epidemie de 1907 plusieurs cas"
