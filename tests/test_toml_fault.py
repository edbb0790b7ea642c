"""A broken TOML file is told in our own words, with line and column."""

import tomllib

import pytest

from repatria.toml_fault import toml_fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = 1\nb 2\n", "line 2, column 3: after a key there must be a sign =."),
        ("a = \n", "line 1, column 5: a value is missing, or is text without quotes."),
        ("a = CHU\n", "line 1, column 5: a value is missing, or is text without quotes."),
        ("= 3\n", "line 1, column 1: this is neither a key, nor a [table], nor a comment."),
        ('a = "x" y\n', "line 1, column 9: after a value the line must end; text stands between two quotes."),
        ('a = "x', "a text begins with a quote and does not end with one."),
        ('a = "x\nb = 1\n', "line 1, column 7: a character that may not stand there: a text may be"),
        ("[t\na = 1\n", "a bracket ] is missing."),
        ("a = [1, 2\n", "a list is not closed: a bracket ] is missing."),
        ("a = 1\na = 2\n", "line 2, column 6: this key stands there twice."),
        ("[t]\n[t]\n", "line 2, column 3: this table stands there twice."),
        ('a = "C:\\data"\n', "before a \\ in a text put another one"),
    ],
)
def test_common_faults(text: str, told: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    said = toml_fault(caught.value, text)
    assert told in said
    assert said.startswith("line ")
    assert "(at" not in said
