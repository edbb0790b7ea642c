"""Searching archives: full text over every index of a chain, by ranges, and what is shown of each page found."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from repatria.bundle.chain import Chain
from repatria.bundle.index import Index
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import PAGES_PER_DOCUMENT
from repatria.ocr.folding import Token, tokens
from repatria.ocr.query import Query

MOST_CANDIDATES = 400
"""Pages that a search which forgives errors looks at in each index."""
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
_DOCUMENT = "SELECT cote, dossier, coalesce(title, '') FROM documents WHERE number=?"
_NEWER = "SELECT 1 FROM documents WHERE cote=? AND number>? LIMIT 1"


@dataclass(frozen=True, slots=True)
class Hit:
    """One page found."""

    dataset: str
    bundle: str
    cote: str
    dossier: str
    title: str
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

    A document that a later one of the same cote replaced is not found.
    """
    exact = _best((hit for chain in chains for hit in _exactly(chain, query, limit)), limit)
    if len(exact) >= limit or query.fuzzy_match is None:
        return exact
    seen = {hit.reference for hit in exact}
    nearly = (hit for chain in chains for hit in _nearly(chain, query, query.fuzzy_match))
    return exact + _best((hit for hit in nearly if hit.reference not in seen), limit - len(exact))


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


def _best(hits: Iterable[Hit], limit: int) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.reference))[:limit]


def _exactly(chain: Chain, query: Query, limit: int) -> Iterator[Hit]:
    for place in _places(chain):
        pages = place.pages(_FOUND, query.match)
        for page in islice((page for page in pages if place.stands(page)), limit):
            yield place.hit(page, query.places(list(tokens(page.text))), nearly=False)


def _nearly(chain: Chain, query: Query, match: str) -> Iterator[Hit]:
    for place in _places(chain):
        for page in islice(place.pages(_NEARLY, match), MOST_CANDIDATES):
            found = query.nearly(list(tokens(page.text)))
            if found is not None and place.stands(page):
                yield place.hit(page, found, nearly=True)


@dataclass(frozen=True, slots=True)
class _Page:
    document: int
    number: int
    score: float
    text: str
    confidence: float | None
    cote: str
    dossier: str
    title: str


@dataclass(frozen=True, slots=True)
class _Place:
    """One index of a chain, and those after it, whose documents may replace its own."""

    bundle: Bundle
    index: Index
    later: Sequence[Index]

    def pages(self, sql: str, match: str) -> Iterator[_Page]:
        """Yield the pages that a full-text query finds, the best first, read as they are asked for."""
        for row_id, score in self.index.query(sql, (match,)):
            document, number = divmod(_whole(row_id), PAGES_PER_DOCUMENT)
            page = next(self.index.query(_PAGE, (document, number)), None)
            told = next(self.index.query(_DOCUMENT, (document,)), None)
            if page is not None and told is not None:
                text, confidence = str(page[0]), page[1]
                sure = confidence if isinstance(confidence, float) else None
                rank = -score if isinstance(score, float) else 0.0
                yield _Page(document, number, rank, text, sure, *map(str, told))

    def stands(self, page: _Page) -> bool:
        """Tell whether no later document took the place of this page's."""
        newer = (index.query(_NEWER, (page.cote, page.document)) for index in (self.index, *self.later))
        return all(next(rows, None) is None for rows in newer)

    def hit(self, page: _Page, found: Sequence[Token], *, nearly: bool) -> Hit:
        """Return what is shown of a page."""
        return Hit(
            dataset=self.bundle.dataset_id,
            bundle=self.bundle.bundle_id,
            cote=page.cote,
            dossier=page.dossier,
            title=page.title,
            page=page.number,
            confidence=page.confidence,
            snippet=snippet(page.text, found),
            score=page.score,
            nearly=nearly,
        )


def _places(chain: Chain) -> list[_Place]:
    indexes = [(bundle, index) for bundle in chain.bundles for index in bundle.indexes()]
    return [
        _Place(bundle, index, [later for _bundle, later in indexes[number + 1 :]])
        for number, (bundle, index) in enumerate(indexes)
    ]


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
