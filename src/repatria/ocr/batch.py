"""Reading scans side by side, and shelving them in the order in which they came."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace

from repatria.errors import ChangedError, NotFoundError, RefusedError, StoppedError
from repatria.i18n import _, ngettext
from repatria.model import Finding, FindingKind, ObjectKind
from repatria.ocr.bordereau import Bordereau
from repatria.ocr.describing import Describer
from repatria.ocr.engine import EngineChoice
from repatria.ocr.foreign import Remedy
from repatria.ocr.intake import LARGEST_SCAN, Scan, Shelf
from repatria.ocr.keeping import BordereauKeeper
from repatria.ocr.reading import Reader, ReadScan, Trouble
from repatria.ocr.seen import SeenScans
from repatria.ocr.shelving import Finished, Shelving, version_of
from repatria.work.bundling import BundleRun
from repatria.work.cluster_address import ClusterAddress
from repatria.work.patience import Patience
from repatria.work.stop import Reason

MOST_BYTES_AT_ONCE = min(1 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 16)
"""Of the scans that are read side by side; one that is larger is read alone. Pictures and PDF take as much again, and
each travels once between processes."""
NEEDS_AN_EYE = frozenset({"failed", "low-confidence"})
"""Flags of pages that a person should look at."""
_AHEAD = 4
"""Scans under way, for each page read side by side: shelved in order, one that takes long must not hold up the rest."""
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
    split: bool = False
    """Read spreads as two pages."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Pages read side by side on this machine."""
    cluster: ClusterAddress | None = None
    """Where pages are read instead: as many side by side as its workers can."""


