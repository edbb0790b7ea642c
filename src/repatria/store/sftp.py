"""Folders of another machine over SSH: `sftp://`.

Listed and written with the same care as folders of this machine, as far as the protocol goes: a file is opened after
it was seen to be no symlink, written aside, flushed where the server can, and renamed without replacing. Times are in
whole seconds; owners are numbers.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import TypeVar
from urllib.parse import unquote_to_bytes, urlsplit

from repatria.errors import NotFoundError, Role, StoreError, UnreachableError, UsageError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.store import failures
from repatria.store.base import Buffer, Reading
from repatria.store.paths import ASIDE, UnholdableNameError, components, folder_of
from repatria.store.resuming import Resuming
from repatria.store.sftp_connection import Connection, address_of, connect
from repatria.store.sftp_files import Tree, is_folder, object_of
from repatria.store.sftp_packet import READ, Attributes, StatusError
from repatria.store.sftp_pool import MOST, Pool, leaves_broken
from repatria.store.sftp_session import Session

Answer = TypeVar("Answer")

BATCH = 10_000
"""Names of a folder that are held, and sorted, at a time."""
ASK_AGAIN = 2
"""How often a question is put again over another connection, when one turns out to be broken."""


class SftpStore:
    """The objects under one folder of an SSH server, which the first put makes if need be."""

    reads_at_once = MOST

    def __init__(self, tree: Tree, pool: Pool) -> None:
        self.uri = tree.uri
        self.role = tree.role
        self._tree = tree
        self._pool = pool

    def list(self, prefix: str = "", *, enter: Callable[[str], bool] | None = None) -> Iterator[Object]:
        """Yield a folder's objects in order of their names (in batches), then those of the folders in it."""
        start = folder_of(prefix)
        try:
            waiting = [start] if not start or components(start) else []
        except UnholdableNameError:
            return
        while waiting:
            below: list[str] = []
            yield from self._scan(waiting.pop(), prefix, below)
            entered = below if enter is None else [path for path in below if enter(path)]
            waiting.extend(sorted(entered, reverse=True))

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
        found, first = _again(lambda: self._begin(path, start, length, version))
        stop = found.size if length is None else start + length
        if first is None:
            target = (found.link_target or "").encode("utf-8", "surrogateescape")
            return Reading(found, iter([target[start:stop]]))

        def reopen(at: int) -> "_RemoteBytes":
            rest = self._begin(path, at, stop - at, found.version)[1]
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
        with self._pool.lend() as connection, self._tree.told(path):
            self._tree.refuse_taken(connection.session, names)
            if like is None or like.kind is ObjectKind.FILE:
                self._tree.put_file(connection.session, names, data, size, like)
            else:
                self._tree.make(connection.session, names, like)

    def replace(self, path: str, data: Iterable[Buffer], size: int, sha256: bytes) -> None:
        """Write aside, flush, read back, then rename over the file."""
        names = components(path, self.role)
        with self._pool.lend() as connection, self._tree.told(path):
            self._tree.replace_file(connection.session, names, data, size, sha256)

    def delete(self, path: str) -> None:
        """Remove a file, a symlink or an empty folder."""
        components(path, self.role)
        self._ask(path, lambda session: self._tree.remove(session, path))

    def close(self) -> None:
        """Leave no folder aside behind, and end the connections."""
        if self._tree.used_aside:
            # It holds nothing that counts; where it cannot be removed now, the next run does it.
            with contextlib.suppress(StoreError):
                self._ask("", self._tree.remove_aside)
        self._pool.close()

    def _ask(self, path: str, question: Callable[[Session], Answer]) -> Answer:
        """Put a question that may be put twice."""

        def put_once() -> Answer:
            with self._pool.lend() as connection, self._tree.told(path):
                return question(connection.session)

        return _again(put_once)

    def _check_readable(self, path: str) -> None:
        try:
            components(path, self.role)
        except UnholdableNameError as error:
            raise failures.not_found(path, self.uri, self.role) from error

    def _begin(
        self, path: str, start: int, length: int | None, version: str | None
    ) -> "tuple[Object, _RemoteBytes | None]":
        """Look at an object and open it if it is a file; its bytes keep the connection until they are closed."""
        connection = self._pool.acquire()
        try:
            with self._tree.told(path):
                found = self._tree.look(connection.session, path)
                self._check_span(found, start, length, version)
                if found.kind is ObjectKind.FILE:
                    handle = connection.session.open(self._tree.full(path), READ)
        except BaseException as error:
            self._pool.release(connection, broken=leaves_broken(error))
            raise
        if found.kind is not ObjectKind.FILE:
            self._pool.release(connection)
            return found, None
        stop = found.size if length is None else start + length
        return found, _RemoteBytes(self._tree, self._pool, connection, found, handle, range(start, stop))

    def _check_span(self, found: Object, start: int, length: int | None, version: str | None) -> None:
        if found.kind is ObjectKind.SPECIAL:
            raise failures.special(found.path, self.uri, self.role)
        stop = found.size if length is None else start + length
        if version not in {None, found.version} or not start <= stop <= found.size:
            raise failures.changed(found.path, self.uri, self.role)

    def _scan(self, folder: str, prefix: str, below: MutableSequence[str]) -> Iterator[Object]:
        """Yield the objects of one folder, itself if it is empty; put the folders in it into `below`."""
        try:
            # A listing goes on for as long as what it finds is read: it must not take a place from the reads.
            with self._pool.lend(extra=True) as connection, self._tree.told(folder):
                session = connection.session
                itself = session.lstat(self._tree.full(folder))
                if folder and not is_folder(itself):
                    return
                empty = True
                entries = session.list(self._tree.full(folder))
                while batch := sorted(islice(entries, BATCH), key=itemgetter(0)):
                    empty = False
                    yield from self._sift(session, batch, folder, prefix, below)
                if empty and folder and folder.startswith(prefix):
                    yield object_of(folder, itself)
        except NotFoundError as error:
            # A folder that went away meanwhile holds nothing; a source that is not there at all is an error.
            if self.role is Role.SOURCE and not folder:
                raise failures.no_root(self.uri, self.role) from error

    def _sift(
        self,
        session: Session,
        batch: Iterable[tuple[bytes, Attributes]],
        folder: str,
        prefix: str,
        below: MutableSequence[str],
    ) -> Iterator[Object]:
        """Yield what of a folder's entries are objects under the prefix; put the folders among them into `below`."""
        for name, attributes in batch:
            path = f"{folder}/" * bool(folder) + name.decode("utf-8", "surrogateescape")
            if not path.startswith(prefix) or path == ASIDE:
                continue
            if is_folder(attributes):
                below.append(path)
                continue
            found = object_of(path, attributes)
            if found.kind is ObjectKind.SYMLINK:
                with contextlib.suppress(StatusError):  # removed since the folder was read
                    yield object_of(path, attributes, session.read_link(self._tree.full(path)))
            else:
                yield found


