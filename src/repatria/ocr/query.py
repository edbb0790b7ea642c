"""What a person types to search, and what SQLite's full-text search is asked for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.ocr.folding import STEMMERS, Token, fold, forms_of, indexed_grams, tokens, typed

ALL_LANGUAGES = tuple(STEMMERS)
MOST_TERMS = 24
_GRAM = 3
_WORDS = re.compile(r"\"([^\"]*)\"?|(\S+)")


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that a page must hold: a word under any of its forms, or several words that follow each other."""

    words: tuple[frozenset[str], ...]
    """The forms of each word; more than one: a phrase."""
    written: str
    """The word or words folded, for a search that forgives errors."""
    typed: str
    """As the person typed it."""
    prefix: bool = False
    """Whether the word may go on (`vaccin*`)."""

    @property
    def match(self) -> str:
        """The FTS5 expression of this term."""
        if len(self.words) > 1:
            return _quoted(self.written)
        return "(" + " OR ".join(_quoted(form) + " *" * self.prefix for form in sorted(self.words[0])) + ")"

    def places(self, text: Sequence[Token]) -> Iterator[Token]:
        """Yield the tokens of a page's text that this term means."""
        for start in range(len(text) - len(self.words) + 1):
            run = text[start : start + len(self.words)]
            if all(self._means(forms, token) for forms, token in zip(self.words, run, strict=True)):
                yield from run

    def near_places(self, text: Sequence[Token]) -> Iterator[Token]:
        """Yield the tokens that are this term but for a few letters."""
        words = self.written.split()
        for start in range(len(text) - len(words) + 1):
            run = text[start : start + len(words)]
            if all(is_near(word, indexed_grams(token.text)) for word, token in zip(words, run, strict=True)):
                yield from run

    def _means(self, forms: frozenset[str], token: Token) -> bool:
        if len(self.words) > 1:
            return bool(forms & {fold(token.text), typed(fold(token.text))})
        found = forms_of(token.text, ALL_LANGUAGES)
        return bool(forms & found) or (self.prefix and any(form.startswith(start) for form in found for start in forms))


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for: every term must be on the page."""

    terms: tuple[Term, ...]

    @property
    def match(self) -> str:
        """The FTS5 expression for `pages_text`."""
        return " AND ".join(term.match for term in self.terms)

    @property
    def fuzzy_match(self) -> str | None:
        """The FTS5 expression for `pages_grams`: pages that share a piece with every word; None for short words."""
        words = [word for term in self.terms for word in term.written.split()]
        parts = ["(" + " OR ".join(map(_quoted, pieces_of(word))) + ")" for word in words if allowed_errors(word)]
        return " AND ".join(parts) or None

    def places(self, text: Sequence[Token]) -> list[Token]:
        """Return the tokens of a page's text that the query means, in order."""
        found = {token for term in self.terms for token in term.places(text)}
        return sorted(found, key=lambda token: token.start)

    def nearly(self, text: Sequence[Token]) -> list[Token] | None:
        """Return the tokens that are the query's words but for a few letters; None unless each term has some."""
        found = self.found_in({"": text}, nearly=True)
        return found[""] if found is not None else None

    def found_in(self, texts: Mapping[str, Sequence[Token]], *, nearly: bool) -> dict[str, list[Token]] | None:
        """Return, of several texts that belong together, the tokens that the query means in each that has any.

        None unless each term is in one of them. `nearly` forgives a few wrong letters.
        """
        found: dict[str, set[Token]] = {}
        for term in self.terms:
            find = term.near_places if nearly else term.places
            here = {name: places for name, text in texts.items() if (places := set(find(text)))}
            if not here:
                return None
            for name, places in here.items():
                found.setdefault(name, set()).update(places)
        return {name: sorted(found[name], key=lambda token: token.start) for name in texts if name in found}


def parse_query(text: str) -> Query:
    """Read a query: words, "phrases in quotes", and beginnings of words with `*`; UsageError if it asks for nothing."""
    terms = [term for term in map(_term, _pieces(text)) if term is not None]
    if not terms:
        raise UsageError(
            _("The query holds no word to search for."),
            advice=_('Give words, or a phrase in quotes: repatria search "campagne de vaccination".'),
        )
    if len(terms) > MOST_TERMS:
        raise UsageError(
            _("The query has {count} words; at most {limit} are searched for.").format(
                count=len(terms), limit=MOST_TERMS
            ),
            advice=_("Keep the rarest words."),
        )
    return Query(tuple(terms))


def allowed_errors(word: str) -> int:
    """Return how many wrong letters a folded word may have: one in five, at most three, none in short words."""
    return min(3, len(word) // 5)


def pieces_of(word: str) -> list[str]:
    """Cut a word so that one piece at least is intact however its wrong letters lie: one piece more than they are.

    Few pieces of some length are cheap to look up; a word too short for that is cut into all its trigrams.
    """
    count = allowed_errors(word) + 1
    if len(word) < _GRAM * count:
        return [word[start : start + _GRAM] for start in range(len(word) - _GRAM + 1)]
    ends = [len(word) * number // count for number in range(count + 1)]
    return [word[start:end] for start, end in pairwise(ends)]


def is_near(word: str, other: str) -> bool:
    """Tell whether two folded words differ by no more than the errors allowed."""
    allowed = allowed_errors(word)
    if abs(len(word) - len(other)) > allowed:
        return False
    return _distance(word, other, allowed) <= allowed


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    for match in _WORDS.finditer(text):
        phrase, word = match.groups()
        yield (phrase, False) if word is None else (word.rstrip("*"), word.endswith("*"))


def _term(piece: tuple[str, bool]) -> Term | None:
    text, prefix = piece
    found = list(tokens(text))
    words = tuple(forms_of(token.text, ALL_LANGUAGES) for token in found)
    if not words or not all(words):
        return None
    return Term(words, indexed_grams(text), text, prefix and len(words) == 1)


def _quoted(form: str) -> str:
    return '"' + form.replace('"', '""') + '"'


def _distance(one: str, other: str, limit: int) -> int:
    """Return the Levenshtein distance, or anything above `limit` once it is sure to be more."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        before, row[0] = row[0], number
        for place, compared in enumerate(other, 1):
            changed = before + (letter != compared)
            before = row[place]
            row[place] = min(row[place] + 1, row[place - 1] + 1, changed)
        if min(row) > limit:
            return limit + 1
    return row[-1]
