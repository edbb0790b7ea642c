"""The objects of a store as a source of a dataset."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pathspec import GitIgnoreSpec

from repatria.errors import ManifestError, Role
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.source.base import ObjectSource
from repatria.store.base import Reading, Store
from repatria.store.registry import open_store, public_uri

if TYPE_CHECKING:
    from repatria.manifest import Manifest, SourceTable


class Selection:
    """Which objects are asked for, by gitignore patterns: those that `include` names, less those of `exclude`.

    An empty `include` names everything.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        """Compile the patterns; ManifestError names one that is none."""
        self._include = _compiled(include) if include else None
        self._exclude = _compiled(exclude)
        self._prunes = not any(pattern.startswith("!") for pattern in exclude)

    def takes(self, found: Object) -> bool:
        """Tell whether an object is asked for."""
        path = f"{found.path}/" if found.kind is ObjectKind.DIRECTORY else found.path
        if self._include is not None and not self._include.match_file(path):
            return False
        return not self._exclude.match_file(path)

    def enters(self, folder: str) -> bool:
        """Tell whether anything below a folder may be asked for; one that may not even be read can so be left out."""
        return not (self._prunes and self._exclude.match_file(f"{folder}/"))


def _compiled(patterns: Sequence[str]) -> GitIgnoreSpec:
    for pattern in patterns:
        try:
            GitIgnoreSpec.from_lines([pattern])
        except ValueError as error:
            raise ManifestError(
                _("{pattern} is no gitignore pattern.").format(pattern=pattern),
                advice=_("Correct include or exclude in the manifest; see the manual page gitignore(5)."),
            ) from error
    return GitIgnoreSpec.from_lines(patterns)


class StoreSource:
    """The objects of a store that a selection takes; closing it closes the store."""

    def __init__(self, store: Store, uri: str, selection: Selection, *, name: str = "", prefixed: bool = False) -> None:
        self.name = name
        self.public_uri = public_uri(uri)
        self.reads_at_once = store.reads_at_once
        self._store = store
        self._selection = selection
        self._prefix = f"{name}/" if prefixed else ""

    def list(self) -> Iterator[Object]:
        """Yield the selected objects under their paths in the dataset."""
        enters: Callable[[str], bool] = self._selection.enters
        for found in self._store.list(enter=enters):
            if self._selection.takes(found):
                yield replace(found, path=self._prefix + found.path) if self._prefix else found

    def read(self, object: Object, start: int = 0, length: int | None = None) -> Reading:
        """Read from the store, pinned to the version listed (a store that gives none cannot be pinned)."""
        path = object.path.removeprefix(self._prefix)
        reading = self._store.read(path, start, length, version=object.version or None)
        if self._prefix:
            reading.object = replace(reading.object, path=object.path)
        return reading

    def close(self) -> None:
        """End the store's connections."""
        self._store.close()


def open_sources(manifest: "Manifest") -> list[ObjectSource]:
    """Return a manifest's sources in their order; nothing is connected before the first is listed."""
    several = len(manifest.sources) > 1
    return [open_source(table, prefixed=several) for table in manifest.sources]


def open_source(table: "SourceTable", *, prefixed: bool) -> ObjectSource:
    """Return one source; with `prefixed`, its name is the first component of its objects' paths."""
    selection = Selection(table.include, table.exclude)
    store = open_store(table.uri, endpoint=table.endpoint, profile=table.profile, role=Role.SOURCE)
    return StoreSource(store, table.uri, selection, name=table.name, prefixed=prefixed)
