"""What makes words equal for a search: accents, typewriter digits, stems. Used alike when indexing and when asking.

`fold` brings spelling to one form (case, accents, ligatures, Arabic letter variants); `typed` does so for typewriter
digits (I949 and l949 are 1949, O is 0 in a number); `stems_of` brings words to their stems, both with accents, as
Snowball expects, and without, as OCR often leaves them. A word that a line's end divides is one word.
"""

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

STEMMERS = {"fra": "french", "eng": "english", "ara": "arabic"}
"""Snowball's algorithms by Tesseract's names of languages."""

_WORD = re.compile(r"[^\W_]+")
_DIGITS_TYPED = re.compile(r"[0-9ilo|]*[0-9][0-9ilo|]*")
_TYPED = str.maketrans("ilo|", "1101")
_SAME = str.maketrans(
    {
        **{"œ": "oe", "æ": "ae", "ß": "ss", "’": "'", "ʼ": "'", "ـ": ""},
        **{"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ئ": "ي", "ؤ": "و", "ة": "ه"},
    }
)
_LETTERS = r"[^\W_](?:[^\W_]|[\u0300-\u036f\u064b-\u065f\u0670\u0640])*"
"""A word and the combining marks in it, which Python does not count among its letters."""
_TOKEN = re.compile(rf"({_LETTERS})(?:[-\u00ac\u00ad\u2010][ \t]*\n[ \t]*({_LETTERS}))?")


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a text as it stands there."""

    text: str
    """As written, in NFC, lower case."""
    start: int
    end: int
    """Where it stands in the text it was taken from."""


def fold(text: str) -> str:
    """Return the text in lower case without accents, ligatures taken apart, Arabic letters in one form each."""
    plain = unicodedata.normalize("NFC", text.casefold()).translate(_SAME)
    apart = unicodedata.normalize("NFKD", plain)
    return "".join(character for character in apart if not unicodedata.combining(character))


def typed(folded: str) -> str:
    """Return a folded word with typewriter digits as digits, if it is a number: `i949` is `1949`."""
    return folded.translate(_TYPED) if _DIGITS_TYPED.fullmatch(folded) else folded


def tokens(text: str) -> Iterator[Token]:
    """Yield the words of a text: letters and digits, their marks with them, both halves of a divided one."""
    position = 0
    while match := _TOKEN.search(text, position):
        first, second = match.group(1), match.group(2)
        divided = second is not None and second[0].islower()
        position = match.end() if divided else match.end(1)
        word = first + second if divided else first
        yield Token(unicodedata.normalize("NFC", word.casefold()), match.start(), position)


@functools.lru_cache(maxsize=65_536)
def stems_of(word: str, languages: tuple[str, ...]) -> frozenset[str]:
    """Return the folded stems of a word in the given languages; empty where no stemmer is installed."""
    found = set()
    for stem in _stemmers(languages):
        for form in (word, fold(word)):
            found.add(fold(stem(form)))
    return frozenset(found - {""})


def forms_of(word: str, languages: tuple[str, ...]) -> frozenset[str]:
    """Return every form under which a word is found: folded, typed, stemmed; without spaces in them."""
    folded = fold(word)
    forms = {folded, typed(folded), *stems_of(word, languages)}
    return frozenset(part for form in forms for part in _WORD.findall(form))


def indexed_stems(text: str, languages: tuple[str, ...]) -> str:
    """Return what goes beside a page's text into its full-text row: each form that the text itself lacks."""
    words = {token.text for token in tokens(text)}
    plain = {_tokenized(word) for word in words}
    return " ".join(sorted({form for word in words for form in forms_of(word, languages)} - plain))


def indexed_grams(text: str) -> str:
    """Return what is indexed by trigrams: the text folded, its numbers typed."""
    return " ".join(typed(part) for token in tokens(text) for part in _WORD.findall(fold(token.text)))


def _tokenized(word: str) -> str:
    """Return a word as SQLite's tokenizer (unicode61, remove_diacritics 2) sees it."""
    apart = unicodedata.normalize("NFD", word)
    return "".join(character for character in apart if not unicodedata.combining(character))


@functools.lru_cache(maxsize=8)
def _stemmers(languages: tuple[str, ...]) -> tuple[Callable[[str], str], ...]:
    try:
        import snowballstemmer
    except ImportError:  # searching works without the OCR part installed, by whole words only
        return ()
    names: Iterable[str] = (STEMMERS[language] for language in languages if language in STEMMERS)
    return tuple(snowballstemmer.stemmer(name).stemWord for name in names)
