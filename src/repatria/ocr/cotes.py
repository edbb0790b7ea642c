"""Cotes and the names of folders: what they have in common, and which row of a bordereau a folder's name means."""

import re
from collections.abc import Mapping
from typing import TypeVar

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


def rows_above(place: str, by_key: Mapping[str, _Row]) -> list[_Row]:
    """Return the rows that a scan belongs to, the last the closest: see `docs/adr/bordereau.md`.

    `place` is the scan's path without its ending. From the outermost folder inwards, a row is meant by the folder whose
    name (or the end of whose path) is its key; once one is found, a name below it counts only if it continues that key:
    a page `1.tif` in the folder `3F12` is no dossier `1`. Nor is it in a folder `vrac`: a bare number counts as a
    file's name at the top only.
    """
    components = [key_of(component) for component in place.split("/")]
    found: list[_Row] = []
    above = ""
    for end in range(1, len(components) + 1):
        for start in range(end):
            key = "-".join(filter(None, components[start:end]))
            if key.isdigit() and end == len(components) > _TOP:
                continue
            if key in by_key and key.startswith(above):
                found.append(by_key[key])
                above = f"{key}-"
                break
    return found


def place_of(cote: str) -> str:
    """Return the path, without its ending, of the scan that a document is of; the inverse of what `Shelf` makes."""
    scan = _OF_SEVERAL.sub("", cote)
    return SCAN_ENDING.sub("", scan)
