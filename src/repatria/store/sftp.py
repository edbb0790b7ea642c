"""Folders of another machine over SSH: `sftp://`.

Listed and written with the same care as folders of this machine, as far as the protocol goes: nothing is read that was
not seen to be a file and no symlink; what is written lies aside, is flushed where the server can, and renamed without
replacing. Times are in whole seconds; owners are numbers.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar
from urllib.parse import unquote_to_bytes, urlsplit

from repatria.errors import Role, StoreError, UnreachableError, UsageError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.store import failures
from repatria.store.base import Buffer, Reading
from repatria.store.paths import UnholdableNameError, components
from repatria.store.resuming import Resuming
from repatria.store.sftp_connection import Server
from repatria.store.sftp_files import Tree
from repatria.store.sftp_objects import size_of_file
from repatria.store.sftp_pool import FULL, Loan, Pool
from repatria.store.sftp_program import Ssh
from repatria.store.sftp_reading import RemoteBytes, Span
from repatria.store.sftp_session import Session
from repatria.store.sftp_walk import Walk
from repatria.store.sftp_writing import TreeWriter

Answer = TypeVar("Answer")

ASK_AGAIN = 2
"""How often a question is put again over another connection, when one turns out to be broken."""


class SftpStore:
    """The objects under one folder of an SSH server, which the first put makes if need be."""

    reads_at_once = 192
    """Several share a connection: a small file is a matter of round trips, not of bytes."""

    def __init__(self, tree: Tree, pool: Pool) -> None:
        self.uri = tree.uri
        self.role = tree.role
        self._tree = tree
        self._writer = TreeWriter(tree)
        self._pool = pool

    def list(self, prefix: str = "", *, enter: Callable[[str], bool] | None = None) -> Iterator[Object]:
        """Yield a folder's objects in order of their names (in batches), then those of the folders in it."""
        return Walk(self._tree, self._pool, prefix).objects(enter)

    def stat(self, path: str) -> Object:
        """Return what is known of one object; a folder, empty or not, is a directory."""
        self._check_readable(path)
        return self._ask(path, lambda session: self._tree.look(session, path))

    def room(self) -> int | None:
        """Return the bytes that this user may still write; None if the server cannot tell, or has no folder yet."""
        room = self._ask("", lambda session: session.room(self._tree.full("")))
        return None if room is None else room.free

    def read(self, path: str, start: int = 0, length: int | None = None, *, version: str | None = None) -> Reading:
        """Read a file's bytes, or a symlink's target; a file must be the same from here to its last byte."""
        self._check_readable(path)
        span = Span(start, length, version)
        found, first = _again(partial(self._begin, path, span))
        stop = span.stop(found)
        if first is None:
            target = (found.link_target or "").encode("utf-8", "surrogateescape")
            return Reading(found, iter([target[start:stop]]))

        def reopen(at: int) -> RemoteBytes:
            rest = self._begin(path, Span(at, stop - at, found.version), 1)[1]
            if rest is None:
                raise failures.changed(path, self.uri, self.role)
            return rest

        return Reading(found, Resuming(first, start, reopen))

    def put(
        self,
        path: str,
        data: Iterable[Buffer],
        size: int,
        *,
        like: Object | None = None,
        sha256: bytes | None = None,  # noqa: ARG002 -- nothing is sent along here
    ) -> None:
        """Write aside, flush, then rename without replacing."""
        names = components(path, self.role)
        with self._pool.lend(FULL) as session, self._tree.told(path):
            self._writer.refuse_taken(session, names)
            if like is None or like.kind is ObjectKind.FILE:
                self._writer.put_file(session, names, data, size, like)
            else:
                self._writer.make(session, names, like)

    def replace(self, path: str, data: Iterable[Buffer], size: int, sha256: bytes) -> None:
        """Write aside, flush, read back, then rename over the file."""
        names = components(path, self.role)
        with self._pool.lend(FULL) as session, self._tree.told(path):
            self._writer.replace_file(session, names, data, size, sha256)

    def delete(self, path: str) -> None:
        """Remove a file, a symlink or an empty folder."""
        components(path, self.role)
        self._ask(path, lambda session: self._writer.remove(session, path))

    def aside(self) -> Sequence[Object]:
        """Return the files that runs which were cut off left aside."""
        return self._ask("", self._writer.left_aside)

    def remove_aside(self, path: str) -> None:
        """Remove one of them; nothing if it is gone already."""
        self._ask(path, lambda session: self._writer.remove(session, path))

    def close(self) -> None:
        """Leave no folder aside behind, and end the connections."""
        if self._writer.used_aside:
            # It holds nothing that counts; where it cannot be removed now, the next run does it.
            with contextlib.suppress(StoreError):
                self._ask("", self._writer.remove_aside)
        self._pool.close()

    def _ask(self, path: str, question: Callable[[Session], Answer]) -> Answer:
        """Put a question that may be put twice."""

        def put_once(_attempt: int) -> Answer:
            with self._pool.lend() as session, self._tree.told(path):
                return question(session)

        return _again(put_once)

    def _check_readable(self, path: str) -> None:
        try:
            components(path, self.role)
        except UnholdableNameError as error:
            raise failures.not_found(path, self.uri, self.role) from error

    def _begin(self, path: str, span: Span, attempt: int) -> tuple[Object, RemoteBytes | None]:
        """Look at an object and open it if it is a file; its bytes keep their share of a connection until closed.

        What was listed as a file is opened while it is looked at. If that fails, it may have become a pipe, on which
        the server hangs: the next attempt looks first.
        """
        hastily = attempt == 0 and size_of_file(span.version) is not None
        loan = self._pool.borrow(span.weight)
        try:
            with self._tree.told(path):
                found, handle = self._tree.open(loan.session, path, hastily=hastily)
                if handle is not None:
                    return found, self._bytes(loan, found, handle, span)
                span.check(found, self.uri, self.role)
        except BaseException:
            self._pool.give_back(loan)
            raise
        self._pool.give_back(loan)
        return found, None

    def _bytes(self, loan: Loan, found: Object, handle: bytes, span: Span) -> RemoteBytes:
        try:
            span.check(found, self.uri, self.role)
        except StoreError:
            loan.session.close_later(handle)
            raise
        return RemoteBytes(self._tree, self._pool, loan, found, handle, span)


