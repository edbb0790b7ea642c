"""Where separator sheets part a scan into documents."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from repatria.ocr.page import ReadPage
from repatria.paper.separator_code import SeparatorCode


@dataclass(frozen=True, slots=True)
class Part:
    """The pages of one document, numbered from 1."""

    pages: tuple[ReadPage, ...]
    separator: SeparatorCode | None
    """What the sheet before them tells; None if there is none."""


def parted(pages: Sequence[ReadPage]) -> list[Part]:
    """Return the documents of a scan; separator sheets are pages of none.

    Of several sheets in a row the last that tells a cote counts: a sheet that is printed on both sides is one.
    """
    parts: list[Part] = []
    here: list[ReadPage] = []
    separator: SeparatorCode | None = None
    for page in pages:
        code = page.side.separator
        if code is None:
            here.append(page)
            continue
        if here:
            parts.append(_part(here, separator))
            here, separator = [], None
        separator = code if code.cote or separator is None else separator
    return [*parts, _part(here, separator)] if here else parts


def _part(pages: Sequence[ReadPage], separator: SeparatorCode | None) -> Part:
    numbered = (
        replace(page, side=replace(page.side, text=replace(page.text, number=number)))
        for number, page in enumerate(pages, 1)
    )
    return Part(tuple(numbered), separator)
