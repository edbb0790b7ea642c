"""The bordereau against the scans: which rows have none, which scans have no row."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from posixpath import dirname

from repatria.i18n import _, ngettext
from repatria.model import Finding, FindingKind
from repatria.ocr.bordereau import Bordereau, Entry

NAMED_IN_FOLDER = 20
"""Scans of a folder without any row that are named one by one; of a larger one the folder is named."""


def reconcile(
    bordereau: Bordereau,
    paths: Iterable[str],
    is_archived: Callable[[Entry], bool],
    is_described: Callable[[str], bool] = lambda _path: False,
) -> Iterator[Finding]:
    """Yield a finding for each row without scans, each scan without a row and each row without a cote.

    `is_archived` tells of a row whether the archive holds scans of it from before, `is_described` of a scan whether its
    own separator sheets name its rows.
    """
    rows_met: set[int] = set()
    orphans: list[str] = []
    met_in: set[str] = set()
    for path in paths:
        entries = bordereau.above(path)
        rows_met |= {entry.line for entry in entries}
        if entries or is_described(path):
            met_in.add(dirname(path))
        else:
            orphans.append(path)
    for line in bordereau.unnamed:
        yield Finding(FindingKind.UNEXPECTED, _line(line), _("It has no cote, so it was left out."))
    for entry in bordereau.entries:
        if entry.line not in rows_met and not entry.is_context and not is_archived(entry):
            detail = _("No scan of this row was found.")
            yield Finding(FindingKind.MISSING, _line(entry.line), detail, path=entry.description.reference)
    for folder, found in groupby(sorted(orphans, key=lambda path: (dirname(path), path)), dirname):
        scans = list(found)
        if folder in met_in or len(scans) <= NAMED_IN_FOLDER:
            for path in scans:
                yield _orphan(path, _("No row of the bordereau describes this scan."))
        else:
            detail = ngettext(
                "No row of the bordereau describes this folder of {count} scan.",
                "No row of the bordereau describes this folder of {count} scans.",
                len(scans),
            ).format(count=len(scans))
            yield _orphan(f"{folder}/", detail)


def _orphan(path: str, detail: str) -> Finding:
    return Finding(FindingKind.UNEXPECTED, _("a scan without a row"), detail, path=path)


def _line(line: int) -> str:
    return _("line {line} of the bordereau").format(line=line)
