"""Copying a dataset: list, leave out what is unchanged, cut into volumes, bring these home, finish the bundle."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from repatria.errors import StoppedError, StoreError
from repatria.i18n import _
from repatria.migrate.ahead import Ahead
from repatria.migrate.fetching import Fetcher
from repatria.migrate.filling import Outcome, finding
from repatria.migrate.headway import Halt, Headway, Volumes
from repatria.migrate.line import Line, OpenWay, Way
from repatria.migrate.listing import Listing, Wanted
from repatria.migrate.plan import SMALLEST_CUT, Planned, Slice, cut, volume_count
from repatria.model import Finding, Object, ObjectKind
from repatria.progress import SILENT, Progress
from repatria.progress import Unit as Counted
from repatria.source.base import ObjectSource
from repatria.work.arrived import Arrived
from repatria.work.bundling import BundleRun
from repatria.work.pace import Throttle
from repatria.work.patience import TRANSIENT, Patience
from repatria.work.stop import Reason

LOOK_AHEAD = 100_000
"""Objects that are listed before they are copied: a dataset of fewer has its total known from the start."""
_PAGE = 500
"""Objects looked at, at a time, while there is nothing else to do: S3 lists 1,000 in one reply."""
_FIRST_LOOK = 0.25
"""Seconds that a listing may take before the first bytes are asked for; the rest of it is looked at meanwhile."""
FIRST_CONTACT_SECONDS = 120.0
"""How long a source is waited for that has told of nothing yet: a bad link gets through in that time, a wrong address
is to be told soon."""
_LAST_SECONDS = 5.0
"""How long a stop waits for volumes in flight; what is not at the target then is settled by the next run. The lease is
to be ended after that, over a link that may be thin, within the ten seconds that a shutdown waits."""


@dataclass(slots=True)
class CopyResult:
    """What a copy did."""

    uri: str | None = None
    """Of the bundle it made; None if nothing was new."""
    objects: int = 0
    bytes: int = 0
    volumes: int = 0
    gone: int = 0
    """Objects that were buried."""
    unchanged: int = 0
    before: Arrived = field(default_factory=Arrived)
    """What had arrived in earlier runs of the bundle."""
    bundle: Arrived = field(default_factory=Arrived)
    """All that the bundle holds, `before` included."""
    findings: list[Finding] = field(default_factory=list)
    """Of objects, with `object N` as their subject; and of the target."""


def copy_dataset(  # noqa: PLR0913 -- who paces it, who watches it, who carries it
    run: BundleRun,
    sources: Sequence[ObjectSource],
    *,
    throttle: Throttle | None = None,
    patience: Patience | None = None,
    progress: Progress = SILENT,
    reads: int | None = None,
    glance: Callable[[], None] = lambda: None,
    outlook: Callable[[Halt], str] = lambda _halt: "",
    open_way: OpenWay = Line,
) -> CopyResult:
    """Copy what is new or changed into the bundle of `run`, bury what is gone, and finish it.

    `reads` is how many reads of a source run at once, at most; without, as many as bring more. `glance` is called a few
    times a second, in this thread; `outlook` returns what is said of what comes again, and of the rest, at a stop.
    `open_way` opens what brings the bytes; objects that come to nothing there are tried once more from here.

    Errors: StoreError (4 or 5) if a first contact fails, a source's listing is refused or the target fails;
    StoppedError (8) and InterruptedByUserError (130) once a stop is asked for. After each of them the same call goes
    on where this one ended.
    """
    patience = patience or Patience()
    by_name = {source.name: source for source in sources}
    fetcher = Fetcher(by_name, throttle or Throttle(None, patience.stop.wait), patience, progress, reads)
    copying = _Copying(run, sources, fetcher, progress)
    copying.glance, copying.outlook, copying.open_way = glance, outlook, open_way
    try:
        return copying.to_the_end()
    except StoppedError as error:
        raise copying.told(error) from error
    finally:
        fetcher.close()
        progress.finish()


class _Copying:
    """One copy under way; everything here happens in one thread, bytes flow through others."""

    def __init__(self, run: BundleRun, sources: Sequence[ObjectSource], fetcher: Fetcher, progress: Progress) -> None:
        self._run = run
        self._sources = sources
        self._fetcher = fetcher
        self._patience = fetcher.patience
        self._stop = fetcher.patience.stop
        self._progress = progress
        self._result = CopyResult(before=run.arrived)
        self._listing = self._new_listing()
        self._wanted: Ahead[Wanted] | None = None
        self._headway = Headway()
        self._again: list[Planned] = []
        self._failed: dict[str, Finding] = {}
        self._given_up: set[int] = set()
        self._placed: Slice | None = None
        self._asked = 0
        """Bytes of objects that were put on their way, of which `_result` has those proven."""
        self._volumes = Volumes(run.proven)
        self.glance: Callable[[], None] = lambda: None
        self.outlook: Callable[[Halt], str] = lambda _halt: ""
        self.open_way: OpenWay = Line

    def to_the_end(self) -> CopyResult:
        """Copy, bury, finish."""
        begun, attempt, furthest = time.monotonic(), self._patience.attempt(), 0
        contact = replace(self._patience, seconds=FIRST_CONTACT_SECONDS).attempt()
        while True:
            try:
                self._copy_listed()
                break
            except TRANSIENT as error:  # only a listing's: units wait for their link themselves
                if self._listing.told > furthest:
                    furthest = self._listing.told
                    attempt.succeeded()
                if furthest:  # in this listing or one before it: the source is there
                    attempt.pause(error)
                elif time.monotonic() - begun < FIRST_CONTACT_SECONDS:
                    contact.pause(error)
                else:
                    raise
        self._copy_again()
        result = self._result
        result.unchanged = self._listing.unchanged
        result.gone = self._listing.bury_unseen()
        result.findings = list(self._failed.values())
        self._progress.start(_("Finishing the bundle"), None, Counted.OBJECTS)
        result.before = replace(result.before, in_parts=self._headway.before)
        result.bundle = self._run.arrived
        result.uri = self._run.finish(result.findings)
        result.findings += self._run.findings
        return result

    def told(self, error: StoppedError) -> StoppedError:
        """Return the error of a stop, saying what is safe."""
        sentence = f"{self._stop.why} {self._volumes.sentence(self._run.proven)}".lstrip()
        come = self._result.bytes
        left = self._headway.remainder(come) if self._stop.reason is Reason.WINDOW else None
        halt = Halt(self._asked - come, left)
        sentence = f"{sentence} {self.outlook(halt)}".rstrip()
        return type(error)(sentence, advice=error.advice, public=error.public)

    def _copy_listed(self) -> None:
        """List every source once and copy what is new or changed."""
        self._listing = self._new_listing()
        self._progress.start(_("Listing the source"), None, Counted.OBJECTS)
        self._wanted = wanted = Ahead(self._listing.wanted(), LOOK_AHEAD)
        self._headway = Headway()
        begun = time.monotonic()
        while time.monotonic() - begun < _FIRST_LOOK and wanted.look(_PAGE):
            pass
        self._progress.start(_("Copying"), None, Counted.BYTES)
        if wanted.exhausted:
            self._know_total(wanted)
        self._fill(self._numbered(wanted), self.open_way)

    def _new_listing(self) -> Listing:
        return Listing(self._run, self._sources, self._fetcher, self._note)

    def _look_ahead(self) -> bool:
        """Look a page ahead in the listing; return whether there was one."""
        wanted = self._wanted
        if wanted is None or wanted.exhausted:
            return False
        found = wanted.look(_PAGE)
        if wanted.exhausted:
            self._know_total(wanted)
        return found

    def _know_total(self, wanted: Ahead[Wanted]) -> None:
        """Tell how much there is in all, now that the listing was seen to its end."""
        waiting = wanted.waiting
        self._headway.total = self._headway.placed + sum(each.object.size for each in waiting)
        self._tell_total()
        begun = self._volumes.planned - self._volumes.before
        planned = (Planned(each.object, 0, each.object.path) for each in waiting)
        self._volumes.ahead = begun + volume_count(planned, self._run.volumes.volume_size)

    def _tell_total(self) -> None:
        """Show what this run has to bring: what earlier ones brought was not done at its speed."""
        to_bring = self._headway.to_bring
        if to_bring is not None:
            self._progress.total(to_bring)

    def _numbered(self, wanted: Iterable[Wanted]) -> Iterator[Planned]:
        """Give objects their numbers and member names; those that have begun in parts go on with theirs."""
        for each in wanted:
            self._headway.placed += each.object.size
            yield self._gone_on(each) or self._new(each.object, each.source)

    def _gone_on(self, wanted: Wanted) -> Planned | None:
        told = wanted.object
        if told.size < SMALLEST_CUT:
            return None
        part = self._run.volumes.part_of(told.path, self._run.catalogue.fingerprint(told))
        if part is None:
            return None
        self._headway.before += part.end
        self._tell_total()
        return Planned(told, part.object, part.name, wanted.source, done=part.end, parts=part.part)

    def _new(self, told: Object, source: str, *, again: bool = False) -> Planned:
        number = self._run.next_object_number()
        name = self._run.volumes.member_name(told.path, number, directory=told.kind is ObjectKind.DIRECTORY)
        return Planned(told, number, name, source, again=again)

    def _copy_again(self) -> None:
        """Copy objects that changed, came damaged or did not come once more, as they are now; from this machine."""
        again, self._again = self._again, []
        if again:
            self._fill((each for planned in again if (each := self._as_now(planned)) is not None), Line)

    def _as_now(self, planned: Planned) -> Planned | None:
        try:
            told = self._fetcher.look_again(planned.source, planned.object)
        except StoreError as error:
            self._note(finding(planned, error))
            return None
        self._headway.take_in(told.size)
        self._tell_total()
        listed = planned.object
        same = bool(told.version) and (told.version, told.size) == (listed.version, listed.size)
        return self._new(listed if same else told, planned.source, again=True)

    def _fill(self, planned: Iterator[Planned], open_way: OpenWay) -> None:
        """Cut objects into volumes, and bring these to the target."""
        line = open_way(self._run.volumes, self._fetcher, lambda: self._turn(line))
        try:
            for piece in cut(planned, self._run.volumes.volume_size, self._given_up.__contains__):
                self._volumes.planned += piece.opens
                self._placed = piece
                self._asked += piece.length
                line.place(piece)
            line.end(last=True)
        except TRANSIENT:  # the listing broke off; what was asked for did not
            line.end(last=False)
            self._turn(line)
            self._run.volumes.forget_unsent()
            raise
        except BaseException:
            self._stop.request(Reason.FAILURE)
            raise
        finally:
            line.close(_LAST_SECONDS)
            for outcome in line.outcomes():  # of what was proven to the last, after a stop, too
                self._take(outcome)
        self._turn(line)

    def _turn(self, line: Way) -> bool:
        """Do what falls due while bytes flow; return whether there was anything."""
        outcomes = list(line.outcomes())
        for outcome in outcomes:
            self._take(outcome)
        self.glance()
        self._stop.raise_if_requested()
        if outcomes:
            self._run.publish_if_due()
        return self._look_ahead() or bool(outcomes)

    def _take(self, outcome: Outcome) -> None:
        result = self._result
        result.objects += outcome.objects
        result.bytes += outcome.bytes
        result.volumes += outcome.volumes
        self._again += outcome.again
        for planned in (*outcome.again, *outcome.failed):
            self._leave_out(planned)
        for each in outcome.findings:
            self._note(each)

    def _leave_out(self, planned: Planned) -> None:
        """Reckon no more with an object, and place no more of it: what was told of its size may be wrong."""
        self._given_up.add(planned.number)
        self._headway.leave_out(planned.object.size, planned.done)
        self._tell_total()
        last = self._placed
        if last is not None and last.planned.number == planned.number and self._volumes.ahead is not None:
            self._volumes.ahead -= (planned.length - last.start - last.length) // self._run.volumes.volume_size

    def _note(self, found: Finding) -> None:
        self._failed[found.path or found.subject] = found
