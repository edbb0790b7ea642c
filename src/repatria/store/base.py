"""The one narrow seam between Repatria and any place that holds bytes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from repatria.errors import Role
from repatria.model import Object

Buffer = bytes | bytearray | memoryview


@dataclass(slots=True)
class Reading:
    """A read under way: what the store told of the object, and its bytes."""

    object: Object
    """As full as the reply tells (content type, user metadata), without a further request."""
    chunks: Iterator[bytes] = field(repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection, read to the end or not."""
        close = getattr(self.chunks, "close", None)
        if close is not None:
            close()


class Store(Protocol):
    """A place for bytes by path. Every method may be called from several threads at once.

    Errors are those of `repatria.errors.StoreError` with this store's `role`: Unreachable and Throttled may be tried
    again, Refused, Full, NotFound, AlreadyExists and Changed may not. Stores retry single requests a few times
    themselves; patience over hours is the caller's.
    """

    uri: str
    role: Role
    reads_at_once: int
    """How many reads are worth running side by side, at most."""

    def list(self, prefix: str = "", *, enter: Callable[[str], bool] | None = None) -> Iterator[Object]:
        """Yield every object whose path starts with `prefix`, symlinks and empty directories included.

        In no promised order. A string prefix, not a folder: `a/b` also finds `a/bc`. Nothing there is an empty listing,
        but a root that does not exist is NotFoundError for a source. Lazy: a million objects need no more memory than a
        page of them. A folder that may not be read is RefusedError: its objects must not pass for gone. A store that
        has folders asks `enter` for the path of each, and leaves out all below one that it answers False for.
        """

    def stat(self, path: str) -> Object:
        """Return what is known of one object."""

    def read(self, path: str, start: int = 0, length: int | None = None, *, version: str | None = None) -> Reading:
        """Read `length` bytes from `start`, to the end without a length; never short without an error.

        With `version` (an earlier `Object.version`) the bytes are of that version or ChangedError is raised, in the
        middle of the read too.
        """

    def put(
        self,
        path: str,
        data: Iterable[Buffer],
        size: int,
        *,
        like: Object | None = None,
        sha256: bytes | None = None,
    ) -> None:
        """Store `size` bytes: visible whole or not at all, durable when this returns, never over something else.

        AlreadyExistsError if the path is taken. `like` gives kind, mode, times, content type and metadata to keep as
        far as the store can hold them (a symlink is made, never followed). `sha256` is that of the data, from a caller
        who knows it and will read them back: a store that sends a digest along need not make one then. Chunks are not
        copied: they must stay as they are until this returns.
        """

    def replace(self, path: str, data: Iterable[Buffer], size: int, sha256: bytes) -> None:
        """Put `size` bytes in the place of a file: whoever reads finds the old file or the new one, each whole.

        The new bytes lie aside and are read back there, against `sha256`, before they take the place; durable when this
        returns, and as safe to repeat as to be cut off. NotFoundError if no file is there. RefusedError, with the file
        untouched, if the store keeps what it has (Object Lock, no right to overwrite) or cannot replace at one stroke.
        For the one thing that is ever written twice: the files of a bundle whose recipients change.
        """

    def delete(self, path: str) -> None:
        """Remove one object; one that is not there is no error."""

    def close(self) -> None:
        """End the connections."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One object as random-access bytes: what the seeking decryptor reads from."""

    store: Store
    path: str
    size: int
    version: str | None = None

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`."""
        with self.store.read(self.path, offset, length, version=self.version) as reading:
            return b"".join(reading.chunks)
