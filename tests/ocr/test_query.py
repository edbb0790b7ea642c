"""What is typed, and what is asked of the index."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.errors import UsageError
from repatria.ocr.folding import tokens
from repatria.ocr.query import allowed_errors, is_near, parse_query, pieces_of

TEXT = "La campagne de vaccination contre la rougeole, janvier I949, a commencé à l'hôpital."


def found(query: str, text: str = TEXT) -> list[str]:
    return [text[token.start : token.end] for token in parse_query(query).places(list(tokens(text)))]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("vaccinations", ["vaccination"]),
        ("hopital", ["hôpital"]),
        ("HÔPITAL", ["hôpital"]),
        ("1949", ["I949"]),
        ("rougeole campagne", ["campagne", "rougeole"]),
        ('"contre la rougeole"', ["contre", "la", "rougeole"]),
        ('"la contre"', []),
        ("vacc*", ["vaccination"]),
        ("l'hôpital", ["l", "hôpital"]),
        ("absent", []),
    ],
)
def test_words_are_found_in_a_text(query: str, expected: list[str]) -> None:
    assert found(query) == expected


def test_every_term_must_be_there() -> None:
    query = parse_query("campagne rougeole")
    assert query.match.count(" AND ") == 1


def test_nothing_that_is_typed_is_an_operator() -> None:
    assert parse_query('NOT OR "AND NEAR(').match.count("NOT") == 0
    assert '"' in parse_query("NEAR").match


@given(st.text(max_size=60))
def test_any_text_is_a_query_or_is_refused(text: str) -> None:
    try:
        parsed = parse_query(text)
    except UsageError:
        return
    assert parsed.match.count('"') % 2 == 0


@pytest.mark.parametrize("query", ["", "   ", "...", '""', "* * *"])
def test_a_query_without_words_is_refused(query: str) -> None:
    with pytest.raises(UsageError):
        parse_query(query)


@pytest.mark.parametrize(
    ("word", "other", "near"),
    [
        ("vaccination", "vacclnation", True),
        ("vaccination", "vaccinat1on", True),
        ("rougeole", "rougeo1e", True),
        ("rougeole", "rouge", False),
        ("mer", "mar", False),
        ("1949", "1949", True),
        ("epidemie", "academie", False),
        ("1949", "1948", False),
        ("approvisionnement", "approvislonnenent", True),
    ],
)
def test_misread_words_are_near(word: str, other: str, near: bool) -> None:
    assert is_near(word, other) is near


def test_a_misread_page_is_nearly_what_is_asked_for() -> None:
    query = parse_query("vaccination rougeole")
    misread = list(tokens("campagne de vacclnation contre la rougeo1e"))
    assert query.places(misread) == []
    near = query.nearly(misread)
    assert near is not None
    assert [token.text for token in near] == ["vacclnation", "rougeo1e"]
    assert query.nearly(list(tokens("vacclnation seule"))) is None


@given(st.text("abcdefgh", min_size=6, max_size=25), st.data())
def test_of_a_words_pieces_one_is_intact_whatever_letters_are_wrong(word: str, data: st.DataObject) -> None:
    errors = data.draw(st.sets(st.integers(0, len(word) - 1), max_size=allowed_errors(word)))
    misread = "".join("?" if place in errors else letter for place, letter in enumerate(word))
    assert is_near(word, misread)
    assert any(piece in misread for piece in pieces_of(word))
    assert all(len(piece) >= 3 for piece in pieces_of(word))


def test_short_words_are_not_searched_by_trigrams() -> None:
    assert parse_query("le la").fuzzy_match is None