@dataclass(frozen=True, slots=True)
class Work:
    """A scan that is to be read."""

    scan: Scan
    shelf: Shelf


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a scan."""

    scan: Scan
    is_archived: bool
    """Whether the archive holds its bytes, under its name or another."""
    troubles: tuple[Trouble, ...] = ()
    is_copy: bool = False
    """Whether the archive holds its bytes under another name only."""
    was_read: bool = True
    """False if it changed or vanished meanwhile: what is there now is another."""


@dataclass(slots=True)
class Counts:
    """What was done with scans."""

    documents: int = 0
    pages: int = 0
    already: int = 0
    """Scans that the archive holds already."""
    copies: int = 0
    """Scans of the same bytes as one that the archive holds under another name."""
    twins: list[tuple[str, str]] = field(default_factory=list)
    """Those scans, each with the one of this run whose bytes it has; empty where that came in an earlier run: its name
    is in the archive, not on this machine."""
    flagged: int = 0
    """Pages that need an eye: failed, or read with low confidence."""
    separators: int = 0
    """Separator sheets found."""
    described: int = 0
    """Rows of the bordereau that are new to the archive, or were corrected."""
    left_out: int = 0
    """Rows that this bordereau had when it was given before, and has no more; they still stand."""
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Outcome:
    work: Work
    data: bytes = b""
    size: int = 0
    sha256: bytes = b""
    read: ReadScan = field(default_factory=ReadScan)
    already: bool = False
    was_fetched: bool = True


class Batch:
    """One run over scans; everything here happens in one thread, scans are read in others."""

    def __init__(
        self,
        run: BundleRun,
        wishes: Wishes,
        reader: Reader,
        seen: SeenScans,
        keeper: BordereauKeeper,
        patience: Patience,
        taken: Callable[[Taken], None] = lambda _taken: None,
    ) -> None:
        self._run = run
        self._wishes = wishes
        self._describer = Describer(reader.journal, wishes.bordereau)
        self._reader = replace(reader, entitled=self._describer.entitled)
        self._seen = seen
        self._keeper = keeper
        self._patience = patience
        self._told_of = taken
        self._digests: dict[bytes, str] = {}
        self._safe = 0
        self.counts = Counts(described=len(keeper.fresh), left_out=keeper.left_out)

    def digitise(self, works: Iterable[Work | None]) -> None:
        """Read what is new; on a stop, what is finished is stored before StoppedError is raised.

        None among the works says that there is nothing to read at the moment: what is finished is stored meanwhile.
        """
        with Shelving(self._run, self._remember) as shelving:
            try:
                self._keeper.keep(shelving)
                self._read_all(works, shelving)
            except StoppedError as error:
                with suppress(StoppedError):  # the grace that the target has for a last volume may not be enough
                    shelving.settle()
                raise self._told(error) from error
            shelving.settle()

    def is_to_read(self, work: Work) -> bool:
        """Tell whether a scan is new, as far as it can be told without its bytes; count it if it is not."""
        told = work.scan.object
        if told.kind is not ObjectKind.FILE:
            self._refuse(work, Trouble(_("It is a link or a device; scans must be files.")))
            return False
        if told.size > LARGEST_SCAN:
            self._refuse(work, Trouble(_("It is larger than 2 GiB; split it."), remedy=Remedy.DIVIDE))
            return False
        seen = self._seen.holds(told, work.shelf.original)
        if seen:
            self.counts.already += 1
            self._told_of(Taken(work.scan, is_archived=True))
        return not seen

    def _read_all(self, works: Iterable[Work | None], shelving: Shelving) -> None:
        """Read scans side by side, as many as memory allows, and shelve each in its turn."""
        threads = ThreadPoolExecutor(self._reader.pages.side_by_side + 1, thread_name_prefix="scan")
        under_way: deque[tuple[int, Future[_Outcome]]] = deque()
        try:
            for work in works:
                if work is None:
                    self._collect(under_way, shelving, _AHEAD * self._reader.pages.side_by_side, MOST_BYTES_AT_ONCE)
                    if shelving.is_due:
                        shelving.save()
                    continue
                size = work.scan.object.size
                self._collect(under_way, shelving, _AHEAD * self._reader.pages.side_by_side, MOST_BYTES_AT_ONCE - size)
                under_way.append((size, threads.submit(self._read_one, work)))
            self._collect(under_way, shelving, 0, 0)
        except BaseException:
            self._reader.give_up()
            raise
        finally:
            threads.shutdown(wait=True, cancel_futures=True)

    def _collect(
        self, under_way: deque[tuple[int, Future[_Outcome]]], shelving: Shelving, scans: int, room: int
    ) -> None:
        """Shelve what is finished, and wait until at most so many scans, of at most so many bytes, are under way."""
        while True:
            while under_way and under_way[0][1].done():
                self._take(under_way.popleft()[1].result(), shelving)
            self._patience.stop.raise_if_requested()
            full = len(under_way) > scans or sum(size for size, _future in under_way) > max(room, 0)
            if not (under_way and full):
                return
            wait([under_way[0][1]], timeout=_GLANCE, return_when=FIRST_COMPLETED)

    def _read_one(self, work: Work) -> _Outcome:
        """Fetch and read one scan, in a thread of its own."""
        try:
            data = self._patience.insist(lambda: _whole(work.scan))
        except (RefusedError, NotFoundError, ChangedError) as error:
            refused = isinstance(error, RefusedError)
            return _Outcome(work, read=ReadScan(troubles=(Trouble(error.message),)), was_fetched=refused)
        sha256 = hashlib.sha256(data).digest()
        told = replace(work.scan.object, size=len(data), version=version_of(sha256))
        if self._run.catalogue.holds_version(told):
            return _Outcome(work, b"", len(data), sha256, already=True)
        return _Outcome(work, data, len(data), sha256, self._reader.read(data, sha256, work.shelf))

    def _take(self, outcome: _Outcome, shelving: Shelving) -> None:
        """Shelve one scan that was read, or say why not."""
        work, read = outcome.work, outcome.read
        if outcome.sha256 and (outcome.already or outcome.sha256 in self._digests):
            is_copy = not self._stands(work.shelf, outcome)
            self.counts.already += not is_copy
            if is_copy:
                self.counts.copies += 1
                self.counts.twins.append((work.scan.path, self._digests.get(outcome.sha256, "")))
            else:
                self._digests.setdefault(outcome.sha256, work.scan.path)
            self._told_of(Taken(work.scan, is_archived=True, is_copy=is_copy))
            return
        if not read.is_readable:
            self._refuse(work, *read.troubles[:1], was_read=outcome.was_fetched)
            return
        self._digests[outcome.sha256] = work.scan.path
        original = shelving.add(
            Finished(
                shelf=work.shelf,
                source=work.scan.source.name,
                original=work.scan.object,
                data=outcome.data,
                sha256=outcome.sha256,
                documents=self._describer.describe(work.scan.path, read),
                languages=self._wishes.engine.languages,
                fonds=self._wishes.fonds,
            )
        )
        self._count(read)
        for trouble in read.troubles:
            self._find(work, trouble, original)
        self._told_of(Taken(work.scan, is_archived=True, troubles=read.troubles))

    def _stands(self, shelf: Shelf, outcome: "_Outcome") -> bool:
        """Tell whether the archive holds a scan's bytes under its own name."""
        told, version = outcome.work.scan.object, version_of(outcome.sha256)
        return self._run.catalogue.unchanged(replace(told, path=shelf.original, size=outcome.size, version=version))

    def _count(self, read: ReadScan) -> None:
        pages = [page for document in read.documents for page in document.pages]
        self.counts.documents += len(read.documents)
        self.counts.pages += len(pages)
        self.counts.separators += len(read.separators)
        self.counts.flagged += sum(bool(NEEDS_AN_EYE & set(page.flags)) for page in pages)

    def _refuse(self, work: Work, trouble: Trouble = Trouble(""), *, was_read: bool = True) -> None:  # noqa: B008 -- frozen
        self._find(work, trouble, self._run.next_object_number())
        self._told_of(Taken(work.scan, is_archived=False, troubles=(trouble,), was_read=was_read))

    def _find(self, work: Work, trouble: Trouble, number: int) -> None:
        detail = trouble.detail
        if trouble.page is not None:
            detail = _("Page {page}: {detail}").format(page=trouble.page, detail=detail)
        finding = Finding(FindingKind.FAILED, f"object {number}", detail, path=work.scan.path)
        self.counts.findings.append(finding)

    def _remember(self, finished: Finished) -> None:
        """Note, in the thread that stores, that a scan's documents are safe at the target."""
        self._safe += 1
        descriptions = tuple(description for _document, description in finished.documents)
        for description in descriptions:
            if description is not None:
                self._seen.add_reference(description.reference)
        if self._describer.has_rows(descriptions):
            self._seen.add_described(finished.original.path)
        self._seen.add(finished.original)
        self._reader.journal.forget(finished.sha256)

    def _told(self, error: StoppedError) -> StoppedError:
        """Return the error of a stop, saying what is safe."""
        sentence = ngettext(
            "Nothing is lost. {count} document of this run is safe; run the same command again to go on.",
            "Nothing is lost. {count} documents of this run are safe; run the same command again to go on.",
            self._safe,
        ).format(count=f"{self._safe:,}")
        if self._patience.stop.reason is Reason.LINK:
            sentence = f"{error.message} {sentence}"
        return type(error)(sentence, advice=error.advice, public=error.public)


def _whole(scan: Scan) -> bytes:
    with scan.source.read(scan.object) as reading:
        return b"".join(reading.chunks)
