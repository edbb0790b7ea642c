"""What the next copy of a dataset would do: listed and planned, nothing written."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat

from repatria.i18n import _
from repatria.migrate.plan import Estimate, Planned, cut, estimate
from repatria.model import Object, ObjectKind
from repatria.progress import SILENT, Progress, Unit
from repatria.source.base import ObjectSource
from repatria.work.catalogue import Catalogue
from repatria.work.journal import FILE_NAME, Journal
from repatria.work.state import StateFolder
from repatria.work.stop import StopSignal


@dataclass(slots=True)
class Survey:
    """The objects that a copy would take, and those that it would leave."""

    estimate: Estimate = field(default_factory=Estimate)
    unchanged: int = 0
    never_copied: int = 0
    """Devices, sockets and pipes."""


@contextmanager
def known_catalogue(state: StateFolder, dataset_id: str) -> Iterator[Catalogue | None]:
    """Open what is known of a dataset's objects, to look things up; None if it was never copied from here."""
    folder = state.path / "datasets" / dataset_id
    if not (folder / FILE_NAME).is_file():
        yield None
        return
    journal = Journal(folder, state.key(), read_only=True)
    try:
        yield Catalogue(journal)
    finally:
        journal.close()


def survey(
    sources: Sequence[ObjectSource],
    catalogue: Catalogue | None,
    volume_size: int,
    *,
    progress: Progress = SILENT,
    stop: StopSignal | None = None,
) -> Survey:
    """List the sources and plan what is new or changed; StoreError (4) if one cannot be listed."""
    found = Survey()
    progress.start(_("Listing the source"), None, Unit.OBJECTS)
    slices = cut(_new_objects(sources, catalogue, found, progress, stop or StopSignal()), volume_size)
    found.estimate = estimate(slices, volume_size)
    progress.finish()
    return found


def _new_objects(
    sources: Sequence[ObjectSource],
    catalogue: Catalogue | None,
    found: Survey,
    progress: Progress,
    stop: StopSignal,
) -> Iterator[Planned]:
    number = 0
    for source in sources:
        for told, same in _compared(_counted(source.list(), progress, stop), catalogue):
            if told.kind is ObjectKind.SPECIAL:
                found.never_copied += 1
            elif same:
                found.unchanged += 1
            else:
                number += 1
                yield Planned(told, number, told.path, source.name)


def _counted(listed: Iterable[Object], progress: Progress, stop: StopSignal) -> Iterator[Object]:
    for told in listed:
        stop.raise_if_requested()
        progress.advance(1)
        yield told


def _compared(listed: Iterable[Object], catalogue: Catalogue | None) -> Iterator[tuple[Object, bool]]:
    """Yield each object, and whether it is unchanged since the last bundle; none is if nothing is known."""
    return catalogue.compared(listed) if catalogue is not None else zip(listed, repeat(False))
