"""Which words of the archivist describe a document: what a separator sheet told, else the row of its folder."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from posixpath import basename, dirname

from repatria.ocr.bordereau import Bordereau
from repatria.ocr.description import BY_SHEET, Description
from repatria.ocr.page_journal import PageJournal
from repatria.ocr.reading import ReadDocument, ReadScan


@dataclass(frozen=True, slots=True)
class Describer:
    """Describes scans in the order in which they are shelved."""

    journal: PageJournal
    bordereau: Bordereau | None

    def describe(self, path: str, read: ReadScan) -> tuple[tuple[ReadDocument, Description | None], ...]:
        """Return the documents of a scan with what describes them, and heed the separator sheets among the scans.

        A sheet that was scanned as a file of its own tells of the files after it in its folder, by name.
        """
        folder, name = dirname(path), basename(path)
        alone = bool(read.separators) and not read.documents
        self.journal.set_separator(folder, name, read.separators[-1].cote if alone else None)
        cote_before = "" if alone else _cote_before(self.journal.separators(folder), name)
        return tuple(
            (document, self._description(path, document.separator.cote if document.separator else cote_before))
            for document in read.documents
        )

    def entitled(self, path: str, cote: str) -> str:
        """Return the intitulé of a scan, or of the cote that a sheet in it told; safe from several threads.

        Sheets that were scanned as files of their own are not heeded: they may not be read yet.
        """
        description = self._description(path, cote)
        return description.title if description else ""

    def has_rows(self, descriptions: tuple[Description | None, ...]) -> bool:
        """Tell whether the bordereau has a row for each of these."""
        bordereau = self.bordereau
        return bordereau is not None and all(each and bordereau.referred(each.reference) for each in descriptions)

    def _description(self, path: str, cote: str) -> Description | None:
        """Return what describes a document: the row of the cote that a separator told, else that of its folder."""
        if cote:
            row = self.bordereau.referred(cote) if self.bordereau is not None else None
            return replace(row.description if row else Description(reference=cote), told_by=BY_SHEET)
        entries = self.bordereau.above(path) if self.bordereau is not None else []
        return entries[-1].description if entries else None


def _cote_before(separators: Mapping[str, str], name: str) -> str:
    """Return the cote of the last separator sheet before a file, by name; empty if none tells one."""
    names = sorted(separators)
    place = bisect_right(names, name)
    return separators[names[place - 1]] if place else ""
