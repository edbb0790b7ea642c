"""What a full-text query finds in an index, and what stands there: a page, a scan's name, a row of a bordereau."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from posixpath import basename

from repatria.bundle.chain import Chain
from repatria.bundle.index import Index
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import PAGES_PER_DOCUMENT, DescriptionRow, DocumentRow
from repatria.ocr.at_once import at_once
from repatria.ocr.cotes import place_of
from repatria.ocr.description import description_of, elements_of
from repatria.ocr.descriptions import Descriptions, says_something, standing_bundles, undigitised
from repatria.ocr.standing import newest_document

_PAGE = "SELECT text, confidence FROM pages WHERE document=? AND page=?"
_NEWER = "SELECT 1 FROM documents WHERE cote=? AND number>? LIMIT 1"


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands where something was found."""

    bundle: Bundle
    document: DocumentRow
    """Described as it is now."""
    page: int
    """0 if it was not digitised."""
    texts: Mapping[str, str]
    """What is searched there: the page's text, or what is said of the document, by the names that `Hit.where` uses."""
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One index of a chain, and those after it, whose documents may replace its own."""

    chain: Chain
    descriptions: Descriptions
    bundle: Bundle
    index: Index
    later: Sequence[Index]

    def found(self, sql: str, match: str) -> Iterator["Found"]:
        """Yield what a full-text query finds here, the best first."""
        for row_id, score in self.index.query(sql, (match,)):
            if isinstance(row_id, int) and isinstance(score, float):
                yield Found(self, *divmod(row_id, PAGES_PER_DOCUMENT), -score)

    def unindexed(self) -> Iterator[Seen]:
        """Yield what is said of documents in an index of a time when the full text held pages only."""
        if self.index.names_documents:
            return
        seen: set[tuple[str | None, str]] = set()
        for row in self.index.documents():
            document = self.descriptions.newest(row)
            dossier = document.reference, document.dossier
            if row.pages and not self.replaces(row):
                facts = elements_of(description_of(document)) if dossier not in seen else {}
                yield Seen(self.bundle, document, 1, facts | _names(document, whole=dossier not in seen))
                seen.add(dossier)

    def replaces(self, document: DocumentRow) -> bool:
        """Tell whether a later document took the place of one of this index."""

        def holds_newer(index: Index) -> bool:
            return next(index.query(_NEWER, (document.cote, document.number)), None) is not None

        return any(at_once(holds_newer, (self.index, *self.later)))


@dataclass(frozen=True, slots=True)
class Found:
    """A page by its number; 0: the document itself, or the row of a bordereau. Nothing of it is read yet."""

    place: Place
    document: int
    number: int
    score: float

    def look(self) -> Seen | None:
        """Read what stands there; None if something later took its place."""
        document = self.place.index.document(self.document)
        if document is None:
            row = self.place.index.description(self.document) if not self.number else None
            return self._described(row) if row is not None else None
        if self.place.replaces(document):
            return None
        newest = self.place.descriptions.newest(document)
        if not self.number:
            names = _names(newest, whole=True)
            if self.place.descriptions.row_of(document) is not None:
                del names["reference"]  # it is found with the row
            return Seen(self.place.bundle, newest, 1, names)
        for text, confidence in self.place.index.query(_PAGE, (self.document, self.number)):
            sure = confidence if isinstance(confidence, float) else None
            return Seen(self.place.bundle, newest, self.number, {"page": str(text)}, sure)
        return None

    def look_around(self) -> Seen | None:
        """Read what stands there together with all that is said of its document."""
        seen = self.look()
        if seen is None:
            return None
        said = _names(seen.document, whole=True) | elements_of(description_of(seen.document))
        return replace(seen, texts={**seen.texts, **said})

    def _described(self, row: DescriptionRow) -> Seen | None:
        """Return the first of the documents that a row describes, or what it says of none; None if it is corrected."""
        place = self.place
        if not place.descriptions.is_standing(row):
            return None
        texts = elements_of(description_of(row))
        for cote in _cotes(place.chain, row, texts.get("reference", ""), place.descriptions):
            found = newest_document(place.chain, cote)
            described = place.descriptions.row_of(found.row) if found is not None and found.row.pages else None
            if found is not None and described is not None and described.number == row.number:
                return Seen(found.bundle, place.descriptions.newest(found.row), 1, texts)
        return Seen(place.bundle, undigitised(row), 0, texts) if says_something(row) else None


def places_of(chain: Chain) -> list[Place]:
    """Return the indexes of a chain in which something may stand."""
    standing = standing_bundles(chain)
    opened = at_once(lambda bundle: bundle.indexes(), standing)
    indexes = [(bundle, index) for bundle, own in zip(standing, opened, strict=True) for index in own]
    descriptions = Descriptions(chain)
    return [
        Place(chain, descriptions, bundle, index, [later for _bundle, later in indexes[number + 1 :]])
        for number, (bundle, index) in enumerate(indexes)
    ]


def _names(document: DocumentRow, *, whole: bool) -> dict[str, str]:
    """Return how a document is called: by its scan's name; `whole`: by its folder and the archivist's cote too."""
    names = {"name": basename(place_of(document.cote))}
    if whole:
        names |= {"folder": document.dossier, "reference": document.reference or ""}
    return names


def _cotes(chain: Chain, row: DescriptionRow, reference: str, descriptions: Descriptions) -> Iterator[str]:
    """Yield documents that a row may describe: those that bear its cote, then those that lie where it means."""
    for bundle in standing_bundles(chain):
        for index in bundle.indexes():
            for document in index.documents_referred(reference):
                yield document.cote
    yield from descriptions.cotes_below(row)
