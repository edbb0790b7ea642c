"""What the archivist says of an archive's documents as it stands: the newest row of a bordereau for each.

A document keeps what was said of it when it was digitised. Rows of bordereaux stand beside, in the indexes of the
bundles that brought them (docs/formats/index.md); of those that mean one folder the newest counts, whether it came
before the document or after it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from posixpath import basename

from repatria.bundle.chain import Chain
from repatria.bundle.index import Index
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import DescriptionRow, DocumentRow
from repatria.ocr.at_once import at_once
from repatria.ocr.cotes import RowsAbove, key_of, known_key_of, place_of
from repatria.ocr.description import BY_SHEET, description_of

_KEPT = ("fonds", "told_by")
"""What a document's own row says, and no bordereau."""
_ROWS_KEPT = 4_096


@dataclass(frozen=True, slots=True)
class _At:
    """Where a row of a bordereau stands."""

    number: int
    index: Index


def standing_bundles(chain: Chain) -> list[Bundle]:
    """Return the bundles of which something may stand, the oldest first: from the last that lists all."""
    first = 0
    for place, bundle in enumerate(chain.bundles):
        if bundle.statement.kind == "full":
            first = place
    return list(chain.bundles[first:])


class Descriptions:
    """The rows of bordereaux of one chain; keys are read at once, rows as they are asked for."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._row = lru_cache(_ROWS_KEPT)(_read)

    def newest(self, document: DocumentRow) -> DocumentRow:
        """Return a document with what is said of it now: title, dates, description, reference."""
        row = self.row_of(document)
        if row is None:
            return document
        own = description_of(document)
        facts = {key: own[key] for key in _KEPT if key in own} | dict(description_of(row))
        return replace(
            document,
            title=str(facts.get("title", "")) or basename(place_of(document.cote)),
            dates=str(facts.get("dates", "")) or None,
            description=json.dumps(facts, ensure_ascii=False),
            reference=str(facts.get("reference", "")) or None,
        )

    def row_of(self, document: DocumentRow) -> DescriptionRow | None:
        """Return the row that describes a document: that of the cote a separator sheet told, else of its folder."""
        if not self._by_folder:
            return None
        above = self._above.of(place_of(document.cote))
        referred = self._by_cote.get(key_of(document.reference or ""))
        by_sheet = description_of(document).get("told_by") == BY_SHEET
        at = (by_sheet and referred) or (above[-1] if above else referred)
        return self._row(at) if at else None

    def is_standing(self, row: DescriptionRow) -> bool:
        """Tell whether no newer row means the same folder."""
        at = self._by_folder.get(row.folder)
        return at is not None and at.number == row.number

    def referred(self, reference: str) -> DescriptionRow | None:
        """Return the row of an archivist's cote, however it is punctuated."""
        at = self._by_cote.get(key_of(reference))
        row = self._row(at) if at else None
        return row if row is not None and self.is_standing(row) else None

    def cotes_below(self, row: DescriptionRow) -> Iterator[str]:
        """Yield the cotes of all documents whose folders a row means, in order; rows of other folders may be closer."""
        if self._by_folder:
            yield from (cote for cote in self._cotes if self.number_above(place_of(cote)) == row.number)

    def number_above(self, place: str) -> int | None:
        """Return the number of the row that the closest folder above a scan means, by its path without its ending."""
        above = self._above.of(place)
        return above[-1].number if above else None

    def number_referred(self, reference: str) -> int | None:
        """Return the number of the newest row of an archivist's cote, however it is punctuated."""
        at = self._by_cote.get(known_key_of(reference)) if reference else None
        return at.number if at else None

    def standing(self) -> Iterator[DescriptionRow]:
        """Yield every row that no newer row of its folder replaced, by folder."""
        for _folder, at in sorted(self._by_folder.items()):
            row = self._row(at)
            if row is not None:
                yield row

    @cached_property
    def numbers(self) -> frozenset[int]:
        """The numbers of the rows that stand."""
        return frozenset(at.number for at in self._by_folder.values())

    @cached_property
    def _above(self) -> RowsAbove[_At]:
        return RowsAbove(self._by_folder)

    @cached_property
    def _by_folder(self) -> Mapping[str, _At]:
        return self._keys(Index.described_folders)

    @cached_property
    def _by_cote(self) -> Mapping[str, _At]:
        return self._keys(Index.described_cotes)

    @cached_property
    def _cotes(self) -> list[str]:
        found = at_once(lambda index: [cote for cote, _number in index.cotes()], self._indexes)
        return sorted({cote for cotes in found for cote in cotes})

    def _keys(self, told: Callable[[Index], Iterator[tuple[str, int]]]) -> Mapping[str, _At]:
        """Return where the row of each key stands; of two, the later does."""
        found = at_once(lambda index: list(told(index)), self._indexes)
        return {
            key: _At(number, index) for index, rows in zip(self._indexes, found, strict=True) for key, number in rows
        }

    @cached_property
    def _indexes(self) -> list[Index]:
        """The indexes, the newest last."""
        opened = at_once(lambda bundle: bundle.indexes(), standing_bundles(self._chain))
        return [index for own in opened for index in own]


def says_something(row: DescriptionRow) -> bool:
    """Tell whether a row says more than its cote; one that does not takes back what was said before."""
    return any(description_of(row).keys() - {"reference"})


def undigitised(row: DescriptionRow) -> DocumentRow:
    """Return what a row describes of which there is no scan, as a document without pages under the archivist's cote."""
    facts = description_of(row)
    reference, title = str(facts.get("reference", "")), str(facts.get("title", ""))
    nothing = None, None, None, None
    return DocumentRow(
        row.number,
        reference,
        "",
        title or reference,
        str(facts.get("dates", "")) or None,
        row.description,
        *nothing,
        0,
        "",
        None,
        reference,
    )


def _read(at: _At) -> DescriptionRow | None:
    return at.index.description(at.number)
