"""Searching archives: full text over every index of a chain, by ranges, and what is shown of each page found."""

import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from repatria.bundle.chain import Chain
from repatria.bundle.index import Index
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import PAGES_PER_DOCUMENT, DocumentRow
from repatria.ocr.description import description_of
from repatria.ocr.folding import Token, tokens
from repatria.ocr.query import Query

MOST_CANDIDATES = 100
"""Pages that a search which forgives wrong letters looks at."""
MOST_MISSES = 20
"""Of those, how many may hold nothing in a row before it gives up: the likeliest come first."""
SNIPPET_LENGTH = 160
"""Characters of a snippet."""
MARKS = ("[", "]")
"""Before and after each word found, in a snippet."""
_SPACES = re.compile(r"\s+")

_FOUND = (  # words as written weigh more than their stems
    "SELECT rowid, bm25(pages_text, 4.0, 1.0) AS score FROM pages_text WHERE pages_text MATCH ? ORDER BY score, rowid"
)
_NEARLY = "SELECT rowid, bm25(pages_grams) AS score FROM pages_grams WHERE pages_grams MATCH ? ORDER BY score, rowid"
_PAGE = "SELECT text, confidence FROM pages WHERE document=? AND page=?"
_NEWER = "SELECT 1 FROM documents WHERE cote=? AND number>? LIMIT 1"


@dataclass(frozen=True, slots=True)
class Hit:
    """One page found."""

    dataset: str
    bundle: str
    cote: str
    dossier: str
    title: str
    description: Mapping[str, object]
    """What the archivist says of the document (docs/formats/index.md); may be empty."""
    page: int
    confidence: float | None
    """Of the page's words, 0..100."""
    snippet: str
    """A line of the page, what was found between MARKS."""
    score: float
    """The higher the better; comparable within one search."""
    nearly: bool = False
    """Whether words were found only by forgiving wrong letters."""

    @property
    def reference(self) -> str:
        """What `repatria show` takes."""
        return f"{self.dataset}#{self.cote}/{self.page}"


def search(chains: Sequence[Chain], query: Query, limit: int) -> list[Hit]:
    """Return the best `limit` pages of the chains; pages with wrong letters only where too few were found exactly.

    A document that a later one of the same cote replaced is not found. Only pages that are shown, or looked at for
    wrong letters, are read.
    """
    places = [place for chain in chains for place in _places(chain)]
    hits = list(islice(_exactly(places, query), limit))
    if len(hits) < limit and query.fuzzy_match is not None:
        seen = {hit.reference for hit in hits}
        nearly = (hit for hit in _nearly(places, query, query.fuzzy_match) if hit.reference not in seen)
        hits += islice(nearly, limit - len(hits))
    return hits


def snippet(text: str, found: Sequence[Token], length: int = SNIPPET_LENGTH) -> str:
    """Return the stretch of a text that holds most of what was found, on one line, each find between MARKS."""
    start, end = _stretch(text, found, length)
    pieces: list[str] = []
    position = start
    for token in found:
        if start <= token.start and token.end <= end:
            pieces += [text[position : token.start], MARKS[0], text[token.start : token.end], MARKS[1]]
            position = token.end
    line = _SPACES.sub(" ", "".join([*pieces, text[position:end]])).strip()
    return f"{'… ' if start else ''}{line}{' …' if end < len(text.rstrip()) else ''}"


def _stretch(text: str, found: Sequence[Token], length: int) -> tuple[int, int]:
    """Return where the snippet begins and ends: between words, around the finds that lie closest together."""
    groups = [[other for other in found if token.start <= other.start < token.start + length] for token in found]
    densest = max(groups, key=len, default=[])
    first, last = (densest[0].start, densest[-1].end) if densest else (0, 0)
    spare = max(0, length - (last - first)) // 2
    start, end = max(0, first - spare), min(len(text), last + spare)
    while 0 < start < first and not text[start - 1].isspace():
        start += 1
    while last < end < len(text) and not text[end].isspace():
        end -= 1
    return start, end


def _exactly(places: Sequence["_Place"], query: Query) -> Iterator[Hit]:
    for found in _ranked(places, _FOUND, query.match):
        page = found.page()
        if page is not None:
            yield page.hit(query.places(page.tokens()), found.score, nearly=False)


def _nearly(places: Sequence["_Place"], query: Query, match: str) -> Iterator[Hit]:
    """Yield pages with wrong letters, until so many in a row were none that the rest will be none either."""
    misses = 0
    for found in islice(_ranked(places, _NEARLY, match), MOST_CANDIDATES):
        page = found.page()
        near = query.nearly(page.tokens()) if page is not None else None
        if page is not None and near is not None:
            misses = 0
            yield page.hit(near, found.score, nearly=True)
        else:
            misses += 1
            if misses == MOST_MISSES:
                return


def _ranked(places: Sequence["_Place"], sql: str, match: str) -> Iterator["_Found"]:
    """Yield what a full-text query finds in all places, the best first; nothing of a page is read yet."""
    return heapq.merge(*(place.found(sql, match) for place in places), key=lambda found: -found.score)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page that was found, with what is told of its document."""

    bundle: Bundle
    number: int
    text: str
    confidence: float | None
    document: DocumentRow

    def tokens(self) -> list[Token]:
        return list(tokens(self.text))

    def hit(self, found: Sequence[Token], score: float, *, nearly: bool) -> Hit:
        """Return what is shown of the page."""
        return Hit(
            dataset=self.bundle.dataset_id,
            bundle=self.bundle.bundle_id,
            cote=self.document.cote,
            dossier=self.document.dossier,
            title=self.document.title or "",
            description=description_of(self.document),
            page=self.number,
            confidence=self.confidence,
            snippet=snippet(self.text, found),
            score=score,
            nearly=nearly,
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """One index of a chain, and those after it, whose documents may replace its own."""

    bundle: Bundle
    index: Index
    later: Sequence[Index]

    def found(self, sql: str, match: str) -> Iterator["_Found"]:
        """Yield what a full-text query finds here, the best first."""
        for row_id, score in self.index.query(sql, (match,)):
            if isinstance(row_id, int) and isinstance(score, float):
                yield _Found(self, *divmod(row_id, PAGES_PER_DOCUMENT), -score)


@dataclass(frozen=True, slots=True)
class _Found:
    """A page by its number, not read yet."""

    place: _Place
    document: int
    number: int
    score: float

    def page(self) -> _Page | None:
        """Read the page; None if a later document took the place of its own."""
        place = self.place
        document = place.index.document(self.document)
        if document is None:
            return None
        newer = (index.query(_NEWER, (document.cote, self.document)) for index in (place.index, *place.later))
        if any(next(rows, None) is not None for rows in newer):
            return None
        for text, confidence in place.index.query(_PAGE, (self.document, self.number)):
            sure = confidence if isinstance(confidence, float) else None
            return _Page(place.bundle, self.number, str(text), sure, document)
        return None


def _places(chain: Chain) -> list[_Place]:
    indexes = [(bundle, index) for bundle in chain.bundles for index in bundle.indexes()]
    return [
        _Place(bundle, index, [later for _bundle, later in indexes[number + 1 :]])
        for number, (bundle, index) in enumerate(indexes)
    ]
