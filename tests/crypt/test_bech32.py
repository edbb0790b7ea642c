"""Bech32 of any length, strict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.crypt import bech32

PREFIXES = st.sampled_from(["age", "age1pq", "age-secret-key-", "a", "1"])


@given(PREFIXES, st.binary(max_size=2000))
def test_decodes_what_it_encodes(prefix: str, data: bytes) -> None:
    text = bech32.encode(prefix, data)
    assert bech32.decode(text) == (prefix, data)
    assert bech32.decode(text.upper()) == (prefix, data)


@given(st.binary(min_size=32, max_size=32), st.data())
def test_finds_every_single_wrong_character(data: bytes, draw: st.DataObject) -> None:
    text = bech32.encode("age", data)
    position = draw.draw(st.integers(4, len(text) - 1))
    wrong = draw.draw(st.sampled_from([letter for letter in bech32.ALPHABET if letter != text[position]]))
    with pytest.raises(ValueError, match="checksum"):
        bech32.decode(text[:position] + wrong + text[position + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "age1",
        "age",
        "1qqqqqq",
        "age1qqqqq",
        "Age1qqqqqqqqqqqqqqqq",
        "age1bqqqqqqqqqqqq",
        "ag\u00e91qqqqqqqqqqqq",
        "age1\u0131qqqqqqqqqq",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- which of its reasons does not matter
        bech32.decode(text)


@given(st.text(max_size=100))
def test_survives_anything(text: str) -> None:
    try:
        prefix, data = bech32.decode(text)
    except ValueError:
        return
    assert bech32.encode(prefix, data) == text.lower()


def test_bip_173_examples() -> None:
    for text in (
        "A12UEL5L",
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    ):
        prefix, data = bech32.decode(text)
        assert data == b""
        assert bech32.encode(prefix, b"") == text.lower()
