"""Digitising: scans become documents in an archive's bundle; each finished document is safe, whatever happens next."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from repatria.i18n import _
from repatria.ocr.batch import Batch, Counts, Taken, Wishes, Work
from repatria.ocr.bordereau import Entry
from repatria.ocr.hands import PageHands, cluster_hands, local_hands
from repatria.ocr.intake import list_scans, shelves
from repatria.ocr.keeping import BordereauKeeper, GivenRows, SeenRows
from repatria.ocr.naming import NamedFolder
from repatria.ocr.page_journal import PageJournal
from repatria.ocr.reading import Reader
from repatria.ocr.reconciling import Compared, reconcile
from repatria.ocr.seen import FILE_NAME as SEEN_FILE
from repatria.ocr.seen import SeenScans
from repatria.progress import SILENT, Progress, Unit
from repatria.source.base import ObjectSource
from repatria.work.bundling import BundleRun
from repatria.work.patience import Patience


@dataclass(slots=True)
class DigitiseResult(Counts):
    """What a run did."""

    uri: str | None = None
    """Of the bundle it made; None if nothing was new."""
    compared: Compared | None = None
    """The bordereau against the scans; None without one, and in a watch, where scans come by and by."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What this machine remembers of an archive, in its state folder."""

    folder: Path
    """Of the dataset."""
    key: bytes
    """Of the state folder."""

    def journal(self) -> PageJournal:
        """Open the memory of pages."""
        return PageJournal(self.folder, self.key)


def digitise(
    run: BundleRun,
    sources: Sequence[ObjectSource],
    wishes: Wishes,
    desk: Desk,
    *,
    patience: Patience | None = None,
    progress: Progress = SILENT,
) -> DigitiseResult:
    """Read every scan that the archive does not hold yet into the bundle of `run`, and finish the bundle.

    What is wrong with a scan is a finding. Errors: StoreError (4 or 5) if a source's listing or the target fails,
    StoppedError (8) once a stop is asked for; after each of them the same call goes on where this one ended.
    """
    patience = patience or Patience()
    with desk.journal() as journal, open_batch(run, wishes, desk, journal, patience, progress=progress) as opened:
        scans = list_scans(_as_begun(run, sources))
        placed = shelves(scans, lambda path: run.known(path) is not None)
        works = [work for scan in scans if opened.batch.is_to_read(work := Work(scan, placed[scan.path]))]
        opened.counted.start(len(works))
        opened.batch.digitise(works)
        journal.forget_all()  # every scan was listed: nothing waits
    result = finish(run, opened, progress)
    if wishes.bordereau is not None:
        paths = [scan.path for scan in scans]
        result.compared = reconcile(wishes.bordereau, paths, _archived(opened.seen), opened.seen.is_described)
        result.findings += result.compared.findings
    return result


def finish(run: BundleRun, opened: "OpenedBatch", progress: Progress) -> DigitiseResult:
    """Finish the bundle of a batch that came to its end, and return what the run did."""
    counts = opened.batch.counts
    progress.start(_("Finishing the bundle"), None, Unit.OBJECTS)
    uri = run.finish(counts.findings)
    opened.keeper.finished()
    progress.finish()
    return DigitiseResult(
        documents=counts.documents,
        pages=counts.pages,
        already=counts.already,
        copies=counts.copies,
        twins=counts.twins,
        flagged=counts.flagged,
        separators=counts.separators,
        described=counts.described,
        left_out=counts.left_out,
        findings=[*counts.findings, *run.findings],
        uri=uri,
    )


@dataclass(frozen=True, slots=True)
class OpenedBatch:
    """A batch with what it works with."""

    batch: Batch
    seen: SeenScans
    keeper: BordereauKeeper
    counted: "Counted"


@contextmanager
def open_batch(
    run: BundleRun,
    wishes: Wishes,
    desk: Desk,
    journal: PageJournal,
    patience: Patience,
    *,
    progress: Progress = SILENT,
    taken: Callable[[Taken], None] = lambda _taken: None,
) -> Iterator[OpenedBatch]:
    """Open what reads scans into the bundle of `run`: child processes, threads, a cluster.

    UsageError if the cluster that is wished for cannot be used.
    """
    with ExitStack() as stack:
        here = stack.enter_context(local_hands(wishes.workers))
        pages: PageHands = here
        if wishes.cluster is not None:
            pages = stack.enter_context(cluster_hands(wishes.cluster, wishes.engine, patience))
        counted = Counted(progress)
        reader = Reader(
            engine=wishes.engine,
            here=here,
            pages=pages,
            journal=journal,
            stop=patience.stop,
            again=wishes.again,
            split=wishes.split,
            inspected=counted.inspected,
            advanced=progress.advance,
        )
        seen = SeenScans(desk.folder / SEEN_FILE, run.catalogue)
        told = wishes.bordereau
        given = GivenRows(desk.folder, desk.key, told.name) if told is not None else None
        keeper = BordereauKeeper(run, told, SeenRows(desk.folder, desk.key), given)
        yield OpenedBatch(Batch(run, wishes, reader, seen, keeper, patience, taken), seen, keeper, counted)


class Counted:
    """The total of pages, which grows as scans come, and turn out to have more than one."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._total = 0

    def start(self, scans: int) -> None:
        """Begin to count with so many scans of a page each."""
        self._total = scans
        self.progress.start(_("Reading pages"), scans, Unit.PAGES)

    def came(self) -> None:
        """Count one more scan."""
        self._total += 1
        self.progress.total(self._total)

    def inspected(self, pages: int) -> None:
        """Count the pages of a scan beyond its first."""
        self._total += pages - 1
        self.progress.total(self._total)


def _as_begun(run: BundleRun, sources: Sequence[ObjectSource]) -> list[ObjectSource]:
    """Return the sources, their scans under the names that the archive has for them."""
    if not run.catalogue.standing().objects:
        return list(sources)
    return [
        source.as_begun(lambda path: run.known(path) is not None) if isinstance(source, NamedFolder) else source
        for source in sources
    ]


def _archived(seen: SeenScans) -> Callable[[Entry], bool]:
    return lambda entry: seen.holds_reference(entry.description.reference)
