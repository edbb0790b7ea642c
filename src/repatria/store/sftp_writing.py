"""Writing to one SFTP server: what is laid aside, flushed there, and put in its place."""

import contextlib
import hashlib
import secrets
import time
from collections.abc import Iterable, Sequence

from repatria.errors import StoreError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.store import failures
from repatria.store.base import Buffer
from repatria.store.local_files import STALE_AFTER
from repatria.store.paths import ASIDE
from repatria.store.sftp_connection import BROKEN
from repatria.store.sftp_files import Tree
from repatria.store.sftp_objects import is_folder, kind_of, object_of
from repatria.store.sftp_packet import CREATE, EXCLUSIVE, READ, WRITE, Attributes, Code, StatusError
from repatria.store.sftp_session import Session

ALMOST_FULL = 1 << 20
"""Bytes of room below which a failed write means a full disk: the protocol has no code for it."""


class TreeWriter:
    """Writes to the tree of files under one folder of a server; sessions come with each call, so that threads share it.

    Its calls raise what a session raises: they are made within `Tree.told`.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._folders: set[tuple[str, ...]] = set()
        """Folders that were seen or made: real ones, so that no path leads through a symlink."""
        self._has_root = False
        self.used_aside = False
        """Whether anything was laid aside by now."""

    def refuse_taken(self, session: Session, names: Sequence[str]) -> None:
        """Raise AlreadyExistsError if a path is taken, UnholdableNameError if it leads through what is no folder."""
        path = "/".join(names)
        for depth in range(1, len(names)):
            if not self._is_folder(session, tuple(names[:depth]), path):
                return
        if self._tree.exists(session, path):
            raise failures.already_exists(path, self._tree.uri, self._tree.role)

    def put_file(
        self, session: Session, names: Sequence[str], data: Iterable[Buffer], size: int, like: Object | None
    ) -> None:
        """Write aside, flush, and rename without replacing."""
        path = "/".join(names)
        aside = self._aside(session) + secrets.token_hex(16).encode()
        try:
            self._write(session, aside, data, size, like)
            self.make_folders(session, names[:-1])
            self._rename(session, aside, path)
        except BaseException:
            with contextlib.suppress(StatusError, *BROKEN):
                session.remove(aside)
            raise
        self._flush_folder(session, "/".join(names[:-1]))

    def replace_file(
        self, session: Session, names: Sequence[str], data: Iterable[Buffer], size: int, sha256: bytes
    ) -> None:
        """Write aside, flush, read back, and rename over the file; its rights stay."""
        path = "/".join(names)
        old = session.lstat(self._tree.full(path))
        if kind_of(old) is not ObjectKind.FILE:
            raise failures.not_found(path, self._tree.uri, self._tree.role)
        if not session.can_replace:
            raise failures.irreplaceable(self._tree.uri, self._tree.role)
        aside = self._aside(session) + secrets.token_hex(16).encode()
        try:
            self._write(session, aside, data, size, object_of(path, Attributes(mode=old.mode)))
            if _digest_of(session, aside, size) != sha256:
                raise failures.not_kept(self._tree.uri, self._tree.role)
            session.rename_over(aside, self._tree.full(path))
        except BaseException:
            with contextlib.suppress(StatusError, *BROKEN):
                session.remove(aside)
            raise
        self._flush_folder(session, "/".join(names[:-1]))

    def make(self, session: Session, names: Sequence[str], like: Object) -> None:
        """Make a symlink or a folder."""
        path = "/".join(names)
        self._make_root(session)
        self.make_folders(session, names[:-1])
        if like.kind is ObjectKind.SYMLINK and like.link_target is not None:
            session.make_link(self._tree.full(path), like.link_target.encode("utf-8", "surrogateescape"))
        elif like.kind is ObjectKind.DIRECTORY:
            session.make_folder(self._tree.full(path))
            session.set_attributes(self._tree.full(path), like.mode, _seconds(like), is_handle=False)
        else:
            raise ValueError(f"nothing of kind {like.kind} can be put")
        self._flush_folder(session, "/".join(names[:-1]))

    def remove(self, session: Session, path: str) -> None:
        """Remove a file, a symlink or an empty folder; nothing if it is not there."""
        try:
            remove = session.remove_folder if is_folder(session.lstat(self._tree.full(path))) else session.remove
            remove(self._tree.full(path))
        except StatusError as error:
            if error.code != Code.NO_SUCH_FILE:
                raise

    def remove_aside(self, session: Session) -> None:
        """Leave no folder aside behind, unless another run has files in it."""
        with contextlib.suppress(StatusError):
            session.remove_folder(self._tree.full(ASIDE))

    def make_folders(self, session: Session, names: Sequence[str]) -> None:
        """Make the folders that are missing on the way from the root to one."""
        path = "/".join(names)
        for depth in range(1, len(names) + 1):
            folder = tuple(names[:depth])
            if not self._is_folder(session, folder, path):
                self._make_folder(session, self._tree.full("/".join(folder)))
                self._folders.add(folder)

    def _is_folder(self, session: Session, names: tuple[str, ...], path: str) -> bool:
        """Tell whether a folder is there; UnholdableNameError if something else is."""
        if names in self._folders:
            return True
        try:
            attributes = session.lstat(self._tree.full("/".join(names)))
        except StatusError as error:
            if error.code == Code.NO_SUCH_FILE:
                return False
            raise
        if not is_folder(attributes):
            reason = _("a file or a link stands where it needs a folder")
            raise failures.unholdable(path, self._tree.uri, self._tree.role, reason)
        self._folders.add(names)
        return True

    def _make_folder(self, session: Session, folder: bytes) -> None:
        try:
            session.make_folder(folder)
        except StatusError:
            # Another thread or run may have made it meanwhile.
            if not is_folder(session.lstat(folder)):
                raise

    def _make_root(self, session: Session) -> None:
        """Make the root, and what it lies in, where they are missing; a symlink on that way is the user's choice."""
        if not self._has_root:
            parts = self._tree.root.rstrip(b"/").split(b"/")
            for depth in range(1, len(parts) + 1):
                folder = b"/".join(parts[:depth])
                if folder and not _is_there(session, folder):
                    self._make_folder(session, folder)
            self._has_root = True

    def _aside(self, session: Session) -> bytes:
        """Return the folder aside with a slash, made if need be; once, remove what killed runs left in it."""
        aside = self._tree.full(ASIDE)
        self._make_root(session)
        if not self._tree.exists(session, ASIDE):
            self._make_folder(session, aside)
        if not self.used_aside:
            self.used_aside = True
            self._sweep(session)
        return aside + b"/"

    def left_aside(self, session: Session) -> list[Object]:
        """Return the files aside that no run writes to any more; none where there is no such folder."""
        oldest = (time.time() - STALE_AFTER) * 1_000_000_000
        with contextlib.closing(session.list(self._tree.full(ASIDE))) as listing:
            try:
                if not is_folder(listing.open()):
                    return []
            except StatusError as error:
                if error.code == Code.NO_SUCH_FILE:
                    return []
                raise
            names = [(f"{ASIDE}/{name.decode('utf-8', 'surrogateescape')}", told) for name, told in listing]
        found = (object_of(path, told) for path, told in names)
        return [each for each in found if each.mtime_ns is not None and each.mtime_ns < oldest]

    def _sweep(self, session: Session) -> None:
        for left in self.left_aside(session):
            with contextlib.suppress(StatusError):
                session.remove(self._tree.full(left.path))

    def _write(self, session: Session, aside: bytes, data: Iterable[Buffer], size: int, like: Object | None) -> None:
        handle = session.open(aside, WRITE | CREATE | EXCLUSIVE)
        try:
            written = session.write(handle, data)
            if written != size:
                raise ValueError(f"{written} bytes came where {size} were announced")
            if like:
                session.set_attributes(handle, like.mode, _seconds(like), is_handle=True)
            session.flush(handle)
        except StatusError as error:
            raise self._of_write(session, error) from error
        finally:
            session.close(handle)

    def _rename(self, session: Session, aside: bytes, path: str) -> None:
        try:
            session.rename(aside, self._tree.full(path))
        except StatusError as error:
            self._folders.clear()  # one of them may have been removed since: the next put looks again
            if self._tree.exists(session, path):
                raise failures.already_exists(path, self._tree.uri, self._tree.role) from error
            raise

    def _flush_folder(self, session: Session, folder: str) -> None:
        """Have the folder's own entry on the disk, where the server opens folders (OpenSSH does)."""
        with contextlib.suppress(StatusError):
            handle = session.open(self._tree.full(folder), READ)
            try:
                session.flush(handle)
            finally:
                session.close(handle)

    def _of_write(self, session: Session, error: StatusError) -> StoreError | StatusError:
        """Return what a failed write means: SFTP says no more than `failure` of a full disk."""
        room = session.room(self._tree.full("")) if error.code == Code.FAILURE else None
        if room and room.read_only:
            return failures.read_only(self._tree.uri, self._tree.role)
        if room and room.free < ALMOST_FULL:
            return failures.full(self._tree.uri, self._tree.role)
        return error


def _digest_of(session: Session, name: bytes, size: int) -> bytes:
    digest = hashlib.sha256()
    with contextlib.closing(session.read(session.open(name, READ), range(size))) as chunks:
        for chunk in chunks:
            digest.update(chunk)
    return digest.digest()


def _seconds(like: Object) -> int | None:
    return None if like.mtime_ns is None else like.mtime_ns // 1_000_000_000


def _is_there(session: Session, folder: bytes) -> bool:
    try:
        session.lstat(folder)
    except StatusError:
        return False
    return True
