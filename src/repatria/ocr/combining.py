"""Pages on which some words of a query stand, and the others in what is said of their document.

What the archivist says of a dossier stands once, in a row that may lie in another bundle than the pages. So row ids are
asked for word by word, and brought together by which documents a row means, before any page is read. What comes out is
a candidate: that it holds every word is seen when it is looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import dirname

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

    The more terms on the page, the better. A document of which all is said, but in several rows, is its page 0.
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
    telling = _Telling(query.terms, spoken, _of_rows(places[0], said))
    found: list[Found] = []
    for place, own, pages in zip(places, said, on_pages, strict=True):
        for row_id, terms in telling.together(place, own, pages):
            found.append(Found(place, *divmod(row_id, PAGES_PER_DOCUMENT), terms.bit_count() / len(query.terms)))
    yield from sorted(found, key=lambda each: (-each.score, each.document, each.number))


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
class _Telling:
    """What is said of the documents of a chain, as far as a query goes."""

    terms: Sequence[Term]
    spoken: _Terms
    """Those that something said holds."""
    rows: Mapping[int, _Terms]
    """Which of them the rows of bordereaux hold."""
    _names: dict[str, _Terms] = field(default_factory=dict)
    """Which of them the names of folders and the cotes of documents hold."""

    def together(
        self, place: Place, own: Mapping[int, _Terms], pages: Mapping[int, _Terms]
    ) -> Iterator[tuple[int, _Terms]]:
        """Yield the row ids of one index that hold all terms together with what is said, and the terms on them."""
        whole = (1 << len(self.terms)) - 1
        candidates = {row_id // PAGES_PER_DOCUMENT for row_id in pages} | own.keys()
        documents = {number: cote for cote, number in place.index.cotes() if number in candidates}
        references = self._references(place, documents)
        told: dict[int, _Terms] = {}
        for number, cote in documents.items():
            by_row = self._by_row(place, cote, references.get(number, ""))
            name = own.get(number, 0)
            if whole in {by_row, name}:
                continue  # the document itself is found
            told[number] = by_row | name | self._held(dirname(place_of(cote))) | self._held(references.get(number, ""))
            if told[number] == whole and name:  # of a dossier, one document bears its folder's words
                yield number * PAGES_PER_DOCUMENT, 0
        for row_id, held in pages.items():
            said = told.get(row_id // PAGES_PER_DOCUMENT, whole)
            if said != whole and said | held == whole:
                yield row_id, held

    def _by_row(self, place: Place, cote: str, reference: str) -> _Terms:
        """Return what the rows hold that may describe a document."""
        above, referred = place.descriptions.number_above(cote), place.descriptions.number_referred(reference)
        return self.rows.get(above or 0, 0) | self.rows.get(referred or 0, 0)

    def _references(self, place: Place, documents: Mapping[int, str]) -> dict[int, str]:
        if not place.index.names_documents:
            return {}
        rows = place.index.query(_REFERENCES)
        return {int(str(number)): str(reference) for number, reference in rows if number in documents}

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
