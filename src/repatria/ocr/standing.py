"""The documents of an archive as it stands: of each cote the newest, since the last bundle that lists all."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from repatria.bundle.chain import Chain
from repatria.bundle.index import Index
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import DocumentRow, PageRow

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
    """Yield the documents that stand, the newest first; those that were withdrawn (0 pages) are left out."""
    seen: set[bytes] = set()
    for bundle in reversed(chain.bundles):
        for index in reversed(bundle.indexes()):
            for row in sorted(index.documents(), key=lambda document: -document.number):
                mark = hashlib.blake2b(row.cote.encode(), digest_size=16).digest()
                if mark in seen:
                    continue
                seen.add(mark)
                if row.pages:
                    yield StandingDocument(bundle, index, row)
        if bundle.statement.kind == "full":
            return


def by_dossier(chain: Chain) -> list[StandingDocument]:
    """Return the documents that stand, dossier by dossier, in the order of names within each: 2 before 10."""
    return sorted(
        standing_documents(chain), key=lambda document: (document.row.dossier, natural_key(document.row.cote))
    )


def natural_key(name: str) -> tuple[tuple[str, int], ...]:
    """Return what sorts names as a person does: numbers within them by what they count."""
    return tuple((before, int(number or -1)) for before, number in _PIECES.findall(name))
