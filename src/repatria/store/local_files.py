"""Files and folders of this machine by descriptor: opened step by step, never through a symlink."""

import contextlib
import errno
import fcntl
import hashlib
import os
import stat as modes
import time
from collections.abc import Callable, Iterator
from functools import lru_cache

from repatria.errors import StoreError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.store.local_direct import Blocks, is_aligned, set_direct

CHUNK = 256 << 10
"""Bytes given out at a time: few enough for a processor's cache, and for memory that is at hand."""
UNTOUCHED = 60.0
"""Seconds since its last byte after which a file aside that nobody holds locked was left by a killed run."""
STALE_AFTER = 24 * 3600.0
"""The same where it cannot be known whether a file is locked."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class PinnedFile:
    """Some bytes of an open file, which must be of one version from here to the last of them.

    `failed` makes the error to raise: of an OSError, or without one because the file changed. `direct`: from the disk,
    past the system's cache.
    """

    def __init__(
        self,
        file: int,
        version: str,
        span: range,
        failed: Callable[[OSError | None], StoreError],
        *,
        direct: bool = False,
    ) -> None:
        self._file = file
        self._version = version
        self._at = span.start
        self._stop = span.stop
        self._failed = failed
        self._blocks: Blocks | None = None
        self._check()
        self._blocks = Blocks(file) if direct and is_aligned(span.start) and set_direct(file, True) else None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._file < 0:
            raise StopIteration
        if self._at == self._stop:
            self._check()
            self.close()
            raise StopIteration
        try:
            chunk = self._chunk(min(CHUNK, self._stop - self._at))
        except OSError as error:
            raise self._failed(error) from error
        if not chunk:
            raise self._failed(None)
        self._at += len(chunk)
        return chunk

    def _chunk(self, most: int) -> bytes:
        if self._blocks is None:
            return os.pread(self._file, most, self._at)
        return self._blocks.read(self._at, most)

    def close(self) -> None:
        """Close the file, read to the end or not."""
        if self._file >= 0:
            if self._blocks is not None:
                self._blocks.close()
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        self.close()

    def _check(self) -> None:
        status = os.fstat(self._file)
        if not modes.S_ISREG(status.st_mode) or version_of(status) != self._version:
            raise self._failed(None)


def open_folder(name: str, parent: int, *, create: bool) -> int:
    """Open one folder in another, made if it is missing and `create`; a symlink is no folder."""
    if not create:
        return os.open(name, FOLDER, dir_fd=parent)
    try:
        with contextlib.suppress(FileNotFoundError):
            return os.open(name, FOLDER, dir_fd=parent)
        with contextlib.suppress(FileExistsError):  # made by another, just now: a folder, or not
            os.mkdir(name, dir_fd=parent)
            os.fsync(parent)
        return os.open(name, FOLDER, dir_fd=parent)
    except NotADirectoryError as error:
        raise no_folder() from error


def no_folder() -> OSError:
    """Return the error for a path that leads through a file or a symlink."""
    return OSError(errno.ELOOP, _("a file or a link stands where it needs a folder"))


def exists(name: str, folder: int) -> bool:
    """Tell whether a folder has an entry of this name, a dangling symlink included."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def link_new(aside_name: str, aside: int, name: str, folder: int) -> None:
    """Give the finished file its name without ever replacing another."""
    try:
        os.link(aside_name, name, src_dir_fd=aside, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # FAT and some network file systems have no hard links: look, then rename; the dataset's lock keeps others out.
        if exists(name, folder):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        os.rename(aside_name, name, src_dir_fd=aside, dst_dir_fd=folder)


def digest_of(name: str, folder: int) -> bytes:
    """Return the SHA-256 of a file in an open folder."""
    with os.fdopen(os.open(name, FILE, dir_fd=folder), "rb", buffering=0) as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def keep(file: int, like: Object) -> None:
    """Give an open file the mode and time of another object."""
    if like.mode is not None:
        os.fchmod(file, like.mode)
    if like.mtime_ns is not None:
        os.utime(file, ns=(like.mtime_ns, like.mtime_ns))


def keep_unopened(name: str, folder: int, like: Object) -> None:
    """Give a folder the mode and time of another object, a symlink only the time."""
    if like.kind is ObjectKind.DIRECTORY:
        inner = os.open(name, FOLDER, dir_fd=folder)
        try:
            keep(inner, like)
        finally:
            os.close(inner)
    elif like.mtime_ns is not None:
        os.utime(name, ns=(like.mtime_ns, like.mtime_ns), dir_fd=folder, follow_symlinks=False)


def hold(file: int) -> None:
    """Lock a file aside for as long as it is open, where the file system can, so that no other run sweeps it away."""
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep(aside: int) -> None:
    """Remove the files that killed runs left aside: they may be in clear."""
    for name in os.listdir(aside):
        with contextlib.suppress(OSError):
            file = os.open(name, FILE, dir_fd=aside)
            try:
                if is_left(file):
                    os.unlink(name, dir_fd=aside)
            finally:
                os.close(file)


def is_left(file: int) -> bool:
    """Return whether nobody writes to a file aside any more."""
    age = time.time() - os.fstat(file).st_mtime
    if age < UNTOUCHED:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return age > STALE_AFTER
    return True


def version_of(status: os.stat_result) -> str:
    """Return what changes with the bytes: size and mtime in nanoseconds.

    Inode and ctime are left out on purpose: network file systems renumber inodes, and backups that hard-link change
    every ctime each night; either would send a whole dataset again over a thin link.
    """
    return f"{status.st_size}-{status.st_mtime_ns}"


def object_of(path: str, status: os.stat_result, folder: int, name: str) -> Object:
    """Return the object that an entry of an open folder is."""
    kind = kind_of(status.st_mode)
    target = os.readlink(name, dir_fd=folder) if kind is ObjectKind.SYMLINK else None
    return Object(
        path=path,
        size=status.st_size if kind is ObjectKind.FILE else len(os.fsencode(target or "")),
        mtime_ns=status.st_mtime_ns,
        version=version_of(status),
        kind=kind,
        mode=modes.S_IMODE(status.st_mode),
        owner=_user(status.st_uid),
        group=_group(status.st_gid),
        link_target=target,
    )


def kind_of(mode: int) -> ObjectKind:
    """Return the kind of object that the type bits of a mode tell."""
    if modes.S_ISREG(mode):
        return ObjectKind.FILE
    if modes.S_ISLNK(mode):
        return ObjectKind.SYMLINK
    if modes.S_ISDIR(mode):
        return ObjectKind.DIRECTORY
    return ObjectKind.SPECIAL


@lru_cache(maxsize=1024)
def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@lru_cache(maxsize=1024)
def _group(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
