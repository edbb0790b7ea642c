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


@dataclass(frozen=True, slots=True)
class Bundles:
    """Which bundles of a dataset lie at a target, the oldest first."""

    finished: list[str]
    unfinished: list[str]
    is_being_rewrapped: bool
    """Their recipients are being changed, and that has not come to its end."""


def list_bundles(store: Store, dataset_id: str) -> Bundles:
    """List a dataset's folder."""
    if not layout.DATASET_ID.match(dataset_id):
        raise UsageError(_("{dataset} is not a dataset id.").format(dataset=dataset_id))
    finished: set[str] = set()
    begun: set[str] = set()
    is_being_rewrapped = False
    for told in store.list(f"{dataset_id}/"):
        _dataset, _slash, rest = told.path.partition("/")
        bundle_id, slash, path = rest.partition("/")
        is_being_rewrapped |= rest == layout.signature_path(layout.REWRAP)
        if slash and layout.BUNDLE_ID.match(bundle_id):
            begun.add(bundle_id)
            if path == layout.TAGMANIFEST:
                finished.add(bundle_id)
    return Bundles(sorted(finished), sorted(begun - finished), is_being_rewrapped)
