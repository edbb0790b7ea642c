"""Shares as somebody typed them into a file or a pipe."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from repatria.crypt.errors import ShareError, ShareSetError
from repatria.crypt.key_files import read_private
from repatria.crypt.share_words import Share, read_share
from repatria.crypt.shares import parse_fingerprint
from repatria.i18n import _

_FINGERPRINT = re.compile(r"\b(?:[0-9a-f]{4}-){7}[0-9a-f]{4}\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+[.):]?")
_LONG_LINE = 30
"""A line of so many words is a share by itself, though a word may be missing."""


def text_of_file(path: Path) -> str:
    """Return what a share file holds; secret. KeyFileError if others may read it, ShareError if it is a PDF."""
    data = read_private(path)
    if data.startswith(b"%PDF"):
        raise ShareError(
            _("{file} is a page to print; shares are not read from it.").format(file=path),
            advice=_("Type the words at the terminal, or into a text file."),
        )
    return data.decode("utf-8", "replace")


def shares_in(text: str, place: str) -> Iterator[Share]:
    """Yield the shares of a text: one a line, or one over all lines.

    Numbers before words, `#` comments and lines with a fingerprint are passed over. Errors name `place`.
    """
    for words in _groups(text):
        try:
            yield read_share(words)
        except ShareError as error:
            error.message = _("{place}: {problem}").format(place=place, problem=error.message)
            raise


def _groups(text: str) -> list[list[str]]:
    lines = [_words(line) for line in text.splitlines()]
    lines = [line for line in lines if line]
    if all(len(line) >= _LONG_LINE for line in lines):
        return lines
    return [[word for line in lines for word in line]]


def _words(line: str) -> list[str]:
    line = line.partition("#")[0]
    if _FINGERPRINT.search(line):
        return []
    return [word for word in line.split() if not _NUMBER.fullmatch(word)]


def fingerprint_in(texts: Iterable[str]) -> str | None:
    """Return the fingerprint that stands in the texts, None if none does; ShareSetError if they differ."""
    found = {parse_fingerprint(text) for whole in texts for text in _FINGERPRINT.findall(whole)}
    if len(found) > 1:
        raise ShareSetError(
            _("The share files bear different fingerprints: they belong to different keys."),
            advice=_("Sort the pages by fingerprint and set number."),
        )
    return next(iter(found), None)