class _RemoteBytes:
    """Some bytes of an open file, which must be of one version from here to the last of them."""

    def __init__(
        self, tree: Tree, pool: Pool, connection: Connection, found: Object, handle: bytes, span: range
    ) -> None:
        self._tree = tree
        self._pool = pool
        self._connection: Connection | None = connection
        self._found = found
        self._handle = handle
        self._left = len(span)
        self._chunks = connection.session.read(handle, span.start, span.stop)

    def __next__(self) -> bytes:
        if self._connection is None:
            raise StopIteration
        try:
            with self._tree.told(self._found.path):
                chunk = next(self._chunks, b"")
                if not chunk:
                    self._check_end(self._connection.session)
        except BaseException as error:
            self._release(broken=leaves_broken(error))
            raise
        if not chunk:
            self.close()
            raise StopIteration
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        """Close the file and give the connection back; replies still under way are dropped when they come."""
        if self._connection is not None:
            self._chunks.close()
            self._connection.session.close_later(self._handle)
            self._release(broken=False)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # nobody is left to hear of it
            self.close()

    def _check_end(self, session: Session) -> None:
        now = object_of(self._found.path, session.fstat(self._handle))
        if self._left or now.version != self._found.version:
            raise failures.changed(self._found.path, self._tree.uri, self._tree.role)

    def _release(self, *, broken: bool) -> None:
        if self._connection is not None:
            self._pool.release(self._connection, broken=broken)
            self._connection = None


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
    address = partial(address_of, public, role, parts.hostname, parts.port, parts.username)
    return SftpStore(Tree(_root_of(f"{slash}{path}"), public, role), Pool(lambda: connect(address())))


def _root_of(path: str) -> bytes:
    """Return the folder of a URI's path as a session names it, with a slash at its end; nothing for its own."""
    root = unquote_to_bytes(path.encode("utf-8", "surrogateescape")).rstrip(b"/") + b"/"
    return root.removeprefix(b"/~/")


def _again(operation: Callable[[], Answer]) -> Answer:
    """Run an operation that may be run twice, again over another connection if the first one breaks."""
    for _attempt in range(ASK_AGAIN):
        with contextlib.suppress(UnreachableError):
            return operation()
    return operation()
