"""Watching a shared folder: scans become bundles as they come, day after day, until someone says stop.

A round is one bundle: it begins with the first whole scan, takes what comes, and closes after so many pages or once
nothing has come for a while. Only when the bundle was read back from the target and is what was signed do its scans
leave `inbox`. A run that is killed leaves them there; the next one knows them by their bytes.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

from repatria.errors import FindingsError, UnreachableError
from repatria.i18n import _, speaker
from repatria.model import Object
from repatria.ocr.arrivals import DEFAULT_SETTLE, Arrivals
from repatria.ocr.batch import Taken, Wishes, Work
from repatria.ocr.bordereau import Bordereau
from repatria.ocr.digitise import Desk, DigitiseResult, OpenedBatch, finish, open_batch
from repatria.ocr.intake import Scan, shelves
from repatria.ocr.page_journal import PageJournal
from repatria.ocr.problem_note import copy_note, problem_note
from repatria.ocr.reading import Trouble
from repatria.ocr.share import Share
from repatria.progress import SILENT, Progress
from repatria.work.bundling import BundleRun
from repatria.work.patience import Patience
from repatria.work.state import write_whole

_T = TypeVar("_T")

DEFAULT_PAGES = 500
DEFAULT_IDLE = 15 * 60.0
VERIFIED_FILE = "watch.verified"
"""In the dataset's state folder: the last bundle that was verified before its scans were put away."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When bundles close."""

    pages: int = DEFAULT_PAGES
    """After so many pages."""
    idle: float = DEFAULT_IDLE
    """Or once nothing has come for so many seconds."""
    settle: float = DEFAULT_SETTLE
    """Seconds for which a file must not change before it is taken for whole."""
    glance: float = 1.0
    """Seconds between two looks at the inbox."""


@dataclass(slots=True)
class Round:
    """What one bundle of a watch amounts to."""

    result: DigitiseResult
    done: int = 0
    """Scans moved to `done`."""
    problems: int = 0
    """Scans moved to `problems`."""
    seconds: float = 0.0
    """In which scans were read: not those in which none was there."""


