"""One errand at a cluster, seen from the machine that copies: what is left of it, what its worker may do, what it did.

What a worker cannot get, this machine tries itself: so whatever is said of an object is said by the machine that listed
it, and a worker that sees another place than this one costs time, never an object.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from queue import SimpleQueue

from repatria.errors import RefusedError, Role, StoppedError
from repatria.i18n import _
from repatria.migrate.claims import is_as_planned
from repatria.migrate.cluster_unit import bring
from repatria.migrate.errand import Errand, GoOn, MayGoOn, MayPut, News, Put, Site, Stop, WasPut, WhatToBring
from repatria.migrate.etags import Etags
from repatria.migrate.fetching import Fetcher
from repatria.migrate.filling import Outcome
from repatria.migrate.plan import Planned, Slice
from repatria.work.bundle_volumes import BundleVolumes
from repatria.work.cluster import Cluster, WorkersLostError
from repatria.work.cluster_post import AbandonedError
from repatria.work.cluster_talk import Heard, Talk
from repatria.work.parts import ObjectPart
from repatria.work.sending import GoneError, VolumeFacts
from repatria.work.stop import Reason

_TRIES = 3
"""How often an errand is sent whose worker heard nothing more from here, in a row without a volume."""
_IN_VAIN = 32
"""When a worker got not one byte and gave up so many objects, it sees another place than this machine."""


@dataclass(slots=True)
class Shared:
    """What all errands of a copy share; from several threads."""

    volumes: BundleVolumes
    fetcher: Fetcher
    cluster: Cluster
    site: Site
    outcomes: SimpleQueue[Outcome] = field(default_factory=SimpleQueue)
    abandoned: threading.Event = field(default_factory=threading.Event)
    """Set once nobody waits any more for what workers have under way."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _at_work: int = 0
    _fetched: Counter[str] = field(default_factory=Counter)
    """By worker."""
    _given_up: Counter[str] = field(default_factory=Counter)
    _said: str = ""

    def begins(self, change: int) -> None:
        """Count an errand in whose worker reads, or out."""
        with self._lock:
            self._at_work += change

    @property
    def share(self) -> int | None:
        """What one errand may take of the bandwidth, in bits a second."""
        rate = self.fetcher.throttle.bits_per_second
        return None if rate is None else max(1, rate // max(1, self._at_work))

    @property
    def etags(self) -> Etags:
        """What has shown of the sources' ETags so far."""
        with self._lock:
            return self.fetcher.etags.copy()

    def note(self, news: News) -> None:
        """Take in what a worker tells of the link and the sources."""
        self.fetcher.progress.advance(news.fetched)
        with self._lock:
            self._fetched[news.worker] += news.fetched
            self.fetcher.etags.learn(news.etags)
            for sentence in news.said:
                if sentence != self._said:  # each of a worker's errands notices that its link is lost
                    self._said = sentence
                    self.fetcher.progress.say(sentence)

    def given_up(self, planned: Planned, worker: str) -> None:
        """Take in an object that a worker could not get; RefusedError (4) if it gets nothing at all."""
        self.volumes.forget(planned.number)
        with self._lock:
            self._given_up[worker] += 1
            if self._given_up[worker] == 1:
                sentence = _("Not every object comes whole at the Dask worker {worker}; this machine tries those.")
                self.fetcher.progress.say(sentence.format(worker=worker))
            if self._given_up[worker] >= _IN_VAIN and not self._fetched[worker]:
                raise RefusedError(
                    _("The Dask worker {worker} cannot read what this machine lists at the source.").format(
                        worker=worker
                    ),
                    advice=_(
                        "The same URI must lead to the same place from every machine: check the worker's rights,"
                        " endpoint, profile, AWS and SSH configuration."
                    ),
                    role=Role.SOURCE,
                )
        self.outcomes.put(Outcome(again=[planned]))


class Dialogue:
    """One errand; for one thread."""

    def __init__(self, shared: Shared, volumes: Sequence[Sequence[Slice]], last: bool) -> None:
        """Begin nothing yet; `last`: the last of these volumes is the bundle's last."""
        self._shared = shared
        self._bundle = shared.volumes
        self._stop = shared.fetcher.patience.stop
        self._volumes = volumes
        self._last = last
        self._proven = 0
        """How many of the volumes need no more be brought."""
        self._given_up: set[int] = set()
        self._ending: set[int] = set()
        """Numbers of the objects that end in the volume that is being put."""
        self._attempt = ""
        """Whose questions count: the latest attempt's; none before the first."""
        self._pending: Heard | None = None
        """What was heard out of turn: another attempt began."""

    def to_the_end(self) -> None:
        """Have the volumes brought, whatever happens to workers; StoppedError (8) if none can."""
        tries, before = 0, -1
        while self._left():
            self._stop.raise_if_requested()
            tries, before = (tries + 1 if before == self._proven else 1), self._proven
            if tries > _TRIES:
                raise self._ended(_("The workers of the cluster hear nothing from here."))
            try:
                self._talk_over()
            except AbandonedError:
                continue
            except WorkersLostError as error:
                raise self._ended(_("Worker after worker of the cluster ended at the same volumes.")) from error
            except StoppedError as error:
                self._stop.request(Reason.LINK, error)  # unless there is a reason: its own patience was over
                raise

    def _talk_over(self) -> None:
        with self._shared.cluster.talking(bring, self._shared.site, self._raise_if_over) as talk:
            try:
                while (heard := self._heard(talk)) is not None:
                    self._take(talk, heard)
            except BaseException:
                if self._attempt:
                    talk.answer(self._attempt, Stop())  # should it still be at work, it hears that first
                raise
            finally:
                self._shared.begins(-1 if self._attempt else 0)
                self._attempt = ""

    def _raise_if_over(self) -> None:
        """Leave once a stop was asked for; a worker that has begun is waited for as long as anybody waits."""
        if not self._attempt or self._shared.abandoned.is_set():
            self._stop.raise_if_requested()

    def _heard(self, talk: Talk) -> Heard | None:
        heard, self._pending = self._pending, None
        return heard or talk.heard()

    def _take(self, talk: Talk, heard: Heard) -> None:
        match heard.question:
            case WhatToBring():
                self._shared.begins(0 if self._attempt else 1)
                self._attempt = heard.attempt
                talk.answer(heard.attempt, self._errand())
            case _ if heard.attempt != self._attempt:
                talk.answer(heard.attempt, Stop())
            case MayGoOn(news):
                self._note(news)
                talk.answer(heard.attempt, self._go_on())
            case MayPut(news, volume):
                self._note(news)
                if self._stop.requested:
                    talk.answer(heard.attempt, Stop())
                else:
                    self._store(talk, volume, news.worker)

    def _go_on(self) -> GoOn | Stop:
        return Stop() if self._stop.requested else GoOn(self._shared.share)

    def _left(self) -> list[tuple[int, tuple[Slice, ...]]]:
        """Return what is not proven yet, without the objects that were given up."""
        left = [
            (place, tuple(piece for piece in slices if piece.planned.number not in self._given_up))
            for place, slices in enumerate(self._volumes)
            if place >= self._proven
        ]
        return [(place, slices) for place, slices in left if slices]

    def _errand(self) -> Errand:
        left = [] if self._stop.requested else self._left()
        return Errand(tuple(left), tuple(self._parts_before(left)), self._last, self._shared.share, self._shared.etags)

    def _parts_before(self, left: Sequence[tuple[int, Sequence[Slice]]]) -> Iterator[ObjectPart]:
        """Yield how far those objects have come whose first parts are proven."""
        seen = set()
        for piece in (piece for _place, slices in left for piece in slices):
            told, number = piece.planned.object, piece.planned.number
            if piece.start and number not in seen:
                part = self._bundle.part_of(told.path, self._bundle.catalogue.fingerprint(told))
                if part is not None:
                    yield part
            seen.add(number)

    def _note(self, news: News) -> None:
        self._shared.note(news)
        for number in news.given_up:
            planned = self._awaited().get(number)
            if planned is None:
                raise _strange(news.worker)
            self._given_up.add(number)
            self._shared.given_up(planned, news.worker)

    def _awaited(self) -> dict[int, Planned]:
        """Return the objects, by number, that a worker may still give up."""
        pieces = (piece for _place, slices in self._left() for piece in slices)
        return {piece.planned.number: piece.planned for piece in pieces if piece.planned.number not in self._ending}

    def _store(self, talk: Talk, volume: VolumeFacts, worker: str) -> None:
        """Journal a volume that a worker has sealed, have it put, and note it as proven."""
        place, part = volume.row.number, volume.part
        if not self._is_next(place) or not is_as_planned(volume, self._volumes[place], self._given_up):
            raise _strange(worker)
        if part is not None:
            running = self._volumes[place][-1].planned.object
            volume = replace(volume, part=replace(part, fingerprint=self._bundle.catalogue.fingerprint(running)))
        self._ending = {row.number for row in volume.content.objects}
        try:
            self._bundle.send_from_elsewhere(volume, lambda number: self._is_put(talk, number))
        except GoneError:
            return  # what asks next is another attempt
        finally:
            self._ending = set()
        self._proven = place + 1
        size = sum(member.length for member in volume.content.members)
        self._shared.outcomes.put(Outcome(len(volume.content.objects), size, volumes=1))
        talk.answer(self._attempt, self._go_on())

    def _is_next(self, place: int) -> bool:
        """Tell whether a volume comes next: nothing that is left lies before it, only what was given up."""
        return place in range(self._proven, len(self._volumes)) and not any(
            left < place for left, _slices in self._left()
        )

    def _is_put(self, talk: Talk, number: int) -> bool:
        """Have the worker put its volume under a number; return whether the target kept it, GoneError if it is gone."""
        attempt = self._attempt
        talk.answer(attempt, Put(number))
        while True:
            try:
                heard = talk.heard()
            except AbandonedError as error:
                raise GoneError from error
            if heard is None:
                raise GoneError
            match heard.question:
                case WasPut(kept) if heard.attempt == attempt:
                    return kept
                case MayGoOn(news) if heard.attempt == attempt:
                    self._note(news)
                    talk.answer(attempt, self._go_on())
                case WhatToBring():
                    self._pending = heard
                    raise GoneError
                case _:
                    talk.answer(heard.attempt, Stop())

    def _ended(self, reason: str) -> StoppedError:
        error = StoppedError(
            reason,
            advice=_(
                "See to the workers and what they log, their memory above all; then run the same command again. Without"
                " --workers, this machine copies alone."
            ),
        )
        self._stop.request(Reason.LINK, error)
        return self._stop.error()


def _strange(worker: str) -> RefusedError:
    """Return the error of a worker that tells of something else than it was asked for."""
    return RefusedError(
        _(
            "The Dask worker {worker} tells of other objects or volumes than it was to bring. Nothing of that was kept;"
            " what was proven before is safe."
        ).format(worker=worker),
        advice=_("Have that machine examined, and copy without it, or without --workers."),
    )
