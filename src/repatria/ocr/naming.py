"""What scans are called in an archive: the name of the folder that was given, then the path below it.

One rule for all ways of giving one: `ocr FOLDER`; a manifest, whose `[[source]]` is the folder (the `name` that it has
counts instead); a folder dropped into `inbox`. So two boxes with a `0001.tif` each stay two, and a scan that is given
again, whichever way, takes the place of the earlier one (docs/adr/naming-scans.md).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from posixpath import basename
from urllib.parse import unquote, urlsplit

from repatria.model import Object
from repatria.ocr.intake import ORIGINALS
from repatria.source.base import ObjectSource
from repatria.store.base import Reading


class NamedFolder:
    """A manifest's one source, under the name of its folder: an `ObjectSource`."""

    def __init__(self, source: ObjectSource, folder: str) -> None:
        self.name = source.name
        self.public_uri = source.public_uri
        self.reads_at_once = source.reads_at_once
        self.source = source
        self.folder = folder

    def list(self) -> Iterator[Object]:
        """Yield the objects, the folder's name before their paths."""
        for told in self.source.list():
            yield replace(told, path=f"{self.folder}/{told.path}")

    def read(self, object: Object, start: int = 0, length: int | None = None) -> Reading:
        """Read one of them, as it was listed."""
        path = object.path.removeprefix(f"{self.folder}/")
        reading = self.source.read(replace(object, path=path), start, length)
        return replace(reading, object=replace(reading.object, path=object.path))

    def close(self) -> None:
        """Let go of the source."""
        self.source.close()

    def as_begun(self, is_known: Callable[[str], bool]) -> ObjectSource:
        """Return what gives scans the names that the archive has for them.

        Archives that were begun before this rule have no folder's name before the paths of a manifest's scans, and keep
        it so: the first scan that the archive knows decides.
        """
        for told in self.source.list():
            if is_known(f"{ORIGINALS}{self.folder}/{told.path}"):
                return self
            if is_known(f"{ORIGINALS}{told.path}"):
                return self.source
        return self


def named_by_folders(sources: list[ObjectSource], uris: list[str]) -> list[ObjectSource]:
    """Return a manifest's sources under the names of their folders; of several, each bears its own name already."""
    if len(sources) > 1:
        return sources
    return [NamedFolder(source, source.name or folder_of(uri)) for source, uri in zip(sources, uris, strict=True)]


def folder_of(uri: str) -> str:
    """Return the name of the folder at a URI; at its root, of the bucket or host."""
    place = urlsplit(uri)
    return basename(unquote(place.path).rstrip("/")) or place.hostname or "scans"
