"""Folders that are left when their last object is gone, in stores that have folders."""

from contextlib import suppress

from repatria.errors import StoreError
from repatria.model import ObjectKind
from repatria.store.base import Store


def remove_empty(store: Store, folder: str) -> None:
    """Remove a folder, and those in it, as far as nothing is in them; where that may not be done, they stay."""
    with suppress(StoreError):
        while empty := [told for told in store.list(folder) if _is_empty_folder(told.path, told.kind, folder)]:
            for told in empty:
                store.delete(told.path)


def _is_empty_folder(path: str, kind: ObjectKind, folder: str) -> bool:
    """Return whether something that a listing told of is an empty folder, that one or one below it."""
    return kind is ObjectKind.DIRECTORY and f"{path}/".startswith(f"{folder}/")
