"""Digitising: scans become documents in an archive's bundle; each finished document is safe, whatever happens next."""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from repatria.errors import ChangedError, NotFoundError, RefusedError, StoppedError
from repatria.i18n import _, ngettext
from repatria.model import Finding, FindingKind, ObjectKind
from repatria.ocr.bordereau import Bordereau, Entry
from repatria.ocr.description import Description
from repatria.ocr.engine import EngineChoice
from repatria.ocr.intake import LARGEST_SCAN, Scan, Shelf, list_scans, shelves
from repatria.ocr.isolation import Children
from repatria.ocr.reading import Reader, ReadScan, Trouble
from repatria.ocr.reconciling import reconcile
from repatria.ocr.seen import SeenScans
from repatria.ocr.shelving import Finished, Shelving, version_of
from repatria.progress import SILENT, Progress, Unit
from repatria.source.base import ObjectSource
from repatria.work.bundling import BundleRun
from repatria.work.patience import Patience

MOST_BYTES_AT_ONCE = min(1 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 16)
"""Of the scans that are read side by side; one that is larger is read alone. Pictures and PDF take as much again, and
each travels once between processes."""
NEEDS_AN_EYE = frozenset({"failed", "low-confidence"})
"""Flags of pages that a person should look at."""
_GLANCE = 0.5
"""Seconds between two looks at whether a stop was asked for."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How scans are to be read."""

    engine: EngineChoice
    fonds: str = ""
    """Title of the fonds."""
    bordereau: Bordereau | None = None
    """What describes the dossiers."""
    again: bool = False
    """Read pages of PDFs though they have a good text of their own."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Pages read side by side."""


@dataclass(slots=True)
class DigitiseResult:
    """What a run did."""

    uri: str | None = None
    """Of the bundle it made; None if nothing was new."""
    documents: int = 0
    pages: int = 0
    already: int = 0
    """Scans that the archive holds already."""
    copies: int = 0
    """Scans of the same bytes as one that the archive holds under another name."""
    flagged: int = 0
    """Pages that need an eye: failed, or read with low confidence."""
    findings: list[Finding] = field(default_factory=list)


def digitise(
    run: BundleRun,
    sources: Sequence[ObjectSource],
    wishes: Wishes,
    seen_file: Path,
    *,
    patience: Patience | None = None,
    progress: Progress = SILENT,
) -> DigitiseResult:
    """Read every scan that the archive does not hold yet into the bundle of `run`, and finish the bundle.

    `seen_file` is where this machine remembers which files it need not read again. What is wrong with a scan is a
    finding. Errors: StoreError (4 or 5) if a source's listing or the target fails, StoppedError (8) once a stop is
    asked for; after each of them the same call goes on where this one ended.
    """
    patience = patience or Patience()
    with ExitStack() as stack:
        children = stack.enter_context(Children())
        pages = ThreadPoolExecutor(wishes.workers, thread_name_prefix="page")
        stack.callback(pages.shutdown, wait=True, cancel_futures=True)
        counted = _Counted(progress)
        reader = Reader(
            wishes.engine, pages, children, patience.stop, wishes.again, counted.inspected, progress.advance
        )
        seen = SeenScans(seen_file, run.catalogue)
        batch = _Batch(run, wishes, reader, seen, patience)
        scans = list_scans(sources)
        batch.digitise(scans, counted)
    result = batch.result
    progress.start(_("Finishing the bundle"), None, Unit.OBJECTS)
    result.uri = run.finish(result.findings)
    result.findings += run.findings
    if wishes.bordereau is not None:
        result.findings += reconcile(wishes.bordereau, [scan.path for scan in scans], _archived(seen))
    progress.finish()
    return result


def _archived(seen: SeenScans) -> Callable[[Entry], bool]:
    return lambda entry: seen.holds_reference(entry.description.reference)


class _Counted:
    """The total of pages, which grows as scans turn out to have more than one."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._total = 0

    def start(self, scans: int) -> None:
        self._total = scans
        self.progress.start(_("Reading pages"), scans, Unit.PAGES)

    def inspected(self, pages: int) -> None:
        self._total += pages - 1
        self.progress.total(self._total)


@dataclass(frozen=True, slots=True)
class _Work:
    """A scan under way."""

    scan: Scan
    shelf: Shelf


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of it."""

    work: _Work
    data: bytes = b""
    sha256: bytes = b""
    read: ReadScan = field(default_factory=ReadScan)
    already: bool = False


