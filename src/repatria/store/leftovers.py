"""What runs that were cut off left in a store where no object is: files aside, uploads in parts that never ended.

A run that writes sweeps its own folder aside; who looks after a store that is written no more asks here. Uploads go on
costing, and keep data, until they are aborted.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from repatria.store import failures
from repatria.store.base import Store
from repatria.store.local import LocalStore
from repatria.store.local_files import FILE, is_left, open_folder
from repatria.store.paths import ASIDE
from repatria.store.s3 import S3Store
from repatria.store.sftp import SftpStore


@dataclass(frozen=True, slots=True)
class Leftover:
    """One of them."""

    path: str
    """Of the file, or the path under which an upload would have become visible."""
    size: int | None = None
    """Bytes; None where the store does not tell (uploads)."""
    begun_ns: int | None = None
    """When it was last written, an upload begun, in nanoseconds since the epoch."""
    upload: str = ""
    """The id of an upload; empty for a file."""


def leftovers_at(store: Store) -> list[Leftover]:
    """Return what lies there and no run holds, as far as the store can tell; StoreError if it may not be listed."""
    if isinstance(store, LocalStore):
        return list(_aside(store))
    if isinstance(store, SftpStore):
        return [Leftover(told.path, told.size, told.mtime_ns) for told in store.aside()]
    if isinstance(store, S3Store):
        files = [Leftover(told.path, told.size, told.mtime_ns) for told in store.list(f"{ASIDE}/")]
        return files + [Leftover(each.path, None, each.begun_ns, each.id) for each in store.uploads()]
    return []


def remove_leftover(store: Store, leftover: Leftover) -> None:
    """Remove one; nothing if it is gone already. RefusedError where this may not be done."""
    if isinstance(store, LocalStore):
        _remove_aside(store, leftover)
    elif isinstance(store, SftpStore):
        store.remove_aside(leftover.path)
    elif isinstance(store, S3Store) and leftover.upload:
        store.abort(leftover.path, leftover.upload)
    elif isinstance(store, S3Store):
        store.delete(leftover.path)


def _aside(store: LocalStore) -> Iterator[Leftover]:
    with _folder_aside(store) as folder:
        if folder is None:
            return
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 -- an open folder, which has no path
            with contextlib.suppress(OSError):
                file = os.open(name, FILE, dir_fd=folder)
                try:
                    status = os.fstat(file)
                    if is_left(file):
                        yield Leftover(f"{ASIDE}/{name}", status.st_size, status.st_mtime_ns)
                finally:
                    os.close(file)


def _remove_aside(store: LocalStore, leftover: Leftover) -> None:
    with _folder_aside(store) as folder, contextlib.suppress(FileNotFoundError):
        try:
            if folder is not None:
                os.unlink(leftover.path.removeprefix(f"{ASIDE}/"), dir_fd=folder)
        except PermissionError as error:
            raise failures.of_object(error, leftover.path, store.uri, store.role) from error


@contextlib.contextmanager
def _folder_aside(store: LocalStore) -> Iterator[int | None]:
    """Open the folder aside, never through a link; None if there is none."""
    folder = None
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            root = os.open(store.root, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, root)
            folder = open_folder(ASIDE, root, create=False)
            stack.callback(os.close, folder)
        yield folder
