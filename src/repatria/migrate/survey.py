"""What the next copy of a dataset would do: listed and planned, nothing written."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat

from repatria.i18n import _
from repatria.migrate.plan import SMALLEST_CUT, Estimate, Planned, cut, estimate
from repatria.model import Object, ObjectKind
from repatria.progress import SILENT, Progress, Unit
from repatria.source.base import ObjectSource
from repatria.work.arrived import Arrived
from repatria.work.catalogue import Catalogue, Known
from repatria.work.journal import FILE_NAME, Journal
from repatria.work.state import StateFolder
from repatria.work.stop import StopSignal
from repatria.work.unfinished import Unfinished


@dataclass(slots=True)
class Survey:
    """The objects that a copy would take, and those that it would leave."""

    estimate: Estimate = field(default_factory=Estimate)
    unchanged: int = 0
    """Objects that finished bundles hold as they are."""
    arrived: int = 0
    """Objects that the unfinished bundle holds as they are: the copy goes on after them."""
    bytes_arrived: int = 0
    """Of these objects, and of the parts of others."""
    unsettled: int = 0
    """Volumes that count as arrived, and may not have: the copy looks, and sends again what is missing."""
    bytes_unsettled: int = 0
    """Of objects that these hold: at most so many are sent once more."""
    never_copied: int = 0
    """Devices, sockets and pipes."""


@dataclass(frozen=True, slots=True)
class KnownWork:
    """What this machine knows of a dataset, to look things up."""

    catalogue: Catalogue
    unfinished: Unfinished

    def arrived_of(self, told: Object) -> tuple[int, int]:
        """Return how many bytes of an object arrived in parts, and in how many of these."""
        if told.size < SMALLEST_CUT:
            return 0, 0
        part = self.unfinished.parts.of(told.path, self.catalogue.fingerprint(told))
        return (part.end, part.part) if part is not None else (0, 0)


@contextmanager
def known_work(state: StateFolder, dataset_id: str) -> Iterator[KnownWork | None]:
    """Open what is known of a dataset's objects; None if it was never copied from here."""
    folder = state.path / "datasets" / dataset_id
    if not (folder / FILE_NAME).is_file():
        yield None
        return
    journal = Journal(folder, state.key(), read_only=True)
    try:
        catalogue = Catalogue(journal)
        yield KnownWork(catalogue, Unfinished(journal, catalogue))
    finally:
        journal.close()


def survey(
    sources: Sequence[ObjectSource],
    known: KnownWork | None,
    volume_size: int,
    *,
    progress: Progress = SILENT,
    stop: StopSignal | None = None,
) -> Survey:
    """List the sources and plan what is left to copy; StoreError (4) if one cannot be listed."""
    _safe, sent = known.unfinished.standing() if known else (Arrived(), Arrived())
    found = Survey(unsettled=sent.volumes, bytes_unsettled=sent.all_bytes)
    progress.start(_("Listing the source"), None, Unit.OBJECTS)
    slices = cut(_new_objects(sources, known, found, progress, stop or StopSignal()), volume_size)
    found.estimate = estimate(slices, volume_size)
    progress.finish()
    return found


def _new_objects(
    sources: Sequence[ObjectSource],
    known: KnownWork | None,
    found: Survey,
    progress: Progress,
    stop: StopSignal,
) -> Iterator[Planned]:
    number = 0
    for source in sources:
        for told, same in _compared(_counted(source.list(), progress, stop), known):
            if told.kind is ObjectKind.SPECIAL:
                found.never_copied += 1
            elif same is not None and same.finished:
                found.unchanged += 1
            elif same is not None:
                found.arrived += 1
                found.bytes_arrived += same.size
            else:
                number += 1
                done, parts = known.arrived_of(told) if known else (0, 0)
                found.bytes_arrived += done
                yield Planned(told, number, told.path, source.name, done=done, parts=parts)


def _counted(listed: Iterable[Object], progress: Progress, stop: StopSignal) -> Iterator[Object]:
    for told in listed:
        stop.raise_if_requested()
        progress.advance(1)
        yield told


def _compared(listed: Iterable[Object], known: KnownWork | None) -> Iterator[tuple[Object, Known | None]]:
    """Yield each object, with what is known of it if it is unchanged; nothing is if nothing is known."""
    return known.catalogue.compared(listed) if known is not None else zip(listed, repeat(None))
