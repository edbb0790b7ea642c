"""Which pages of an archive need an eye, and why: what the index says of each, and what its neighbours tell.

Concerns are what was seen when a page was read, or suspicions (docs/adr/reviewing.md); a page may have several. Old
indexes hold fewer flags, and give fewer concerns.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from posixpath import basename

from repatria.bundle.chain import Chain
from repatria.bundle.rows import PageRow
from repatria.ocr.numbering import Gap, gaps_in_names, gaps_in_print, printed_number
from repatria.ocr.standing import StandingDocument, by_dossier

UNREADABLE_BELOW = 40.0
"""Mean confidence below which a page's words are worth nothing."""


class Concern(StrEnum):
    """Why a page needs an eye; the worst first."""

    UNREADABLE = "unreadable"
    """It could not be decoded or read, or what was read is worth nothing."""
    MISSING = "missing-before"
    """Suspected: pages are missing before it."""
    UNSURE = "unsure"
    """Read with little confidence."""
    HANDWRITING = "handwriting"
    """Suspected."""
    SIDEWAYS = "sideways"
    """Suspected: most words stand on end."""
    TURNED = "turned"
    """The scan lay on its side or head, and was turned by what its text looked like."""
    FAINT = "faint"
    ASKEW = "askew"
    BLANK = "blank"


_BY_FLAG = {
    "failed": Concern.UNREADABLE,
    "low-confidence": Concern.UNSURE,
    "handwriting": Concern.HANDWRITING,
    "sideways": Concern.SIDEWAYS,
    "rotated": Concern.TURNED,
    "faint": Concern.FAINT,
    "askew": Concern.ASKEW,
    "blank": Concern.BLANK,
}


class ToldBy(StrEnum):
    """What makes one suspect that pages are missing."""

    NAMES = "names"
    """The numbers of the scans' names."""
    PRINT = "print"
    """The numbers printed on the pages."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Numbers that are not there."""

    first: int
    last: int
    told_by: ToldBy


@dataclass(frozen=True, slots=True)
class PageReview:
    """A page that needs an eye."""

    document: StandingDocument
    page: int
    words: int
    confidence: float | None
    concerns: tuple[Concern, ...]
    """In their order, the worst first."""
    missing: tuple[Missing, ...] = ()

    @property
    def reference(self) -> str:
        """What `repatria show` takes."""
        return self.document.reference_of(self.page)


@dataclass(slots=True)
class Review:
    """What was looked at, and what needs an eye."""

    documents: int = 0
    pages: int = 0
    read_pages: int = 0
    """Pages whose words have a confidence."""
    confidence_sum: float = 0.0
    entries: list[PageReview] = field(default_factory=list)
    """Dossier by dossier, document by document, page by page."""

    @property
    def confidence(self) -> float | None:
        """Mean over the pages that have one."""
        return self.confidence_sum / self.read_pages if self.read_pages else None

    def count(self, concern: Concern) -> int:
        """Return how many pages have a concern."""
        return sum(concern in entry.concerns for entry in self.entries)


def review(chain: Chain) -> Review:
    """Look at every page of an archive as it stands."""
    found = Review()
    for _dossier, documents in groupby(by_dossier(chain), key=lambda document: document.row.dossier):
        _review_dossier(found, list(documents))
    return found


def concerns_of(page: PageRow) -> set[Concern]:
    """Return what a page's own row gives reason for."""
    flags: list[str] = []
    with suppress(ValueError):
        flags = json.loads(page.flags)
    concerns = {_BY_FLAG[flag] for flag in flags if flag in _BY_FLAG}
    is_worthless = page.confidence is not None and page.confidence < UNREADABLE_BELOW
    is_wordless = Concern.UNSURE in concerns and page.words == 0
    if is_worthless or is_wordless:
        concerns.add(Concern.UNREADABLE)
    return concerns - {Concern.UNSURE} if Concern.UNREADABLE in concerns else concerns


@dataclass(frozen=True, slots=True)
class _Page:
    """What is kept of each page of a dossier until its gaps are known."""

    document: StandingDocument
    page: int
    words: int
    confidence: float | None
    concerns: set[Concern]
    printed: int | None


def _review_dossier(found: Review, documents: Sequence[StandingDocument]) -> None:
    pages = [page for document in documents for page in _pages_of(document)]
    missing: dict[tuple[str, int], list[Missing]] = {}
    for document, gap in _gaps_of_names(documents):
        missing.setdefault((document.row.cote, 1), []).append(Missing(gap.first, gap.last, ToldBy.NAMES))
    for page, gap in _gaps_of_print(pages):
        missing.setdefault((page.document.row.cote, page.page), []).append(Missing(gap.first, gap.last, ToldBy.PRINT))
    found.documents += len(documents)
    found.pages += len(pages)
    for page in pages:
        if page.confidence is not None:
            found.read_pages += 1
            found.confidence_sum += page.confidence
        gaps = missing.get((page.document.row.cote, page.page), [])
        concerns = page.concerns | ({Concern.MISSING} if gaps else set())
        if concerns:
            ordered = tuple(concern for concern in Concern if concern in concerns)
            found.entries.append(
                PageReview(page.document, page.page, page.words, page.confidence, ordered, tuple(gaps))
            )


def _pages_of(document: StandingDocument) -> Iterator[_Page]:
    for row in document.pages():
        yield _Page(document, row.page, row.words, row.confidence, concerns_of(row), printed_number(row.text))


def _gaps_of_names(documents: Sequence[StandingDocument]) -> Iterator[tuple[StandingDocument, Gap]]:
    names = [basename(document.row.cote) for document in documents]
    for gap in gaps_in_names(names):
        yield documents[gap.before], gap


def _gaps_of_print(pages: Sequence[_Page]) -> Iterator[tuple[_Page, Gap]]:
    """Yield the gaps of documents of several pages, and of single pages that together are one."""
    for _cote, group in groupby(pages, key=lambda page: page.document.row.cote if page.document.row.pages > 1 else ""):
        together = list(group)
        for gap in gaps_in_print([page.printed for page in together]):
            yield together[gap.before], gap
