"""From one scan to its documents: pages read side by side in child processes, what fails costs itself only."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from repatria.errors import FindingsError
from repatria.i18n import _
from repatria.ocr.document import Derived, DocumentTask, derive
from repatria.ocr.engine import EngineChoice
from repatria.ocr.foreign import Remedy, remedy_of
from repatria.ocr.hands import LocalHands, PageHands, PageWork
from repatria.ocr.intake import ORIGINALS, Inspection, Shelf, inspect
from repatria.ocr.isolation import Ending, IsolationError
from repatria.ocr.memory import SharedBytes, SharedSpace
from repatria.ocr.page import PageTask, ReadPage, Side, picture_page, read_page
from repatria.ocr.page_journal import PageJournal
from repatria.ocr.parting import parted
from repatria.ocr.picture import UnreadablePageError
from repatria.ocr.words import PageText
from repatria.paper.separator_code import SeparatorCode
from repatria.work.stop import Reason, StopSignal

PAGE_SECONDS = 180.0
INSPECTION_SECONDS = 60.0
DERIVING_SECONDS = 120.0
DERIVING_SECONDS_A_PAGE = 3.0
_MISSING_PAGE = (1240, 1754, 150.0)
"""Width, height and resolution of the blank A4 sheet that stands for a page which cannot be decoded."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong with a scan."""

    detail: str
    """Translated; holds no name."""
    page: int | None = None
    """None: with the scan as a whole."""
    remedy: Remedy = Remedy.SCAN_AGAIN
    """What a person does about it."""


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """One document of a scan."""

    shelf: Shelf
    pages: tuple[PageText, ...]
    """Numbered from 1."""
    derived: Derived
    separator: SeparatorCode | None = None
    """What the sheet before it tells."""


@dataclass(frozen=True, slots=True)
class ReadScan:
    """What became of a scan."""

    documents: tuple[ReadDocument, ...] = ()
    """One, or as many as separator sheets part it into."""
    separators: tuple[SeparatorCode, ...] = ()
    """The separator sheets in it."""
    troubles: tuple[Trouble, ...] = field(default=())

    @property
    def is_readable(self) -> bool:
        """Whether anything of it could be read."""
        return bool(self.documents or self.separators)


