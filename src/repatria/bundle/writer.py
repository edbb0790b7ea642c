"""Writes the files of one bundle at the target, each of them once.

Every put is idempotent: what is there already with the same bytes is success, with other bytes AlreadyExistsError.
Neither deleting nor overwriting is ever asked of the store.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from repatria.bundle import layout
from repatria.crypt.seal import Sealed
from repatria.errors import AlreadyExistsError, ChangedError, NotFoundError
from repatria.store import failures
from repatria.store.base import Buffer, Store

_PIECE = 4 << 20
"""Bytes handed to the store at a time: it looks between two of them whether the run is to stop."""
_RANGE = 8 << 20
"""Bytes read back at a time: a gateway that hashes whole objects before it gives them out is slow with large ones."""


class BundleWriter:
    """Puts the files of one bundle; safe from several threads."""

    def __init__(self, store: Store, dataset_id: str, bundle_id: str) -> None:
        self._store = store
        self.dataset_id = dataset_id
        self.bundle_id = bundle_id
        self._folder = f"{dataset_id}/{bundle_id}/"

    def put_volume(self, number: int, sealed: Sealed) -> None:
        """Put a volume."""
        self._put(layout.volume_path(number), sealed.data, sealed.sha256)

    def put(self, path: str, data: Buffer) -> None:
        """Put a file at `path` within the bundle."""
        self._put(path, data, hashlib.sha256(data).digest())

    def read_back(self, path: str, sha256: bytes, size: int) -> bool:
        """Return whether the store gives back exactly these bytes; False also if there is nothing."""
        digest, length = hashlib.sha256(), 0
        try:
            for chunk in self._chunks(path, size):
                digest.update(chunk)
                length += len(chunk)
        except (NotFoundError, ChangedError):  # not there, shorter, or replaced meanwhile
            return False
        return length == size and digest.digest() == sha256

    def size_of(self, path: str) -> int | None:
        """Return the size that the store tells of the file at `path` within the bundle; None if there is none."""
        try:
            return self._store.stat(self._folder + path).size
        except NotFoundError:
            return None

    def _chunks(self, path: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of a file, one range read ahead; ChangedError if it has another size."""
        with ThreadPoolExecutor(1, thread_name_prefix="read-back") as hand:
            ahead: Future[list[bytes]] | None = None
            for start in range(0, max(size, 1), _RANGE):
                come, ahead = ahead, hand.submit(self._range, path, start, min(_RANGE, size - start), size)
                if come is not None:
                    yield from come.result()
            if ahead is not None:
                yield from ahead.result()

    def _range(self, path: str, start: int, length: int, size: int) -> list[bytes]:
        with self._store.read(self._folder + path, start, length) as reading:
            if reading.object.size != size:
                raise failures.changed(self._folder + path, self._store.uri, self._store.role)
            return list(reading.chunks)

    def _put(self, path: str, data: Buffer, sha256: bytes) -> None:
        try:
            self._store.put(self._folder + path, _pieces(data), len(data), sha256=sha256)
        except AlreadyExistsError:
            if not self.read_back(path, sha256, len(data)):
                raise


def _pieces(data: Buffer) -> list[memoryview]:
    view = memoryview(data)
    return [view[start : start + _PIECE] for start in range(0, len(view), _PIECE)]
