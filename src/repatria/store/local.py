"""Folders of this machine: `file://`.

Nothing is reached through a symlink below the root: every folder on the way is opened relative to the one before and
never followed, so that neither a hostile name nor a link laid in between leads outside.
"""

import contextlib
import errno
import os
import secrets
import stat as modes
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from repatria.errors import NotFoundError, Role, StoreError
from repatria.model import Object, ObjectKind
from repatria.store import failures
from repatria.store.base import Buffer, Reading
from repatria.store.local_direct import DIRECT_FROM, write_file
from repatria.store.local_files import (
    FILE,
    NEW_FILE,
    PinnedFile,
    digest_of,
    hold,
    keep,
    keep_unopened,
    link_new,
    no_folder,
    object_of,
    open_folder,
    sweep,
)
from repatria.store.paths import ASIDE, UnholdableNameError, components, folder_of

BATCH = 10_000
"""Names of a folder that are held, and sorted, at a time."""


class LocalStore:
    """The objects under one folder, which the first put makes if need be."""

    reads_at_once = 8

    def __init__(self, root: Path, *, role: Role = Role.TARGET) -> None:
        self.root = root.absolute()
        self.uri = self.root.as_uri()
        self.role = role
        self._swept = False

    def list(self, prefix: str = "", *, enter: Callable[[str], bool] | None = None) -> Iterator[Object]:
        """Yield a folder's objects in order of their names (in batches), then those of the folders in it."""
        start = folder_of(prefix)
        if start and not _holdable(start):
            return
        waiting = [start]
        while waiting:
            below: list[str] = []
            yield from self._scan(waiting.pop(), prefix, below)
            entered = below if enter is None else [path for path in below if enter(path)]
            waiting.extend(sorted(entered, reverse=True))

    def stat(self, path: str) -> Object:
        """Return what is known of one object; a folder, empty or not, is a directory."""
        names = self._names_to_read(path)
        with self._told(path), self._folder(names[:-1]) as folder:
            status = os.stat(names[-1], dir_fd=folder, follow_symlinks=False)
            return object_of(path, status, folder, names[-1])

    def read(self, path: str, start: int = 0, length: int | None = None, *, version: str | None = None) -> Reading:
        """Read a file's bytes, or a symlink's target; a file must be the same from here to its last byte."""
        found = self.stat(path)
        stop = found.size if length is None else start + length
        if found.kind is ObjectKind.SPECIAL:
            raise failures.special(path, self.uri, self.role)
        if version not in {None, found.version} or not start <= stop <= found.size:
            raise failures.changed(path, self.uri, self.role)
        if found.kind is not ObjectKind.FILE:
            return Reading(found, iter([os.fsencode(found.link_target or "")[start:stop]]))
        names = components(path, self.role)
        with self._told(path), self._folder(names[:-1]) as folder:
            file = os.open(names[-1], FILE, dir_fd=folder)
            # At a target the disk itself is asked, not the memory of what was just written there.
            direct = self.role is Role.TARGET and length is None and found.size >= DIRECT_FROM
            span, failed = range(start, stop), partial(self._failed, path)
            return Reading(found, PinnedFile(file, found.version, span, failed, direct=direct))

    def put(
        self,
        path: str,
        data: Iterable[Buffer],
        size: int,
        *,
        like: Object | None = None,
        sha256: bytes | None = None,  # noqa: ARG002 -- nothing is sent along here
    ) -> None:
        """Write aside, flush to the disk, then link into place; a link never replaces what is there."""
        names = components(path, self.role)
        with self._told(path):
            self._make_root()
            self._look(names)
            if like is None or like.kind is ObjectKind.FILE:
                self._put_file(names, data, size, like)
                return
            with self._folder(names[:-1], create=True) as folder:
                _make(names[-1], folder, like)
                os.fsync(folder)

    def replace(self, path: str, data: Iterable[Buffer], size: int, sha256: bytes) -> None:
        """Write aside, flush to the disk, read back, then rename over the file; its rights stay."""
        names = components(path, self.role)
        with self._told(path), self._folder(names[:-1]) as folder:
            old = os.stat(names[-1], dir_fd=folder, follow_symlinks=False)
            if not modes.S_ISREG(old.st_mode):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            like = Object(path, size, mode=modes.S_IMODE(old.st_mode))
            with self._aside() as aside, self._written(aside, data, size, like) as aside_name:
                if digest_of(aside_name, aside) != sha256:
                    raise failures.not_kept(self.uri, self.role)
                os.rename(aside_name, names[-1], src_dir_fd=aside, dst_dir_fd=folder)
                os.fsync(folder)

    def delete(self, path: str) -> None:
        """Remove a file, a symlink or an empty folder."""
        names = components(path, self.role)
        with contextlib.suppress(NotFoundError), self._told(path), self._folder(names[:-1]) as folder:
            status = os.stat(names[-1], dir_fd=folder, follow_symlinks=False)
            remove = os.rmdir if modes.S_ISDIR(status.st_mode) else os.unlink
            remove(names[-1], dir_fd=folder)
            os.fsync(folder)

    def close(self) -> None:
        """Leave no folder aside behind, unless another run has files in it."""
        if self.role is Role.TARGET:
            with contextlib.suppress(OSError):
                (self.root / ASIDE).rmdir()

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failed(path, error) from error

    def _failed(self, path: str, error: OSError | None = None) -> StoreError:
        if error is None:
            return failures.changed(path, self.uri, self.role)
        return failures.of_object(error, path, self.uri, self.role)

    def _names_to_read(self, path: str) -> tuple[str, ...]:
        try:
            return components(path, self.role)
        except UnholdableNameError as error:
            raise failures.not_found(path, self.uri, self.role) from error

    @contextmanager
    def _folder(self, names: Iterable[str], *, create: bool = False) -> Iterator[int]:
        """Open a folder step by step from the root, following no symlink below it."""
        folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in names:
                inner = open_folder(name, folder, create=create)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)

    def _scan(self, folder: str, prefix: str, below: MutableSequence[str]) -> Iterator[Object]:
        """Yield the objects of one folder, itself if it is empty; put the folders in it into `below`."""
        names = folder.split("/") if folder else []
        try:
            with self._told(folder or "."), self._folder(names) as descriptor:
                empty = True
                with os.scandir(descriptor) as entries:
                    while batch := sorted(islice(entries, BATCH), key=lambda entry: entry.name):
                        empty = False
                        yield from _sift(batch, descriptor, folder, prefix, below)
                if empty and folder and folder.startswith(prefix):
                    yield object_of(folder, os.fstat(descriptor), descriptor, ".")
        except NotFoundError as error:
            # A folder that went away meanwhile holds nothing; a source that is not there at all is an error.
            if self.role is Role.SOURCE and not self.root.is_dir():
                raise failures.no_root(self.uri, self.role) from error

    def _make_root(self) -> None:
        """Make the root if need be; a file in its place must not look like an object that is there already."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise failures.no_folder(self.uri, self.role) from error

    def _look(self, names: Sequence[str]) -> None:
        """Raise FileExistsError if the path is taken, before anything is written."""
        try:
            with self._folder(names[:-1]) as folder:
                os.stat(names[-1], dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return
        except NotADirectoryError as error:
            raise no_folder() from error
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _put_file(self, names: Sequence[str], data: Iterable[Buffer], size: int, like: Object | None) -> None:
        with (
            self._aside() as aside,
            self._written(aside, data, size, like) as aside_name,
            self._folder(names[:-1], create=True) as folder,
        ):
            link_new(aside_name, aside, names[-1], folder)
            os.fsync(folder)

    @contextmanager
    def _written(self, aside: int, data: Iterable[Buffer], size: int, like: Object | None) -> Iterator[str]:
        """Write a file aside and flush it to the disk; its name there is gone at the end, whatever became of it."""
        aside_name = secrets.token_hex(16)
        file = os.open(aside_name, NEW_FILE, 0o666, dir_fd=aside)
        try:
            with os.fdopen(file, "wb", buffering=0):
                hold(file)
                written = write_file(file, data, size)
                if written != size:
                    raise ValueError(f"{written} bytes came where {size} were announced")
                if like:
                    keep(file, like)
                os.fsync(file)
                yield aside_name
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside_name, dir_fd=aside)

    @contextmanager
    def _aside(self) -> Iterator[int]:
        """Open the folder aside, making it if need be, and once remove what killed runs left in it."""
        with self._folder([]) as root:
            aside = open_folder(ASIDE, root, create=True)
            try:
                if not self._swept:
                    self._swept = True
                    sweep(aside)
                yield aside
            finally:
                os.close(aside)


def _holdable(path: str) -> bool:
    try:
        components(path)
    except UnholdableNameError:
        return False
    return True


def _sift(
    batch: Iterable["os.DirEntry[str]"], descriptor: int, folder: str, prefix: str, below: MutableSequence[str]
) -> Iterator[Object]:
    """Yield what of a folder's entries are objects under the prefix; put the folders among them into `below`."""
    for entry in batch:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if not path.startswith(prefix) or path == ASIDE:
            continue
        if entry.is_dir(follow_symlinks=False):
            below.append(path)
            continue
        with contextlib.suppress(FileNotFoundError):  # removed since the folder was read
            yield object_of(path, entry.stat(follow_symlinks=False), descriptor, entry.name)


def _make(name: str, folder: int, like: Object) -> None:
    """Make a symlink or a folder."""
    if like.kind is ObjectKind.SYMLINK and like.link_target is not None:
        os.symlink(like.link_target, name, dir_fd=folder)
    elif like.kind is ObjectKind.DIRECTORY:
        os.mkdir(name, dir_fd=folder)
    else:
        raise ValueError(f"nothing of kind {like.kind} can be put")
    keep_unopened(name, folder, like)
