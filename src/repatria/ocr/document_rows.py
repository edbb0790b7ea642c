"""What the index says of documents, their pages and their descriptions, with the words under which they are found."""

import json
from collections.abc import Sequence

from repatria.bundle.rows import DescriptionRow, DocumentRow, PageRow
from repatria.ocr.bordereau import Entry
from repatria.ocr.cotes import key_of
from repatria.ocr.description import Description, described, elements_of, facts_of
from repatria.ocr.folding import STEMMERS, indexed_grams, indexed_stems
from repatria.ocr.intake import Shelf
from repatria.ocr.words import PageText

_ALL_LANGUAGES = tuple(STEMMERS)


def document_row(
    number: int,
    shelf: Shelf,
    pages: Sequence[PageText],
    description: Description | None,
    *,
    objects: tuple[int, int | None, int, int],
    languages: tuple[str, ...],
    fonds: str,
    names_dossier: bool,
) -> DocumentRow:
    """Return the row of a document; `objects` are the numbers of original, PDF, text and ALTO.

    It is found by the name of its scan; if it `names_dossier`, by its folder and the archivist's cote too.
    """
    confidences = [page.confidence for page in pages if page.confidence is not None]
    reference = description.reference if description else None
    said = [shelf.title, *((shelf.dossier, reference or "") if names_dossier else ())]
    text = " ".join(filter(None, said))
    original, pdf, plain, alto = objects
    return DocumentRow(
        number=number,
        cote=shelf.cote,
        dossier=shelf.dossier,
        title=(description.title if description else "") or shelf.title,
        dates=(description.dates if description else "") or None,
        description=described(description, fonds),
        original=original,
        pdf=pdf,
        text=plain,
        alto=alto,
        pages=len(pages),
        languages="+".join(languages),
        confidence=sum(confidences) / len(confidences) if confidences else None,
        reference=reference,
        said=text,
        stems=indexed_stems(text, _ALL_LANGUAGES),
        grams=indexed_grams(text),
    )


def withdrawn_row(number: int, shelf: Shelf) -> DocumentRow:
    """Return the row of a document without pages: it takes the place of an earlier one of its name."""
    nothing = None, None, None, None
    return DocumentRow(number, shelf.cote, shelf.dossier, None, None, None, *nothing, 0, "", None)


def page_row(document: int, page: PageText, languages: tuple[str, ...]) -> PageRow:
    """Return the index's row of a page."""
    text = page.text
    return PageRow(
        document=document,
        page=page.number,
        width=page.width,
        height=page.height,
        dpi=float(page.dpi),
        rotation=page.rotation,
        words=len(page.words),
        confidence=page.confidence,
        flags=json.dumps(list(page.flags)),
        text=text,
        stems=indexed_stems(text, languages),
        grams=indexed_grams(text),
    )


def description_row(number: int, entry: Entry) -> DescriptionRow:
    """Return the row of what a row of a bordereau says; every word of it is found."""
    text = "\n".join(elements_of(facts_of(entry.description)).values())
    return DescriptionRow(
        number=number,
        folder=entry.key,
        cote=key_of(entry.description.reference),
        description=described(entry.description) or "{}",
        said=text,
        stems=indexed_stems(text, _ALL_LANGUAGES),
        grams=indexed_grams(text),
    )
