"""The index of a bundle: SQLite, built in memory and read through the decryptor (docs/formats/index.md)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from repatria.bundle.rows import DocumentRow, MemberRow, ObjectRow, PageRow, Tombstone, VolumeRow

Value = str | bytes | int | float | None


@dataclass(frozen=True, slots=True)
class IndexMeta:
    """What an index says of itself."""

    dataset: str
    bundle: str
    index: int
    first_volume: int
    last_volume: int


@dataclass(frozen=True, slots=True)
class IndexRows:
    """Everything that goes into one index; any iterable, each is read once."""

    objects: Iterable[ObjectRow] = ()
    volumes: Iterable[VolumeRow] = ()
    members: Iterable[MemberRow] = ()
    tombstones: Iterable[Tombstone] = ()
    documents: Iterable[DocumentRow] = ()
    pages: Iterable[PageRow] = ()


def build_index(meta: IndexMeta, rows: IndexRows) -> bytes:
    """Return the payload of an index: a SQLite database made in memory."""
    raise NotImplementedError


class Index:
    """An open index; read lazily, safe from several threads."""

    meta: IndexMeta

    def __init__(self, payload: BinaryIO) -> None:
        """Open the database in `payload`, a seekable stream (a `DecryptingReader`, or `io.BytesIO`)."""
        raise NotImplementedError

    def query(self, sql: str, bindings: Sequence[Value] = ()) -> Iterator[tuple[Value, ...]]:
        """Yield the rows of one SELECT; nothing else is possible."""
        raise NotImplementedError

    def objects(self) -> Iterator[ObjectRow]:
        """Yield every object row, by number."""
        raise NotImplementedError

    def object(self, number: int) -> ObjectRow | None:
        """Return one object's row."""
        raise NotImplementedError

    def find(self, path: str) -> list[ObjectRow]:
        """Return the rows of a path, the highest number first."""
        raise NotImplementedError

    def volumes(self) -> Iterator[VolumeRow]:
        """Yield the volumes by number."""
        raise NotImplementedError

    def members(self, volume: int) -> Iterator[MemberRow]:
        """Yield the members of a volume in the order in which they lie there."""
        raise NotImplementedError

    def members_of(self, number: int) -> list[tuple[MemberRow, VolumeRow]]:
        """Return the members of an object that lie in this index's volumes, in order."""
        raise NotImplementedError

    def tombstones(self) -> Iterator[Tombstone]:
        """Yield the tombstones."""
        raise NotImplementedError

    def documents(self) -> Iterator[DocumentRow]:
        """Yield the documents by number."""
        raise NotImplementedError

    def pages(self, document: int) -> Iterator[PageRow]:
        """Yield the pages of a document in order; `stems` and `grams` are not kept and come back empty."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the database and its stream."""
        raise NotImplementedError