@dataclass(slots=True)
class Watch:
    """One archive that is fed by one shared folder; `run` may be called once, under the dataset's lock."""

    share: Share
    desk: Desk
    rhythm: Rhythm
    open_run: Callable[[], AbstractContextManager[BundleRun]]
    """Opens the dataset's bundle in the making."""
    wishes: Callable[[], Wishes]
    """How scans are to be read, asked for anew for each bundle."""
    is_intact: Callable[[str], bool]
    """Tells of a finished bundle, by its URI, whether the target still holds what was signed."""
    patience: Patience
    lease: Callable[[], AbstractContextManager[object]] = nullcontext
    """Makes this the only watch of the share on all machines."""
    progress: Progress = SILENT
    _arrivals: Arrivals = field(init=False)
    _handled: dict[str, str] = field(default_factory=dict)
    """Scans of this round, by path, with the version that was seen."""
    _archived: list[Taken] = field(default_factory=list)
    """Those of them that wait for their bundle."""
    _under_way: set[str] = field(default_factory=set)
    """Those of them that are being read."""
    _problems: int = 0
    _reading: float = 0.0
    """Seconds in which scans were read in this round."""
    _since: float = 0.0
    """When the first of those that are being read was begun."""
    _bordereau: Bordereau | None = None
    """What describes the scans of this round."""

    def __post_init__(self) -> None:
        """Look at the inbox through one memory, from bundle to bundle."""
        self._arrivals = Arrivals(self.share.source(), self.rhythm.settle)

    def run(self) -> Iterator[Round]:
        """Yield a round after each bundle; never ends but by an error, StoppedError (8) among them.

        The first round begins at once, so that what an earlier run left in the middle comes to its end.
        """
        if _text_of(self.desk.folder / VERIFIED_FILE):
            self._seen(self._require_share)
        self.share.prepare()
        with self.lease(), self.share.held():
            while True:
                finished = self._round()
                if finished is not None:
                    yield finished
                self._await_scans()

    def _require_share(self) -> None:
        """Refuse to make folders in a place that is not mounted; once there was a bundle, they are there."""
        if not self.share.is_known_to_be():
            self._arrivals.whole()  # says so

    def _await_scans(self) -> None:
        """Wait, with nothing open, until a scan is whole, or the bordereau says something else."""
        while not self._whole() and self.wishes().bordereau is self._bordereau:
            self.patience.stop.wait(self.rhythm.glance)

    def _whole(self) -> list[Scan]:
        """Return the scans that are whole."""
        return self._seen(self._arrivals.whole)

    def _seen(self, look: Callable[[], _T]) -> _T:
        """Return what a look at the share, or a move in it, gives; one that is gone is told of, and waited for."""
        try:
            return look()
        except UnreachableError as error:
            self.progress.say(f"{error.message} {error.advice}")
            return self.patience.insist(look)

    def _round(self) -> Round | None:
        """Make one bundle; None if nothing came of it."""
        self._handled, self._archived, self._under_way, self._problems, self._reading = {}, [], set(), 0, 0.0
        wishes = self.wishes()
        self._bordereau = wishes.bordereau
        with self.open_run() as run, self.desk.journal() as journal:
            self._require_intact(run.latest_uri)

            def take(taken: Taken) -> None:
                self._take(taken, journal)

            with open_batch(
                run, wishes, self.desk, journal, self.patience, progress=self.progress, taken=take
            ) as opened:
                opened.counted.start(0)
                opened.batch.digitise(self._works(run, opened))
            result = finish(run, opened, self.progress)
            self._require_intact(run.latest_uri)
            done = self._put_away(journal)
            if self._seen(self._arrivals.is_empty):
                journal.forget_all()
        found = result.uri or done or self._problems or result.findings
        return Round(result, done, self._problems, self._reading) if found else None

    def _works(self, run: BundleRun, opened: OpenedBatch) -> Iterator[Work | None]:
        """Yield scans as they become whole, None while there are none, until the bundle is to be closed."""
        waited, read = 0.0, 0
        names: set[str] = set()
        while not self._is_full(opened):
            fresh = [scan for scan in self._whole() if self._handled.get(scan.path) != scan.object.version]
            if any(scan.path in self._handled for scan in fresh):
                return  # dropped again before its bundle closed: the new one goes into the next
            placed = shelves(fresh, lambda path: path in names or run.known(path) is not None)
            for scan in fresh:
                self._handled[scan.path] = scan.object.version
                names.update((placed[scan.path].original, *placed[scan.path].derived))
                work = Work(scan, placed[scan.path])
                if opened.batch.is_to_read(work):
                    read += 1
                    self._since = self._since if self._under_way else time.monotonic()
                    self._under_way.add(scan.path)
                    opened.counted.came()
                    yield work
                if self._is_full(opened):
                    return
            waited = 0.0 if fresh else waited + self.rhythm.glance
            nothing_to_close = not (read or run.proven or opened.keeper.fresh)
            if not fresh and (waited >= self.rhythm.idle or nothing_to_close):
                return
            yield None
            self.patience.stop.wait(self.rhythm.glance)

    def _is_full(self, opened: OpenedBatch) -> bool:
        """Tell whether the bundle has its pages; a scan that is being read has one at the least."""
        return opened.batch.counts.pages + len(self._under_way) >= self.rhythm.pages

    def _take(self, taken: Taken, journal: PageJournal) -> None:
        """Note what became of a scan; one that cannot be read at all goes to `problems` at once."""
        mark = _mark(taken.scan.object)
        if self._under_way == {taken.scan.path}:
            self._reading += time.monotonic() - self._since
        self._under_way.discard(taken.scan.path)
        if not taken.was_read:  # it changed, or went: what is there now is looked at anew
            self._handled.pop(taken.scan.path, None)
        elif taken.is_archived:
            pages = [(trouble.detail, trouble.page) for trouble in taken.troubles if trouble.page is not None]
            if pages:  # what is wrong with the whole was told; no rescan would mend it
                journal.set_troubles(mark, pages)
            self._archived.append(taken)
        else:
            self._set_aside(taken.scan, taken.troubles)

    def _put_away(self, journal: PageJournal) -> int:
        """Move the scans whose bundle was verified; return how many went to `done`."""
        done = 0
        for taken in self._archived:
            told = journal.troubles(_mark(taken.scan.object))
            troubles = tuple(Trouble(detail, page) for detail, page in told)
            if troubles:
                self._set_aside(taken.scan, troubles)
            else:
                self._resolve(taken.scan)
                told_of = taken.scan.object
                note = copy_note(_name_of(taken.scan), self.share.twin_of(told_of)) if taken.is_copy else b""
                done += self._seen(partial(self.share.finish, taken.scan.object, note)) is not None
        return done

    def _set_aside(self, scan: Scan, troubles: tuple[Trouble, ...]) -> None:
        self._resolve(scan)
        note = problem_note(_name_of(scan), troubles)
        self._problems += self._seen(partial(self.share.set_aside, scan.object, note)) is not None

    def _resolve(self, scan: Scan) -> None:
        """Take an earlier bad scan of this name out of `problems`: this one takes its place."""
        _ = speaker("fr")  # who looks into the folder
        suffix = f" ({_('replaced {day}').format(day=date.today().isoformat())})"
        self._seen(partial(self.share.resolve, scan.path, suffix))

    def _require_intact(self, uri: str | None) -> None:
        """Verify the archive's last bundle, once; FindingsError if it is not what was signed."""
        file = self.desk.folder / VERIFIED_FILE
        if uri is None or _text_of(file) == uri:
            return
        if not self.is_intact(uri):
            raise FindingsError(
                _("The bundle {bundle} is not what was written. Its scans stay in inbox.").format(
                    bundle=uri.rsplit("/", 1)[-1]
                ),
                advice=_("Look at the disk of the target; `repatria verify` says what is wrong. Then start again."),
            )
        write_whole(file, uri.encode())


def _mark(told: Object) -> bytes:
    """Return what names a scan as it is: dropped anew, it is another."""
    return f"{told.path}\x00{told.version}".encode("utf-8", "surrogateescape")


def _name_of(scan: Scan) -> str:
    return scan.path.rpartition("/")[2]


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
