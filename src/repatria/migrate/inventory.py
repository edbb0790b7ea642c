"""What a source holds: counted by listing it, recognised in a sample."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from repatria.errors import StoreError
from repatria.i18n import _, ngettext
from repatria.migrate.classify import SAMPLE_SIZE, Recognition, recognise
from repatria.migrate.signs import Sensitivity, worst_of
from repatria.model import Object, ObjectKind
from repatria.progress import SILENT, Progress, Unit
from repatria.source.base import ObjectSource
from repatria.work.stop import StopSignal

SAMPLES_OF_A_SUFFIX = 20
"""How many objects with one suffix are looked into; the others are taken to be what the sampled ones are."""


@dataclass(slots=True)
class Kind:
    """What was recognised, by kind."""

    objects: int = 0
    bytes: int = 0
    sampled: int = 0
    """How many of them were looked into; the others count by their names."""
    sensitivity: Sensitivity = Sensitivity.PUBLIC
    signs: Counter[str] = field(default_factory=Counter)
    shapes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Inventory:
    """One source, counted."""

    source: str
    uri: str
    objects: int = 0
    bytes: int = 0
    largest: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)
    symlinks: int = 0
    empty_folders: int = 0
    never_copied: int = 0
    """Devices, sockets and pipes."""
    strange_names: int = 0
    """Names that are not UTF-8 text."""
    unreadable: int = 0
    """Sampled objects that the source did not give."""

    @property
    def sensitivity(self) -> Sensitivity:
        """The most sensitive of all that was recognised."""
        return worst_of(kind.sensitivity for kind in self.kinds.values())

    def warnings(self) -> Iterator[str]:
        """Yield translated sentences on what a copy will meet; they name no object."""
        if not self.objects:
            yield _("The source lists nothing. Is it mounted, and is the path right?")
        if self.never_copied:
            yield ngettext(
                "{count} device, socket or pipe will not be copied.",
                "{count} devices, sockets or pipes will not be copied.",
                self.never_copied,
            ).format(count=self.never_copied)
        if self.unreadable:
            yield ngettext(
                "{count} object of the sample could not be read. Check the rights at the source.",
                "{count} objects of the sample could not be read. Check the rights at the source.",
                self.unreadable,
            ).format(count=self.unreadable)
        if self.strange_names:
            yield ngettext(
                "{count} name is not UTF-8 text; it is kept as it is.",
                "{count} names are not UTF-8 text; they are kept as they are.",
                self.strange_names,
            ).format(count=self.strange_names)


def take_inventory(
    source: ObjectSource,
    *,
    progress: Progress = SILENT,
    stop: StopSignal | None = None,
    each: Callable[[Object, Recognition | None], None] | None = None,
    names_only: bool = False,
) -> Inventory:
    """List a source and look into a sample; `each` is told of every object, and of what it is if it is a file.

    With `names_only` nothing is read: what an object is, its name alone tells.

    StoreError (4) if the source cannot be listed.
    """
    stop = stop or StopSignal()
    found = Inventory(source.name, source.public_uri)
    look = _by_name if names_only else _Samples(source, found).look
    progress.start(_("Listing the source"), None, Unit.OBJECTS)
    for told in source.list():
        stop.raise_if_requested()
        progress.advance(1)
        found.objects += 1
        found.strange_names += not _is_text(told.path)
        recognised = look(told) if told.kind is ObjectKind.FILE else None
        _count(found, told, recognised)
        if each is not None:
            each(told, recognised)
    progress.finish()
    return found


def _count(found: Inventory, told: Object, recognised: Recognition | None) -> None:
    if recognised is None:
        found.symlinks += told.kind is ObjectKind.SYMLINK
        found.empty_folders += told.kind is ObjectKind.DIRECTORY
        found.never_copied += told.kind is ObjectKind.SPECIAL
        return
    found.bytes += told.size
    found.largest = max(found.largest, told.size)
    kind = found.kinds.setdefault(recognised.kind, Kind())
    kind.objects += 1
    kind.bytes += told.size
    kind.sensitivity = worst_of((kind.sensitivity, recognised.sensitivity))


def _by_name(told: Object) -> Recognition:
    """Return what an object is by its name."""
    return recognise(told.path, b"")


class _Samples:
    """Looks into the first objects of each suffix."""

    def __init__(self, source: ObjectSource, found: Inventory) -> None:
        self._source = source
        self._found = found
        self._looked: Counter[str] = Counter()
        self._usual: dict[str, Recognition] = {}
        """For each suffix, the most sensitive of what its samples are."""

    def look(self, told: Object) -> Recognition:
        """Return what an object is: by its bytes if it is in the sample, else like the sampled ones with its suffix."""
        suffix = _suffix(told.path)
        if self._looked[suffix] >= SAMPLES_OF_A_SUFFIX:
            return self._usual.get(suffix) or recognise(told.path, b"")
        self._looked[suffix] += 1
        recognised = self._recognise(told)
        usual = self._usual.get(suffix)
        if usual is None or worst_of((usual.sensitivity, recognised.sensitivity)) is not usual.sensitivity:
            self._usual[suffix] = recognised
        return recognised

    def _recognise(self, told: Object) -> Recognition:
        try:
            with self._source.read(told, 0, min(SAMPLE_SIZE, told.size)) as reading:
                sample = b"".join(reading.chunks)
        except StoreError:
            self._found.unreadable += 1
            return recognise(told.path, b"")
        recognised = recognise(told.path, sample)
        kind = self._found.kinds.setdefault(recognised.kind, Kind())
        kind.sampled += 1
        kind.signs.update(recognised.signs)
        kind.shapes.update(recognised.shapes)
        return recognised


def _suffix(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower()[:8] if "." in name else ""


def _is_text(path: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in path)
