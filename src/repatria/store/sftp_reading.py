"""Some bytes of one version of one file, and what they hold of a connection until they are closed."""

import contextlib
from dataclasses import dataclass

from repatria.errors import Role
from repatria.model import Object, ObjectKind
from repatria.store import failures
from repatria.store.sftp_files import Tree
from repatria.store.sftp_objects import object_of, size_of_file
from repatria.store.sftp_pool import FULL, Loan, Pool


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked for of an object."""

    start: int
    length: int | None
    """None for all that follows."""
    version: str | None

    @property
    def weight(self) -> int:
        """Bytes of it that may be under way, as far as is known before the object was looked at."""
        if self.length is not None:
            return self.length
        size = size_of_file(self.version)
        return FULL if size is None else size - self.start

    def stop(self, found: Object) -> int:
        """Return where it ends in an object as it was found."""
        return found.size if self.length is None else self.start + self.length

    def check(self, found: Object, uri: str, role: Role) -> None:
        """Raise RefusedError if the object has no bytes, ChangedError if it is not what the span was made for."""
        if found.kind is ObjectKind.SPECIAL:
            raise failures.special(found.path, uri, role)
        if self.version not in {None, found.version} or not self.start <= self.stop(found) <= found.size:
            raise failures.changed(found.path, uri, role)


class RemoteBytes:
    """The bytes of a span, from an open file that must be of one version from here to the last of them."""

    def __init__(self, tree: Tree, pool: Pool, loan: Loan, found: Object, handle: bytes, span: Span) -> None:
        """Take over the loan and the handle."""
        self._tree = tree
        self._pool = pool
        self._loan = loan
        self._found = found
        self._left = span.stop(found) - span.start
        self._download = loan.session.read(handle, range(span.start, span.stop(found)))
        self._closed = False

    def __next__(self) -> bytes:
        if self._closed:
            raise StopIteration
        try:
            with self._tree.told(self._found.path):
                chunk = next(self._download, b"")
                self._left -= len(chunk)
                if not chunk:
                    self._check_end()
        except BaseException:
            self.close()
            raise
        if not chunk:
            self.close()
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Close the file and give the connection back; replies still under way are dropped when they come."""
        if not self._closed:
            self._closed = True
            self._download.close()
            self._pool.give_back(self._loan)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # nobody is left to hear of it
            self.close()

    def _check_end(self) -> None:
        now = object_of(self._found.path, self._download.attributes_at_end())
        if self._left or now.version != self._found.version:
            raise failures.changed(self._found.path, self._tree.uri, self._tree.role)
