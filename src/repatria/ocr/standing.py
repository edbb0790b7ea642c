"""The documents of an archive as it stands: of each cote the newest, since the last bundle that lists all."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from repatria.bundle.chain import Chain
from repatria.bundle.index import Index
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import DocumentRow, PageRow
from repatria.ocr.descriptions import Descriptions, standing_bundles

_PIECES = re.compile(r"([^0-9]*)([0-9]*)")


@dataclass(frozen=True, slots=True)
class StandingDocument:
    """A document, and where its rows are."""

    bundle: Bundle
    index: Index
    row: DocumentRow

    def pages(self) -> Iterator[PageRow]:
        """Yield its pages in order."""
        return self.index.pages(self.row.number)

    def reference_of(self, page: int) -> str:
        """Return what `show` takes for one of its pages."""
        return f"{self.bundle.dataset_id}#{self.row.cote}/{page}"


def standing_documents(chain: Chain) -> Iterator[StandingDocument]:
    """Yield the documents that stand, as they are described now, the newest first; those withdrawn are left out."""
    seen: set[bytes] = set()
    descriptions = Descriptions(chain)
    for bundle in reversed(standing_bundles(chain)):
        for index in reversed(bundle.indexes()):
            for row in sorted(index.documents(), key=lambda document: -document.number):
                mark = hashlib.blake2b(row.cote.encode(), digest_size=16).digest()
                if mark in seen:
                    continue
                seen.add(mark)
                if row.pages:
                    yield StandingDocument(bundle, index, descriptions.newest(row))


def newest_document(chain: Chain, cote: str) -> StandingDocument | None:
    """Return the document of a cote as it was digitised, the newest; one without pages was withdrawn."""
    for bundle in reversed(standing_bundles(chain)):
        for index in reversed(bundle.indexes()):
            for row in index.documents_called(cote):
                return StandingDocument(bundle, index, row)
    return None


def documents_referred(chain: Chain, reference: str, descriptions: Descriptions) -> Iterator[StandingDocument]:
    """Yield the documents that stand under an archivist's cote now, in the order of their names."""
    cotes = {
        document.cote
        for bundle in standing_bundles(chain)
        for index in bundle.indexes()
        for document in index.documents_referred(reference)
    }
    row = descriptions.referred(reference)
    if row is not None:
        cotes.update(descriptions.cotes_below(row))
    for cote in sorted(cotes, key=natural_key):
        found = newest_document(chain, cote)
        if found is not None and found.row.pages and descriptions.newest(found.row).reference == reference:
            yield found


def by_dossier(chain: Chain) -> list[StandingDocument]:
    """Return the documents that stand, dossier by dossier, in the order of names within each: 2 before 10."""
    return sorted(
        standing_documents(chain), key=lambda document: (document.row.dossier, natural_key(document.row.cote))
    )


def natural_key(name: str) -> tuple[tuple[str, int], ...]:
    """Return what sorts names as a person does: numbers within them by what they count."""
    return tuple((before, int(number or -1)) for before, number in _PIECES.findall(name))
