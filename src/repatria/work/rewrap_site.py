"""Where a change of recipients works: the files of one dataset at its target, with patience for the link."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from repatria.bundle import layout
from repatria.bundle.errors import AlteredError
from repatria.errors import AlreadyExistsError, FindingsError, NotFoundError, RefusedError
from repatria.i18n import _
from repatria.model import Finding, Object, ObjectKind
from repatria.store.base import Buffer, Store
from repatria.work.patience import Patience

_PIECE = 1 << 20


class FoundError(FindingsError):
    """Files are not what was signed: they get no new digest, and nothing more of their bundle is replaced."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        super().__init__(
            _("Files of the dataset are not what was signed. Who can open it was not changed any further."),
            advice=_("Bring what is named back from a second copy, then run the same command again."),
        )
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True)
class RewrapSite:
    """The files of a dataset at its target; paths are under the dataset's folder."""

    store: Store
    dataset_id: str
    patience: Patience

    def read(self, path: str, limit: int | None = None) -> bytearray:
        """Return a whole file, or a little more than `limit` bytes of a larger one."""

        def read_once() -> bytearray:
            data = bytearray()
            with self.store.read(self._full(path)) as reading:
                for chunk in reading.chunks:
                    data += chunk
                    if limit is not None and len(data) > limit:
                        break
            return data

        return self.patience.insist(read_once)

    def put(self, path: str, data: bytes) -> None:
        """Put a new file and read it back; the same bytes may be there already."""
        try:
            self.patience.insist(lambda: self.store.put(self._full(path), pieces(data), len(data)))
        except AlreadyExistsError as error:
            if self.read(path, len(data)) != data:
                raise AlteredError(
                    _("{path} of {dataset} is there already, with other bytes.").format(
                        path=path, dataset=self.dataset_id
                    ),
                    advice=_("Find out who wrote it; run `repatria verify`. Nothing of it was replaced."),
                ) from error
            return
        if self.read(path, len(data)) != data:
            raise RefusedError(
                _("The target holds other bytes for {path} than were put there. Nothing was replaced.").format(
                    path=path
                ),
                advice=_("Have the target's disks and memory checked, then run the same command again."),
            )

    def replace(self, path: str, data: Iterable[Buffer], size: int, digest: bytes) -> None:
        """Put other bytes in the place of a file; `data` may be read several times."""
        self.patience.insist(lambda: self.store.replace(self._full(path), data, size, digest))

    def install(self, path: str, data: bytes) -> None:
        """Put a file, in the place of an earlier one if there is one."""
        try:
            self.replace(path, pieces(data), len(data), sha256(data).digest())
        except NotFoundError:
            self.put(path, data)

    def remove(self, path: str) -> None:
        """Remove a file that lay aside."""
        self.patience.insist(lambda: self.store.delete(self._full(path)))

    def aside(self, bundle_id: str) -> list[str]:
        """Return what lies aside for a bundle, under its folder there."""
        folder = aside_folder(bundle_id)
        return [path.removeprefix(folder) for path in self._files(folder)]

    def all_aside(self) -> list[str]:
        """Return every file that a change of recipients has laid aside."""
        return list(self._files(layout.REWRAP_FOLDER))

    def remove_empty_folders(self) -> None:
        """Leave no folder behind that a change of recipients has made, where a store has folders."""
        while folders := [told.path for told in self._listed(layout.RECORDS) if told.kind is ObjectKind.DIRECTORY]:
            for path in folders:
                self.patience.insist(partial(self.store.delete, path))

    def _files(self, prefix: str) -> Iterator[str]:
        before = f"{self.dataset_id}/"
        listed = self._listed(prefix)
        return (told.path.removeprefix(before) for told in listed if told.kind is not ObjectKind.DIRECTORY)

    def _listed(self, prefix: str) -> list[Object]:
        return self.patience.insist(lambda: list(self.store.list(self._full(prefix))))

    def _full(self, path: str) -> str:
        return f"{self.dataset_id}/{path}"


def aside_folder(bundle_id: str) -> str:
    """Return where a bundle's files lie aside, under the dataset's folder."""
    return f"{layout.REWRAP_FOLDER}{bundle_id}/"


def pieces(*parts: Buffer) -> list[memoryview]:
    """Return bytes in pieces between which a stop is heeded."""
    views = [memoryview(part) for part in parts]
    return [view[start : start + _PIECE] for view in views for start in range(0, len(view), _PIECE)]
