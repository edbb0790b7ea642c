"""The seam between a dataset and the systems that its objects are in today."""

from collections.abc import Iterator
from typing import Protocol

from repatria.model import Object
from repatria.store.base import Reading


class ObjectSource(Protocol):
    """Lists and reads the objects of one `[[source]]`; methods may be called from several threads at once.

    Errors are those of `repatria.errors.StoreError` with the role of a source, so that they end in code 4.
    """

    name: str
    """As in the manifest; empty if it has one source without a name."""
    public_uri: str
    """Where it is, without user name, password or query: fit for a signed statement."""
    reads_at_once: int
    """How many reads are worth running side by side, at most."""

    def list(self) -> Iterator[Object]:
        """Yield every object that the manifest asks for, lazily, in no promised order.

        Paths are those in the dataset: with several sources, the source's name is their first component. Specials
        (devices, sockets) are yielded too: they are findings.
        """

    def read(self, object: Object, start: int = 0, length: int | None = None) -> Reading:
        """Read an object that `list` yielded, pinned to its version: ChangedError if it was replaced or rewritten."""

    def close(self) -> None:
        """End the connections."""
