"""Reads bundles: signature first, then the digests of indexes, then lazily, by ranges."""

from collections.abc import Iterator, Sequence
from typing import Self

from repatria.bundle.index import Index
from repatria.bundle.rows import MemberRow, ObjectRow, VolumeRow
from repatria.bundle.statement import Statement
from repatria.crypt.identity import Identity
from repatria.crypt.sshsig import SigningKey
from repatria.store.base import Store


class Bundle:
    """One finished bundle; nothing is fetched before it is asked for. Safe from several threads."""

    def __init__(self, store: Store, dataset_id: str, bundle_id: str, identities: Sequence[Identity] = ()) -> None:
        self.store = store
        self.dataset_id = dataset_id
        self.bundle_id = bundle_id
        self.identities = identities

    @property
    def uri(self) -> str:
        """Where the bundle lies."""
        raise NotImplementedError

    @property
    def statement(self) -> Statement:
        """The statement, its signature verified; who signed it is for the caller to judge (`signing_key`)."""
        raise NotImplementedError

    @property
    def statement_sha256(self) -> str:
        """The SHA-256 of `statement.json`, in hexadecimal: what the next bundle and `--expect-head` name."""
        raise NotImplementedError

    @property
    def signing_key(self) -> SigningKey:
        """The key that signed the statement."""
        raise NotImplementedError

    def indexes(self) -> tuple[Index, ...]:
        """Return the indexes, opened; CryptError if no identity opens them."""
        raise NotImplementedError

    def objects(self) -> Iterator[ObjectRow]:
        """Yield the rows of this bundle's own objects, by number within each index."""
        raise NotImplementedError

    def object(self, number: int) -> ObjectRow | None:
        """Return the row of one object of this bundle."""
        raise NotImplementedError

    def find(self, path: str) -> list[ObjectRow]:
        """Return the rows of a path in this bundle, the highest number first."""
        raise NotImplementedError

    def places(self, row: ObjectRow) -> list[tuple[MemberRow, VolumeRow]]:
        """Return where an object lies: its members in order; AlteredError unless they make up the whole object."""
        raise NotImplementedError

    def read_object(self, row: ObjectRow, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield an object's bytes; of a whole object AlteredError at the end if its digest is wrong.

        Objects are read fastest in the order of `places`: the volumes read last are kept open.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close indexes and volumes; the store stays open."""
        raise NotImplementedError


class Chain:
    """The finished bundles of a dataset up to one of them, the oldest first: the dataset as it stood then."""

    bundles: tuple[Bundle, ...]

    @classmethod
    def load(
        cls,
        store: Store,
        dataset_id: str,
        upto: str | None = None,
        identities: Sequence[Identity] = (),
        *,
        only: bool = False,
    ) -> Self:
        """Link the chain that ends with bundle `upto` (an id; without one, the head).

        NotFoundError if there is no finished bundle, BrokenChainError for a fork or a missing base. With `only`, that
        bundle alone.
        """
        raise NotImplementedError

    @property
    def head(self) -> Bundle:
        """The latest bundle."""
        return self.bundles[-1]

    def objects(self, *, with_gone: bool = False) -> Iterator[tuple[Bundle, ObjectRow]]:
        """Yield every object as the dataset stood; `with_gone` also those replaced or buried."""
        raise NotImplementedError

    def find(self, path: str) -> tuple[Bundle, ObjectRow] | None:
        """Return the object that stood at `path`."""
        raise NotImplementedError

    def by_number(self, number: int) -> tuple[Bundle, ObjectRow] | None:
        """Return an object by its number, replaced or buried ones included."""
        raise NotImplementedError

    def close(self) -> None:
        """Close every bundle; the store stays open."""
        raise NotImplementedError
