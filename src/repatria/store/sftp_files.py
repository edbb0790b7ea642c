"""Files and folders of one SFTP server: their names there, what is at a path, and what its refusals mean."""

from collections.abc import Iterator
from contextlib import contextmanager

from repatria.errors import Role, StoreError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.store import failures
from repatria.store.sftp_connection import BROKEN
from repatria.store.sftp_objects import kind_of, object_of
from repatria.store.sftp_packet import READ, Code, StatusError
from repatria.store.sftp_session import Session


class Tree:
    """The tree of files under one folder of a server; sessions come with each call, so that threads share it."""

    def __init__(self, root: bytes, uri: str, role: Role) -> None:
        self.root = root
        """Ends in `/`, or is empty for the folder that a session begins in."""
        self.uri = uri
        self.role = role

    def full(self, path: str) -> bytes:
        """Return the server's name of an object, of the root for an empty path."""
        return (self.root + path.encode("utf-8", "surrogateescape")) or b"."

    @contextmanager
    def told(self, path: str) -> Iterator[None]:
        """Turn what a session raises into the errors of `repatria.errors`."""
        try:
            yield
        except StatusError as error:
            raise self._of_status(error, path) from error
        except BROKEN as error:
            advice = _("Nothing is lost; run the same command again.")
            raise failures.unreachable(self.uri, self.role, _("the connection broke"), advice) from error

    def look(self, session: Session, path: str) -> Object:
        """Return what is at a path."""
        attributes = session.lstat(self.full(path))
        if kind_of(attributes) is ObjectKind.SYMLINK:
            (target,) = session.read_links([self.full(path)])
            if target is None:
                raise StatusError(Code.NO_SUCH_FILE, "")
            return object_of(path, attributes, target)
        return object_of(path, attributes)

    def open(self, session: Session, path: str, *, hastily: bool) -> tuple[Object, bytes | None]:
        """Return what is at a path, and a handle to read it if it is a file.

        `hastily`, it is opened while it is looked at: for what was a file before, since opening a pipe would hang.
        """
        if hastily:
            attributes, handle = session.look_and_open(self.full(path))
            if kind_of(attributes) is ObjectKind.FILE:
                if isinstance(handle, StatusError):
                    raise handle
                return object_of(path, attributes), handle
            if isinstance(handle, bytes):
                session.close_later(handle)
        found = self.look(session, path)
        return found, session.open(self.full(path), READ) if found.kind is ObjectKind.FILE else None

    def exists(self, session: Session, path: str) -> bool:
        """Tell whether something is at a path, a dangling symlink included."""
        try:
            session.lstat(self.full(path))
        except StatusError as error:
            if error.code == Code.NO_SUCH_FILE:
                return False
            raise
        return True

    def _of_status(self, error: StatusError, path: str) -> StoreError:
        if error.code == Code.NO_SUCH_FILE:
            return failures.not_found(path, self.uri, self.role)
        if error.code == Code.PERMISSION_DENIED:
            return failures.refused(path, self.uri, self.role, error.text)
        if error.code == Code.BAD_MESSAGE:
            return failures.unholdable(path, self.uri, self.role, error.text)
        message = _("{path} in {store} failed: {reason}.").format(path=path, store=self.uri, reason=error.text)
        return StoreError(message, public=False, role=self.role)