class _Batch:
    """One run over a list of scans; everything here happens in one thread, scans are read in others."""

    def __init__(self, run: BundleRun, wishes: Wishes, reader: Reader, seen: SeenScans, patience: Patience) -> None:
        self._run = run
        self._wishes = wishes
        self._reader = reader
        self._seen = seen
        self._patience = patience
        self._digests: set[bytes] = set()
        self._safe = 0
        self.result = DigitiseResult()

    def digitise(self, scans: Sequence[Scan], counted: "_Counted") -> None:
        """Read what is new; on a stop, what is finished is stored before StoppedError is raised."""
        placed = shelves(scans, lambda path: self._run.known(path) is not None)
        works = [_Work(scan, placed[scan.path]) for scan in scans]
        todo = [work for work in works if self._is_to_read(work)]
        counted.start(len(todo))
        with Shelving(self._run, self._remember) as shelving:
            try:
                self._read_all(todo, shelving)
            except StoppedError as error:
                with suppress(StoppedError):  # the grace that the target has for a last volume may not be enough
                    shelving.settle()
                raise self._told(error) from error
            shelving.settle()

    def _is_to_read(self, work: _Work) -> bool:
        told = work.scan.object
        if told.kind is not ObjectKind.FILE:
            self._fail(work, _("It is a link or a device; scans must be files."))
            return False
        if told.size > LARGEST_SCAN:
            self._fail(work, _("It is larger than 2 GiB; split it."))
            return False
        seen = self._seen.holds(told, work.shelf.original)
        self.result.already += seen
        return not seen

    def _read_all(self, todo: Sequence[_Work], shelving: Shelving) -> None:
        """Read scans side by side, as many as memory allows, and shelve each as it is finished."""
        threads = ThreadPoolExecutor(self._wishes.workers + 1, thread_name_prefix="scan")
        under_way: dict[Future[_Outcome], int] = {}
        try:
            for work in todo:
                size = work.scan.object.size
                self._collect(under_way, shelving, self._wishes.workers, MOST_BYTES_AT_ONCE - size)
                under_way[threads.submit(self._read_one, work)] = size
            self._collect(under_way, shelving, 0, 0)
        except BaseException:
            self._reader.give_up()
            raise
        finally:
            threads.shutdown(wait=True, cancel_futures=True)

    def _collect(self, under_way: dict[Future[_Outcome], int], shelving: Shelving, scans: int, room: int) -> None:
        """Shelve what is finished, and wait until at most so many scans, of at most so many bytes, are under way."""
        while True:
            full = len(under_way) > scans or sum(under_way.values()) > max(room, 0)
            done, _rest = wait(under_way, timeout=_GLANCE if full else 0, return_when=FIRST_COMPLETED)
            for future in done:
                del under_way[future]
                self._take(future.result(), shelving)
            self._patience.stop.raise_if_requested()
            if not full:
                return

    def _read_one(self, work: _Work) -> _Outcome:
        """Fetch and read one scan, in a thread of its own."""
        try:
            data = self._patience.insist(lambda: _whole(work.scan))
        except (RefusedError, NotFoundError, ChangedError) as error:
            return _Outcome(work, read=ReadScan(troubles=(Trouble(error.message),)))
        sha256 = hashlib.sha256(data).digest()
        told = replace(work.scan.object, size=len(data), version=version_of(sha256))
        if self._run.catalogue.holds_version(told):
            return _Outcome(work, already=True)
        return _Outcome(work, data, sha256, self._reader.read(data, work.shelf))

    def _take(self, outcome: _Outcome, shelving: Shelving) -> None:
        work, read = outcome.work, outcome.read
        if outcome.already or outcome.sha256 in self._digests:
            kept = outcome.already and self._run.known(work.shelf.original) is not None
            self.result.already += kept
            self.result.copies += not kept
            return
        if read.derived is None:
            for trouble in read.troubles[:1]:
                self._fail(work, trouble.detail)
            return
        self._digests.add(outcome.sha256)
        original = shelving.add(
            Finished(
                shelf=work.shelf,
                source=work.scan.source.name,
                original=work.scan.object,
                data=outcome.data,
                sha256=outcome.sha256,
                derived=read.derived,
                pages=read.pages,
                languages=self._wishes.engine.languages,
                description=self._description_of(work.scan.path),
                fonds=self._wishes.fonds,
            )
        )
        self.result.documents += 1
        self.result.pages += len(read.pages)
        self.result.flagged += sum(bool(NEEDS_AN_EYE & set(page.flags)) for page in read.pages)
        for trouble in read.troubles:
            self._fail(work, trouble.detail, number=original, page=trouble.page)

    def _description_of(self, path: str) -> Description | None:
        bordereau = self._wishes.bordereau
        entries = bordereau.above(path) if bordereau is not None else []
        return entries[-1].description if entries else None

    def _fail(self, work: _Work, detail: str, *, number: int | None = None, page: int | None = None) -> None:
        number = self._run.next_object_number() if number is None else number
        if page is not None:
            detail = _("Page {page}: {detail}").format(page=page, detail=detail)
        finding = Finding(FindingKind.FAILED, f"object {number}", detail, path=work.scan.path)
        self.result.findings.append(finding)

    def _remember(self, finished: Finished) -> None:
        """Note, in the thread that stores, that a document is safe at the target."""
        self._safe += 1
        if finished.description is not None:
            self._seen.add_reference(finished.description.reference)
        self._seen.add(finished.original)

    def _told(self, error: StoppedError) -> StoppedError:
        """Return the error of a stop, saying what is safe."""
        sentence = ngettext(
            "Nothing is lost. {count} document of this run is safe; run the same command again to go on.",
            "Nothing is lost. {count} documents of this run are safe; run the same command again to go on.",
            self._safe,
        ).format(count=f"{self._safe:,}")
        return type(error)(sentence, advice=error.advice, public=error.public)


def _whole(scan: Scan) -> bytes:
    with scan.source.read(scan.object) as reading:
        return b"".join(reading.chunks)
