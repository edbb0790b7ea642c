"""Cotes and the names of folders: what they have in common, and which row of a bordereau a folder's name means."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from repatria.ocr.folding import fold

SCAN_ENDING = re.compile(r"\.(?:tiff?|jpe?g|png|jp2|j2k|pdf)$", re.IGNORECASE)
_OF_SEVERAL = re.compile(r"/document-\d{3,}$")
"""How the cote of one of several documents of a scan ends (`Shelf.document`)."""
_WORD = re.compile(r"\d+|[^\W\d_]+")
_TOP = 2  # components of a file's path in the folder that was given

_Row = TypeVar("_Row")


def words_of(text: str) -> list[str]:
    """Return the numbers, without leading zeros, and the runs of letters of a text."""
    return [word.lstrip("0") or "0" if word.isdigit() else word for word in _WORD.findall(fold(text))]


def key_of(name: str) -> str:
    """Return what a cote and the name of a folder have in common: `3 F 12/45` may lie in `3F12_045`."""
    return "-".join(words_of(name))


known_key_of = lru_cache(1 << 14)(key_of)
"""The same, remembered: scans of different folders often bear the same names, those of one dossier the same cote."""


class RowsAbove(Generic[_Row]):
    """The rows of a bordereau by their keys, asked which of them scans belong to: see `docs/adr/bordereau.md`.

    What a folder means is worked out once: an archive has a hundred thousand scans in a thousand folders.
    """

    def __init__(self, by_key: Mapping[str, _Row]) -> None:
        self.by_key = by_key
        self._folders: dict[str, _Descent[_Row]] = {"": _Descent((), (), "")}

    def of(self, place: str) -> Sequence[_Row]:
        """Return the rows that a scan belongs to, the last the closest; `place` is its path without its ending.

        From the outermost folder inwards, a row is meant by the folder whose name (or the end of whose path) is its
        key; once one is found, a name below it counts only if it continues that key: a page `1.tif` in the folder
        `3F12` is no dossier `1`. Nor is it in a folder `vrac`: a bare number counts as a file's name at the top only.
        """
        folder, _slash, name = place.rpartition("/")
        return self._below(self._of_folder(folder), name, is_file=True).rows

    def _of_folder(self, folder: str) -> "_Descent[_Row]":
        found = self._folders.get(folder)
        if found is None:
            above, _slash, name = folder.rpartition("/")
            found = self._folders[folder] = self._below(self._of_folder(above), name, is_file=False)
        return found

    def _below(self, above: "_Descent[_Row]", name: str, *, is_file: bool) -> "_Descent[_Row]":
        """Return what one more component of a path comes to."""
        keys = (*above.keys, known_key_of(name))
        for start in range(len(keys)):
            key = "-".join(filter(None, keys[start:]))
            if is_file and key.isdigit() and len(keys) > _TOP:
                continue
            if key in self.by_key and key.startswith(above.told):
                return _Descent(keys, (*above.rows, self.by_key[key]), f"{key}-")
        return _Descent(keys, above.rows, above.told)


@dataclass(frozen=True, slots=True)
class _Descent(Generic[_Row]):
    """Where one is on the way from the outermost folder to a scan."""

    keys: tuple[str, ...]
    """Of the components so far."""
    rows: tuple[_Row, ...]
    """Those met, the last the closest."""
    told: str
    """What a key further down begins with; empty before the first row."""


def place_of(cote: str) -> str:
    """Return the path, without its ending, of the scan that a document is of; the inverse of what `Shelf` makes."""
    if "." not in cote and "/document-" not in cote:
        return cote
    scan = _OF_SEVERAL.sub("", cote)
    return SCAN_ENDING.sub("", scan)