def open_sftp(uri: str, role: Role) -> SftpStore:
    """Return the store at `sftp://[user@]host[:port]/path`; `/~/path` is below the user's own folder.

    Nothing is connected before the first use. UsageError if the URI holds a password: those are seen by everyone who
    sees the command line or the manifest.
    """
    parts = urlsplit(uri)
    if parts.password is not None:
        raise UsageError(
            _("A uri must not hold a password."),
            advice=_("Take it out, change it there, and use an SSH key: ssh-copy-id {host}").format(
                host=parts.hostname
            ),
        )
    if not parts.hostname:
        raise UsageError(_("sftp:// needs a host, as in sftp://user@host/folder."))
    place, slash, path = uri.partition("://")[2].partition("/")
    public = f"sftp://{place.rpartition('@')[2]}{slash}{path}"
    server = Server(Ssh(parts.hostname, parts.port, parts.username), public, role)
    return SftpStore(Tree(_root_of(f"{slash}{path}"), public, role), Pool(server.connect))


def _root_of(path: str) -> bytes:
    """Return the folder of a URI's path as a session names it, with a slash at its end; nothing for its own."""
    root = unquote_to_bytes(path.encode("utf-8", "surrogateescape")).rstrip(b"/") + b"/"
    return root.removeprefix(b"/~/")


def _again(operation: Callable[[int], Answer]) -> Answer:
    """Run an operation that may be run twice, again over another connection if the first one breaks."""
    for attempt in range(ASK_AGAIN):
        with contextlib.suppress(UnreachableError):
            return operation(attempt)
    return operation(ASK_AGAIN)
