"""Pages on which some words of a query stand, and the others in what is said of their document.

What the archivist says of a dossier stands once, in a row that may lie in another bundle than the pages. So row ids are
asked for word by word, and brought together by which documents a row means, before any page is read. What comes out is
a candidate: that it holds every word is seen when it is looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from repatria.bundle.rows import PAGES_PER_DOCUMENT
from repatria.ocr.at_once import at_once
from repatria.ocr.cotes import place_of
from repatria.ocr.finds import Found, Place
from repatria.ocr.folding import tokens
from repatria.ocr.query import Query, Term

_SAID = (
    f"SELECT rowid / {PAGES_PER_DOCUMENT} FROM pages_text"  # noqa: S608 -- a number of ours
    f" WHERE pages_text MATCH ? AND rowid % {PAGES_PER_DOCUMENT} = 0"
)
_ON_PAGES = f"SELECT rowid FROM pages_text WHERE pages_text MATCH ? AND rowid % {PAGES_PER_DOCUMENT} <> 0"  # noqa: S608
_REFERENCES = "SELECT number, reference FROM documents INDEXED BY documents_reference WHERE reference IS NOT NULL"

_Terms = int
"""A set of the query's terms: one bit each."""


def combined(places: Sequence[Place], query: Query) -> Iterator[Found]:
    """Yield the places of one chain that may hold every term only together with what is said there, the best first.

    The more terms on the page, the better. A document of which all is said, but in several rows, is its page 0. What is
    said of a document is worked out as its turn comes, so that twenty hits cost little whatever there is.
    """
    if not places or len(query.terms) < 2:
        return
    said = at_once(lambda place: _said(place, query.terms), places)
    spoken = 0
    for each in said:
        for terms in each.values():
            spoken |= terms
    if not spoken:
        return
    on_pages = at_once(lambda place: _on_pages(place, query.terms, spoken), places)
    whole = (1 << len(query.terms)) - 1
    if not any(on_pages) and spoken != whole:
        return
    rows = _of_rows(places[0], said)
    told = at_once(lambda place: _Told.of(place, query.terms, spoken, rows), places)
    names = ((0, number * PAGES_PER_DOCUMENT, at, 0) for at, own in enumerate(said) for number in own)
    pages = ((-held.bit_count(), row_id, at, held) for at, each in enumerate(on_pages) for row_id, held in each.items())
    for rank, row_id, at, held in sorted([*pages, *names]):
        number, page = divmod(row_id, PAGES_PER_DOCUMENT)
        if told[at].completes(number, held, said[at].get(number, 0)):
            yield Found(places[at], number, page, -rank / len(query.terms))


def _said(place: Place, terms: Sequence[Term]) -> dict[int, _Terms]:
    """Return of each document and row of a bordereau which terms its own words of page 0 hold."""
    found: dict[int, _Terms] = {}
    if place.index.names_documents:
        for bit, term in enumerate(terms):
            for number in _numbers(place, _SAID, term.match):
                found[number] = found.get(number, 0) | 1 << bit
    return found


def _on_pages(place: Place, terms: Sequence[Term], spoken: _Terms) -> dict[int, _Terms]:
    """Return of each page which terms it holds, if it holds all those that nothing said holds."""
    needed = [term.match for bit, term in enumerate(terms) if not spoken >> bit & 1]
    whole = (1 << len(terms)) - 1
    found = dict.fromkeys(_numbers(place, _ON_PAGES, " AND ".join(needed)), whole & ~spoken) if needed else {}
    if needed and not found:
        return found
    for bit, term in enumerate(terms):
        if spoken >> bit & 1:
            for row_id in _numbers(place, _ON_PAGES, " AND ".join([*needed, term.match])):
                found[row_id] = found.get(row_id, 0) | 1 << bit
    return {row_id: held for row_id, held in found.items() if held != whole}


def _of_rows(place: Place, said: Sequence[Mapping[int, _Terms]]) -> dict[int, _Terms]:
    """Return which terms the rows hold that stand now."""
    standing = place.descriptions.numbers
    return {number: terms for each in said for number, terms in each.items() if number in standing}


def _numbers(place: Place, sql: str, match: str) -> Iterator[int]:
    return (number for (number,) in place.index.query(sql, (match,)) if isinstance(number, int))


@dataclass(frozen=True, slots=True)
class _Told:
    """What is said of the documents of one index, as far as a query goes."""

    place: Place
    terms: Sequence[Term]
    spoken: _Terms
    """Those that something said holds."""
    rows: Mapping[int, _Terms]
    """Which of them the rows of bordereaux hold."""
    cotes: Mapping[int, str]
    references: Mapping[int, str]
    """By the documents' numbers."""
    _names: dict[str, _Terms] = field(default_factory=dict)
    """Which of them the names of folders and the archivist's cotes hold."""

    @classmethod
    def of(cls, place: Place, terms: Sequence[Term], spoken: _Terms, rows: Mapping[int, _Terms]) -> Self:
        """Read how the documents of an index are called: of the index, only what is needed for that."""
        cotes = {number: cote for cote, number in place.index.cotes()}
        found = place.index.query(_REFERENCES) if place.index.names_documents else ()
        references = {number: reference for number, reference in found if isinstance(number, int)}
        return cls(place, terms, spoken, rows, cotes, {number: str(told) for number, told in references.items()})

    def completes(self, number: int, held: _Terms, name: _Terms) -> bool:
        """Tell whether what is said of a document may hold the terms that a page of it does not.

        `held` are those on the page, `name` those in its own words of page 0. Where one row or name holds all of them
        the document itself is found; so it is shown as a whole only where it takes several.
        """
        cote = self.cotes.get(number)
        if cote is None:
            return False  # the row of a bordereau
        whole = (1 << len(self.terms)) - 1
        place, reference = place_of(cote), self.references.get(number, "")
        by_row = self._by_row(place, reference)
        said = by_row | name | self._held(place.rpartition("/")[0]) | self._held(reference)
        if not held:
            return said == whole and whole not in {by_row, name}
        return said | held == whole != said

    def _by_row(self, place: str, reference: str) -> _Terms:
        """Return what the rows hold that may describe a document."""
        above = self.place.descriptions.number_above(place)
        referred = self.place.descriptions.number_referred(reference)
        return self.rows.get(above or 0, 0) | self.rows.get(referred or 0, 0)

    def _held(self, name: str) -> _Terms:
        """Return which spoken terms a name holds."""
        held = self._names.get(name)
        if held is None:
            words = list(tokens(name))
            found = (
                1 << bit for bit, term in enumerate(self.terms) if self.spoken >> bit & 1 and any(term.places(words))
            )
            held = self._names[name] = sum(found)
        return held
