"""How a dataset stands, as far as this machine's state folder knows: without any key, without asking the target."""

from dataclasses import dataclass

from repatria.work.catalogue import Catalogue
from repatria.work.journal import FILE_NAME, Journal
from repatria.work.lock import Holder, lock_holder
from repatria.work.state import StateFolder
from repatria.work.unfinished import Unfinished, VolumeState


@dataclass(frozen=True, slots=True)
class UnfinishedWork:
    """A bundle that was begun and is not finished."""

    bundle: str
    started: str
    """RFC 3339."""
    proven: int
    """Volumes that are safe at the target."""
    bytes: int
    """Of their payload."""
    sent: int
    """Volumes that may be at the target; the next run finds out."""


@dataclass(frozen=True, slots=True)
class DatasetStanding:
    """What is known of a dataset here."""

    dataset: str
    bundle: str | None = None
    """The last finished bundle; None if there is none."""
    uri: str | None = None
    finished: str | None = None
    """When it was finished: RFC 3339, UTC."""
    objects: int = 0
    bytes: int = 0
    unfinished: UnfinishedWork | None = None
    holder: Holder | None = None
    """Who works on it at this moment."""


def standing_of(state: StateFolder, dataset_id: str) -> DatasetStanding:
    """Return how a dataset stands; one that was never worked on from here stands at nothing."""
    holder = lock_holder(state, dataset_id)
    folder = state.path / "datasets" / dataset_id
    if not (folder / FILE_NAME).is_file():
        return DatasetStanding(dataset_id, holder=holder)
    journal = Journal(folder, state.key(), read_only=True)
    try:
        return DatasetStanding(
            dataset=dataset_id,
            bundle=journal.fact("head_bundle"),
            uri=journal.fact("head_uri"),
            finished=journal.fact("head_finished"),
            objects=int(journal.fact("head_objects") or 0),
            bytes=int(journal.fact("head_bytes") or 0),
            unfinished=_unfinished(journal),
            holder=holder,
        )
    finally:
        journal.close()


def _unfinished(journal: Journal) -> UnfinishedWork | None:
    unfinished = Unfinished(journal, Catalogue(journal))
    beginning = unfinished.beginning()
    if beginning is None:
        return None
    return UnfinishedWork(
        bundle=beginning.bundle,
        started=beginning.started,
        proven=unfinished.count(VolumeState.PROVEN),
        bytes=unfinished.bytes_proven(),
        sent=unfinished.count(VolumeState.SENT),
    )
