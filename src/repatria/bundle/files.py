"""Files of a bundle at the target, fetched by their path within the bundle; their names are no secret."""

from collections.abc import Iterator
from dataclasses import dataclass

from repatria.bundle import layout
from repatria.bundle.errors import AlteredError
from repatria.errors import ChangedError, NotFoundError, UsageError
from repatria.i18n import _
from repatria.store.base import Store
from repatria.store.registry import join, public_uri


@dataclass(frozen=True, slots=True)
class BundleFolder:
    """Where one bundle lies."""

    store: Store
    dataset_id: str
    bundle_id: str

    @property
    def prefix(self) -> str:
        """What every path of the bundle begins with in the store."""
        return f"{self.dataset_id}/{self.bundle_id}/"

    @property
    def uri(self) -> str:
        """The bundle's address, as commands take and print it."""
        return join(public_uri(self.store.uri), self.prefix.rstrip("/"))

    def fetch(self, path: str, limit: int = 64 << 20) -> bytes:
        """Return one small file; AlteredError if it is larger than any right one."""
        data = bytearray()
        for chunk in self.chunks(path):
            data += chunk
            if len(data) > limit:
                raise AlteredError(_("{path} is larger than any right one.").format(path=path))
        return bytes(data)

    def chunks(self, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of one file; NotFoundError and AlteredError name it."""
        try:
            with self.store.read(self.prefix + path, start, length) as reading:
                yield from reading.chunks
        except NotFoundError as error:
            raise NotFoundError(
                _("{path} of the bundle {bundle} is missing.").format(path=path, bundle=self.bundle_id),
                advice=_("Run `repatria verify` on the bundle; restore the file from a second copy of it."),
            ) from error
        except ChangedError as error:
            raise AlteredError(
                _("{path} of the bundle {bundle} is cut short or changes.").format(path=path, bundle=self.bundle_id),
                advice=_("Run `repatria verify` on the bundle; restore the file from a second copy of it."),
            ) from error


@dataclass(frozen=True, slots=True)
class FileRanges:
    """A file of a bundle as random access; `size` is what was signed, not what lies there."""

    folder: BundleFolder
    path: str
    size: int

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`."""
        return b"".join(self.folder.chunks(self.path, offset, length))


def finished_bundles(store: Store, dataset_id: str) -> list[str]:
    """Return the ids of the finished bundles of a dataset, the oldest first."""
    if not layout.DATASET_ID.match(dataset_id):
        raise UsageError(_("{dataset} is not a dataset id.").format(dataset=dataset_id))
    found = []
    for told in store.list(f"{dataset_id}/"):
        _dataset, _slash, rest = told.path.partition("/")
        bundle_id, _slash, path = rest.partition("/")
        if path == layout.TAGMANIFEST and layout.BUNDLE_ID.match(bundle_id):
            found.append(bundle_id)
    return sorted(found)