@dataclass(frozen=True, slots=True)
class _Desk:
    """A scan that is being read, in memory."""

    scan: SharedBytes
    made: SharedSpace
    """What is made of it."""

    def close(self) -> None:
        self.scan.close()
        self.made.close()


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads scans; its methods may be called from several threads, one for each scan under way."""

    engine: EngineChoice
    here: LocalHands
    """Inspects scans and makes documents."""
    pages: PageHands
    """Works pages: the same hands, or a cluster's."""
    journal: PageJournal
    stop: StopSignal = field(default_factory=StopSignal)
    again: bool = False
    """Read pages of PDFs though they have a good text of their own."""
    split: bool = False
    """Read a spread as two pages."""
    entitled: Callable[[str, str], str] = lambda _path, _cote: ""
    """Returns the intitulé of a scan at a path, or of the cote that a sheet in it told; empty if none is known."""
    inspected: Callable[[int], None] = lambda _pages: None
    """Told how many pages a scan has, once that is known."""
    advanced: Callable[[int], None] = lambda _pages: None
    """Told of each page that was worked."""

    def read(self, data: bytes, sha256: bytes, shelf: Shelf) -> ReadScan:
        """Read a scan and make its documents; never raises for what is wrong with the scan itself.

        StoppedError once a stop is asked for.
        """
        desk = _Desk(SharedBytes.of(data), SharedSpace.new())
        try:
            inspection = self.here.call(inspect, desk.scan, INSPECTION_SECONDS)
            self.inspected(len(inspection.frames))
            return self._read_pages(desk, sha256, inspection, shelf)
        except (FindingsError, IsolationError) as error:
            self.stop.raise_if_requested()
            return ReadScan(troubles=(Trouble(reason_of(error), remedy=remedy_of(error)),))
        finally:
            desk.close()

    def give_up(self) -> None:
        """End what is under way: every call of `read` raises soon."""
        self.stop.request(Reason.FAILURE)
        self.here.kill()
        self.pages.kill()

    def _read_pages(self, desk: _Desk, sha256: bytes, inspection: Inspection, shelf: Shelf) -> ReadScan:
        tasks = [
            PageTask(desk.scan, inspection.form, number, frame, self.engine, self.again, self.split)
            for number, frame in enumerate(inspection.frames, 1)
        ]
        with self.pages.at(desk.scan) as work:
            futures = [self.pages.threads.submit(self._read_page, work, sha256, task, desk.made) for task in tasks]
            try:
                results = [future.result() for future in futures]
            except BaseException:
                for future in futures:
                    future.cancel()
                raise
        troubles = tuple(trouble for _sides, trouble in results if trouble is not None)
        if not any(sides for sides, _trouble in results):
            return ReadScan(troubles=troubles)
        worked = [
            page for task, (sides, _trouble) in zip(tasks, results, strict=True) for page in sides or (_missing(task),)
        ]
        documents = tuple(self._documents(desk, inspection, worked, shelf))
        if not all(document.derived.layered for document in documents):
            troubles += (Trouble(_("Its words could not be laid into the PDF; they are in the text and in ALTO.")),)
        separators = tuple(page.side.separator for page in worked if page.side.separator is not None)
        return ReadScan(documents, separators, troubles)

    def _read_page(
        self, work: PageWork, sha256: bytes, task: PageTask, made: SharedSpace
    ) -> tuple[tuple[ReadPage, ...], Trouble | None]:
        """Work one page, in a thread of the hands; of a page that ends the engine, keep the picture."""
        self.stop.raise_if_requested()
        known = self.journal.known(sha256, task)
        try:
            sides = work(read_page, replace(task, known=known), PAGE_SECONDS)
            if not known:
                self.journal.keep(sha256, task, tuple(page.side for page in sides))
        except UnreadablePageError as error:
            return (), Trouble(reason_of(error), task.number)
        except IsolationError as error:
            self.stop.raise_if_requested()
            sides = () if error.ending is Ending.WORKERS_LOST else _picture_of(work, task)
            return _laid(sides, made), Trouble(reason_of(error), task.number)
        else:
            return _laid(sides, made), None
        finally:
            self.advanced(1)

    def _documents(
        self, desk: _Desk, inspection: Inspection, worked: Sequence[ReadPage], shelf: Shelf
    ) -> Iterator[ReadDocument]:
        parts = parted(worked)
        whole = len(parts) == 1 and len(worked) == len(parts[0].pages) == len(inspection.frames)
        for number, part in enumerate(parts, 1):
            place = shelf if len(parts) == 1 else shelf.document(number)
            told = part.separator.cote if part.separator is not None else ""
            title = self.entitled(shelf.original.removeprefix(ORIGINALS), told) or place.title
            derived = self._derive(desk, inspection, part.pages, place, title, whole=whole)
            yield ReadDocument(place, tuple(page.text for page in part.pages), derived, part.separator)

    def _derive(
        self,
        desk: _Desk,
        inspection: Inspection,
        pages: tuple[ReadPage, ...],
        shelf: Shelf,
        title: str,
        *,
        whole: bool,
    ) -> Derived:
        task = DocumentTask(
            scan=desk.scan,
            space=desk.made,
            form=inspection.form,
            pages=pages,
            whole=whole,
            file_name=shelf.file_name,
            title=title,
            languages=self.engine.languages,
            engine=self.engine.version,
            made=datetime.now(UTC),
        )
        derived = self.here.call(derive, task, DERIVING_SECONDS + DERIVING_SECONDS_A_PAGE * len(pages))
        return replace(derived, pdf=derived.pdf and SharedBytes.carried(derived.pdf.read()))


def _laid(sides: tuple[ReadPage, ...], made: SharedSpace) -> tuple[ReadPage, ...]:
    """Return sides with their pictures laid aside until their document is made; halves of a spread show one."""
    laid: dict[SharedBytes, SharedBytes] = {}
    for picture in (side.picture for side in sides if side.picture is not None):
        if picture.data not in laid:
            laid[picture.data] = made.keep(picture.data)
    return tuple(
        side if side.picture is None else replace(side, picture=replace(side.picture, data=laid[side.picture.data]))
        for side in sides
    )


def _picture_of(work: PageWork, task: PageTask) -> tuple[ReadPage, ...]:
    try:
        return work(picture_page, task, PAGE_SECONDS)
    except (UnreadablePageError, IsolationError):
        return ()


def reason_of(error: FindingsError | IsolationError) -> str:
    """Return one translated sentence for what went wrong with a scan or page."""
    if isinstance(error, FindingsError):
        return f"{error.message} {error.advice}".rstrip()
    return {
        Ending.CRASHED: _("Its decoder or the engine crashed on it; the file may be damaged or hostile."),
        Ending.TIMED_OUT: _("It took longer than a page may take, and was given up."),
        Ending.OUT_OF_MEMORY: _("It needs more memory than a page may have."),
        Ending.WORKERS_LOST: _("Worker after worker of the cluster ended while it read it; it was given up."),
        Ending.RAISED: _("It could not be read ({reason}).").format(reason=error.reason),
    }[error.ending]


def _missing(task: PageTask) -> ReadPage:
    width, height, dpi = _MISSING_PAGE
    return ReadPage(Side(PageText(task.number, width, height, dpi, flags=("failed",))), None, task.frame)
