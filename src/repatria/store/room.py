"""How much room a store has left, where it can tell: folders of this machine, and SFTP servers that know statvfs."""

import contextlib
import shutil

from repatria.errors import StoreError
from repatria.store.base import Store
from repatria.store.local import LocalStore
from repatria.store.sftp import SftpStore


def room_at(store: Store) -> int | None:
    """Return the bytes that this user may still write, None if the store cannot tell; it is never an error."""
    with contextlib.suppress(OSError, StoreError):
        if isinstance(store, LocalStore):
            there = next(folder for folder in (store.root, *store.root.parents) if folder.is_dir())
            return shutil.disk_usage(there).free
        if isinstance(store, SftpStore):
            return store.room()
    return None
