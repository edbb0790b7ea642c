"""One listing of all sources, and what of it a copy is to bring: objects that are new or changed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from repatria.i18n import _
from repatria.migrate.fetching import Fetcher
from repatria.model import Finding, FindingKind, Object, ObjectKind
from repatria.source.base import ObjectSource
from repatria.work.bundling import BundleRun

LISTED_BYTES = 256
"""What the link carries for an object in a listing beside its path, roughly."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object that is new or changed."""

    source: str
    object: Object


class Listing:
    """Lists every source once; for one thread."""

    def __init__(
        self, run: BundleRun, sources: Sequence[ObjectSource], fetcher: Fetcher, note: Callable[[Finding], None]
    ) -> None:
        """Begin a listing; `note` is told of objects that are never copied."""
        self._run = run
        self._sources = sources
        self._fetcher = fetcher
        self._note = note
        self._listed = {source.name: 0 for source in sources}
        self.unchanged = 0
        """Objects that were listed by now and are in the chain as they are."""

    @property
    def told(self) -> int:
        """How many objects were listed by now."""
        return sum(self._listed.values())

    def wanted(self) -> Iterator[Wanted]:
        """Yield the objects that are new or changed, in the order of the sources."""
        catalogue = self._run.catalogue
        catalogue.begin_listing()
        for source in self._sources:
            for told, same in catalogue.compared(self._counted(source)):
                if told.kind is ObjectKind.SPECIAL:
                    self._note(_special(told, self._run.next_object_number()))
                elif same:
                    self.unchanged += 1
                else:
                    yield Wanted(source.name, told)

    def bury_unseen(self) -> int:
        """Write tombstones for what the listing, now complete, did not tell of; return how many."""
        for source in self._sources:
            self._run.catalogue.require_listed(source.name, self._listed[source.name])
        return self._run.bury_all(self._run.catalogue.unseen())

    def _counted(self, source: ObjectSource) -> Iterator[Object]:
        for told in source.list():
            self._fetcher.patience.stop.raise_if_requested()
            self._fetcher.throttle.count(LISTED_BYTES + len(told.path))
            self._listed[source.name] += 1
            yield told


def _special(told: Object, number: int) -> Finding:
    detail = _("A device, socket or pipe is never copied. Exclude it in the manifest, or remove it.")
    return Finding(FindingKind.FAILED, f"object {number}", detail, path=told.path)
