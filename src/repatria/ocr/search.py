"""Searching archives: full text over every index of a chain, by ranges: pages, scans' names, archivists' words."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from repatria.bundle.chain import Chain
from repatria.ocr.at_once import AT_ONCE, at_once
from repatria.ocr.combining import combined
from repatria.ocr.description import description_of
from repatria.ocr.finds import Found, Place, Seen, places_of
from repatria.ocr.folding import Token, tokens
from repatria.ocr.query import Query
from repatria.ocr.snippet import snippet

MOST_CANDIDATES = 100
"""Places that a search which forgives wrong letters looks at."""
MOST_MISSES = 20
"""Of those, how many may hold nothing in a row before it gives up: the likeliest come first."""
IN_PAGE = "page"
"""What `Hit.where` says of words on the page itself."""

_FOUND = (  # words as written weigh more than their stems
    "SELECT rowid, bm25(pages_text, 4.0, 1.0) AS score FROM pages_text WHERE pages_text MATCH ? ORDER BY score, rowid"
)
_NEARLY = "SELECT rowid, bm25(pages_grams) AS score FROM pages_grams WHERE pages_grams MATCH ? ORDER BY score, rowid"


@dataclass(frozen=True, slots=True)
class Hit:
    """One page found; of a dossier that was found by what is said of it, the first."""

    dataset: str
    bundle: str
    cote: str
    dossier: str
    title: str
    description: Mapping[str, object]
    """What the archivist says of the document now (docs/formats/index.md); may be empty."""
    page: int
    """0 for a row of a bordereau of which there are no scans."""
    where: tuple[str, ...]
    """What holds the words: `page`, `name` (of the scan), `folder`, or elements of the description."""
    confidence: float | None
    """Of the page's words, 0..100."""
    snippet: str
    """A line of what holds them, what was found between MARKS."""
    score: float
    """The higher the better; comparable within one search."""
    nearly: bool = False
    """Whether words were found only by forgiving wrong letters."""

    @property
    def is_digitised(self) -> bool:
        """Whether there is a page to show."""
        return self.page > 0

    @property
    def reference(self) -> str:
        """What `repatria show` takes; of what was not digitised the archivist's cote."""
        return f"{self.dataset}#{self.cote}/{self.page}" if self.page else f"{self.dataset}#{self.cote}"


def search(chains: Sequence[Chain], query: Query, limit: int) -> list[Hit]:
    """Return the best `limit` hits in the chains; with wrong letters only where too few were found exactly.

    Every term of the query must be on one page or in what is said of its document: first come those that stand in one
    of the two, then those of which each holds some. A document that a later one of the same cote replaced is not found,
    nor words of a description that was corrected. Only pages that are shown, or looked at for wrong letters, are read.
    """
    by_chain = [places_of(each) for each in chains]
    places = [place for each in by_chain for place in each]
    hits = list(islice(_exactly(places, query), limit))
    for more in (_together(by_chain, query), _nearly(places, query)):
        if len(hits) < limit:
            seen = {hit.reference for hit in hits}
            hits += islice((hit for hit in more if hit.reference not in seen), limit - len(hits))
    return hits


def terms_found(chains: Sequence[Chain], query: Query) -> dict[str, bool]:
    """Return of each term of a query whether it alone would find anything."""
    return {term.typed: bool(search(chains, replace(query, terms=(term,)), 1)) for term in query.terms}


def _exactly(places: Sequence[Place], query: Query) -> Iterator[Hit]:
    ranked = _ranked(places, _FOUND, query.match)
    while together := list(islice(ranked, AT_ONCE)):
        for found, seen in zip(together, at_once(Found.look, together), strict=True):
            if seen is not None:
                yield from _hits(seen, query, found.score, nearly=False)
    for place in places:
        for seen in place.unindexed():
            yield from _hits(seen, query, 0.0, nearly=False)


def _together(places: Sequence[Sequence[Place]], query: Query) -> Iterator[Hit]:
    """Yield pages that hold a query's terms together with what is said of their documents."""
    found = heapq.merge(*(combined(each, query) for each in places), key=lambda each: -each.score)
    while together := list(islice(found, AT_ONCE)):
        for one, seen in zip(together, at_once(Found.look_around, together), strict=True):
            if seen is not None:
                yield from _hits(seen, query, one.score, nearly=False, is_sure=False)


def _nearly(places: Sequence[Place], query: Query) -> Iterator[Hit]:
    """Yield what has wrong letters, until so many in a row were none that the rest will be none either."""
    match = query.fuzzy_match
    if match is None:
        return
    misses = 0
    ranked = islice(_ranked(places, _NEARLY, match), MOST_CANDIDATES)
    while together := list(islice(ranked, AT_ONCE)):
        for found, seen in zip(together, at_once(Found.look, together), strict=True):
            hits = list(_hits(seen, query, found.score, nearly=True, is_sure=False)) if seen is not None else []
            misses = 0 if hits else misses + 1
            yield from hits
            if misses == MOST_MISSES:
                return


def _ranked(places: Sequence[Place], sql: str, match: str) -> Iterator[Found]:
    """Yield what a full-text query finds in all places, the best first; nothing of a page is read yet."""

    def begun(place: Place) -> Iterator[Found]:
        found = place.found(sql, match)
        first = list(islice(found, 1))  # SQLite has ranked all of them then
        return chain(first, found)

    return heapq.merge(*at_once(begun, places), key=lambda found: -found.score)


def _hits(seen: Seen, query: Query, score: float, *, nearly: bool, is_sure: bool = True) -> Iterator[Hit]:
    """Yield the hit that something seen is, if it holds every term; `is_sure`: the index told so of all of them."""
    texts = {name: list(tokens(text)) for name, text in seen.texts.items()}
    found = query.found_in(texts, nearly=nearly)
    if found is None and is_sure and IN_PAGE in texts:
        found = {IN_PAGE: query.places(texts[IN_PAGE])}  # SQLite found it, by what its tokenizer takes for words
    if found is not None:
        yield _hit(seen, found, score, nearly=nearly)


def _hit(seen: Seen, found: Mapping[str, Sequence[Token]], score: float, *, nearly: bool) -> Hit:
    document = seen.document
    return Hit(
        dataset=seen.bundle.dataset_id,
        bundle=seen.bundle.bundle_id,
        cote=document.cote,
        dossier=document.dossier,
        title=document.title or "",
        description=description_of(document),
        page=seen.page,
        where=tuple(found),
        confidence=seen.confidence,
        snippet=" / ".join(snippet(seen.texts[name], places) for name, places in found.items()),
        score=score,
        nearly=nearly,
    )
