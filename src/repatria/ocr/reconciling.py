"""The bordereau against the scans: which rows have none, which scans have no row."""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import groupby
from posixpath import dirname

from repatria.i18n import _, ngettext
from repatria.model import Finding, FindingKind
from repatria.ocr.bordereau import Bordereau, Entry

NAMED_IN_FOLDER = 20
"""Scans of a folder without any row that are named one by one; of a larger one the folder is named."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A bordereau against the scans that were given, and those that the archive holds from before."""

    rows: int
    """Rows with a cote."""
    scanned: int
    """Of these, those that scans belong to, of this run or from before."""
    context: int
    """Of these, those without scans of which none are expected: série, sous-série, fonds."""
    bare: int
    """Of these, those without scans."""
    unnamed: int
    """Rows without a cote."""
    orphans: int
    """Scans without a row."""
    findings: tuple[Finding, ...]
    """One for each row without scans, each scan (or folder of many) without a row and each row without a cote."""

    def counts(self) -> dict[str, int]:
        """Return how many there are of each, by the names above."""
        return {part.name: getattr(self, part.name) for part in fields(self) if part.name != "findings"}


def reconcile(
    bordereau: Bordereau,
    paths: Iterable[str],
    is_archived: Callable[[Entry], bool],
    is_described: Callable[[str], bool] = lambda _path: False,
) -> Compared:
    """Compare a bordereau with scans.

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
    without = [entry for entry in bordereau.entries if entry.line not in rows_met and not is_archived(entry)]
    bare = [entry for entry in without if not entry.is_context]
    return Compared(
        rows=len(bordereau.entries),
        scanned=len(bordereau.entries) - len(without),
        context=len(without) - len(bare),
        bare=len(bare),
        unnamed=len(bordereau.unnamed),
        orphans=len(orphans),
        findings=(*_of_rows(bordereau.unnamed, bare), *_of_orphans(orphans, met_in)),
    )


def _of_rows(unnamed: Iterable[int], bare: Iterable[Entry]) -> Iterator[Finding]:
    for line in unnamed:
        yield Finding(FindingKind.UNEXPECTED, _line(line), _("It has no cote, so it was left out."))
    for entry in bare:
        detail = _("No scan of this row was found.")
        yield Finding(FindingKind.MISSING, _line(entry.line), detail, path=entry.description.reference)


def _of_orphans(orphans: Iterable[str], met_in: Container[str]) -> Iterator[Finding]:
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
