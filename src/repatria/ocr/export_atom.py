"""AtoM's CSV import of archival descriptions (ISAD(G) template, AtoM 2.x): a row a fonds, dossier and document.

Column names: https://www.accesstomemory.org/en/docs/latest/user-manual/import-export/csv-import/ . UTF-8, line feeds,
parents before their children; several values of one cell are separated by `|`.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from posixpath import basename

from repatria import i18n
from repatria.i18n import _, ngettext
from repatria.ocr.alto import LANGUAGE_TAGS
from repatria.ocr.description import description_of
from repatria.ocr.export import ArchivedDossier, Fonds
from repatria.ocr.extreme_dates import extreme_dates
from repatria.ocr.standing import StandingDocument

COLUMNS = (
    *("legacyId", "parentId", "qubitParentSlug", "accessionNumber", "identifier", "title", "levelOfDescription"),
    *("extentAndMedium", "repository", "archivalHistory", "acquisition", "scopeAndContent", "appraisal", "accruals"),
    *("arrangement", "accessConditions", "reproductionConditions", "language", "script", "languageNote"),
    *("physicalCharacteristics", "findingAids", "locationOfOriginals", "locationOfCopies"),
    *("relatedUnitsOfDescription", "publicationNote", "digitalObjectPath", "digitalObjectURI", "generalNote"),
    *("subjectAccessPoints", "placeAccessPoints", "nameAccessPoints", "genreAccessPoints", "descriptionIdentifier"),
    *("institutionIdentifier", "rules", "descriptionStatus", "levelOfDetail", "revisionHistory"),
    *("languageOfDescription", "scriptOfDescription", "sources", "archivistNote", "publicationStatus"),
    *("physicalObjectName", "physicalObjectLocation", "physicalObjectType", "alternativeIdentifiers"),
    *("alternativeIdentifierLabels", "eventDates", "eventTypes", "eventStartDates", "eventEndDates", "eventActors"),
    *("eventActorHistories", "culture"),
)
"""Of AtoM's own template, in its order."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula: such a cell gets an apostrophe before it."""

_TERMS = {
    "en": {"fonds": "Fonds", "file": "File", "item": "Item", "creation": "Creation"},
    "fr": {"fonds": "Fonds", "file": "Dossier", "item": "Pièce", "creation": "Création/Production"},
}
"""As AtoM's own taxonomies call levels and events: another word would become a new term there."""

_Row = dict[str, str]


def atom_csv(dataset: str, fonds: Sequence[Fonds], objects: str | None = None) -> Iterator[bytes]:
    """Yield the file row by row, in the language spoken now.

    `objects` is where the restored archive lies on AtoM's machine; without it rows name no digital object, because AtoM
    refuses one that it does not find.
    """
    yield _line(COLUMNS)
    for each in fonds:
        fonds_id = f"{dataset}/fonds/{each.title}" if len(fonds) > 1 else dataset
        yield _csv(_fonds_row(fonds_id, each))
        for dossier in each.dossiers:
            parent = f"{dataset}/dossier/{dossier.above}" if dossier.above else fonds_id
            own_id = parent
            if dossier.name:  # what lies in no folder belongs to the fonds itself
                own_id = f"{dataset}/dossier/{dossier.reference or dossier.folder}"
                yield _csv(_dossier_row(own_id, parent, dossier, told_above=bool(each.creator)))
            for document in dossier.documents:
                yield _csv(_document_row(own_id, dossier, document, objects))


def safe_cell(text: str) -> str:
    """Return a cell that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _fonds_row(identifier: str, fonds: Fonds) -> _Row:
    return {
        "legacyId": identifier,
        "identifier": identifier.rpartition("/")[2],
        "title": fonds.title,
        "levelOfDescription": _term("fonds"),
        "extentAndMedium": _extent(fonds.pages),
        **_event("", fonds.creator),
    }


def _dossier_row(identifier: str, parent: str, dossier: ArchivedDossier, *, told_above: bool) -> _Row:
    notes = [dossier.element("notes"), *(f"{header}: {cell}" for header, cell in dossier.other.items())]
    if not (dossier.is_digitised or dossier.is_context):
        notes.append(_("Not digitised."))
    level = dossier.element("level")
    return {
        "legacyId": identifier,
        "parentId": parent,
        "identifier": dossier.name,
        "title": dossier.title,
        "levelOfDescription": f"{level[:1].upper()}{level[1:]}" if level else _term("file"),
        "extentAndMedium": dossier.element("extent") or (_extent(dossier.pages) if dossier.is_digitised else ""),
        "scopeAndContent": dossier.element("scope"),
        "accessConditions": dossier.element("access"),
        "language": _tags(dossier.languages),
        "languageNote": dossier.element("language"),
        "generalNote": _several(notes),
        **_event(dossier.element("dates"), "" if told_above else dossier.element("creator")),
    }


def _document_row(parent: str, dossier: ArchivedDossier, document: StandingDocument, objects: str | None) -> _Row:
    row = document.row
    dataset = document.bundle.dataset_id
    name = basename(row.cote)
    own_title = row.title if row.title and row.title != dossier.title else name
    own_dates = str(description_of(row).get("dates", ""))
    return {
        "legacyId": f"{dataset}/document/{row.cote}",
        "parentId": parent,
        "identifier": name,
        "title": own_title,
        "levelOfDescription": _term("item"),
        "extentAndMedium": _extent(row.pages),
        "language": _tags(row.languages.split("+")),
        "locationOfCopies": f"{dataset}#{row.cote}",
        "digitalObjectPath": _object_path(document, objects),
        **_event(own_dates if own_dates != dossier.element("dates") else "", ""),
    }


def _object_path(document: StandingDocument, objects: str | None) -> str:
    number = document.row.pdf if objects is not None else None
    pdf = document.bundle.object(number) if number is not None else None
    return f"{str(objects).rstrip('/')}/{pdf.path}" if pdf is not None else ""


def _event(dates: str, actor: str) -> _Row:
    """Return the columns of the one event that is told: the making of the records."""
    if not dates and not actor:
        return {}
    begin, end = extreme_dates(dates)
    return {
        "eventDates": _single(dates),
        "eventTypes": _term("creation"),
        "eventStartDates": begin,
        "eventEndDates": end,
        "eventActors": _single(actor),
    }


def _term(name: str) -> str:
    return _TERMS[i18n.language()][name]


def _extent(pages: int) -> str:
    return ngettext("{count} scanned page", "{count} scanned pages", pages).format(count=pages)


def _tags(languages: Sequence[str]) -> str:
    return "|".join(LANGUAGE_TAGS[code] for code in languages if code in LANGUAGE_TAGS)


def _several(values: Sequence[str]) -> str:
    return "|".join(_single(value) for value in values if value)


def _single(value: str) -> str:
    """Return a value that is not taken for several."""
    return value.replace("|", "/")


def _csv(row: Mapping[str, str]) -> bytes:
    full = {"culture": i18n.language(), **row}
    return _line([full.get(column, "") for column in COLUMNS])


def _line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([safe_cell(cell) for cell in cells])
    return text.getvalue().encode("utf-8", "replace")
