"""Reading bundles: nothing is given out that was not signed for."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from repatria.bundle.errors import AlteredError, BrokenChainError, MalformedError
from repatria.bundle.reader import Bundle, is_whole
from repatria.bundle.rows import MemberRow, ObjectRow
from repatria.crypt.errors import BadSignatureError, HeadChangedError, NoMatchError
from repatria.crypt.identity import generate
from repatria.crypt.seal import seal
from repatria.errors import CryptError, NotFoundError
from repatria.model import Object
from repatria.store.base import Reading
from repatria.store.memory import MemoryStore
from tests.bundle.making import DatasetMaker, directory, file, symlink

BIG = os.urandom(3_500_000)
SOURCES = [
    file("a/b.txt", b"hello"),
    file("big", BIG),
    symlink("link", "a/b.txt"),
    directory("d/e"),
    file("empty", b""),
]


@dataclass
class Told(MemoryStore):
    """A memory store that remembers what was read of it, and lets a test change what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.read_bytes = 0
        self.requests = 0

    def read(self, path: str, start: int = 0, length: int | None = None, *, version: str | None = None) -> Reading:
        self.requests += 1
        reading = super().read(path, start, length, version=version)
        return Reading(reading.object, self._counted(reading.chunks))

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.read_bytes += len(chunk)
            yield chunk

    def change(self, path: str, change: Callable[[bytes], bytes]) -> None:
        with super().read(path) as reading:
            data = b"".join(reading.chunks)
        self.delete(path)
        data = change(data)
        self.put(path, [data], len(data))


@dataclass
class Made:
    store: Told = field(default_factory=Told)
    maker: DatasetMaker = field(init=False)
    bundle: Bundle = field(init=False)

    def __post_init__(self) -> None:
        self.maker = DatasetMaker(self.store)
        bundle_id = self.maker.bundle(SOURCES, volumes_per_index=2)
        self.bundle = Bundle(self.store, self.maker.dataset_id, bundle_id, [self.maker.identity])
        self.store.read_bytes = self.store.requests = 0

    def path(self, within: str) -> str:
        return f"{self.maker.dataset_id}/{self.bundle.bundle_id}/{within}"

    def row(self, path: str) -> ObjectRow:
        (row,) = self.bundle.find(path)
        return row


@pytest.fixture
def made() -> Made:
    return Made()


def test_every_object_comes_back(made: Made) -> None:
    found = {row.path: b"".join(made.bundle.read_object(row)) for row in made.bundle.objects()}
    assert found == {"a/b.txt": b"hello", "big": BIG, "link": b"a/b.txt", "d/e": b"", "empty": b""}
    told = made.row("a/b.txt").object()
    assert told == Object("a/b.txt", 5, 1_706_644_800_123_456_789, version="v1", mode=0o640)


@pytest.mark.parametrize(("start", "length"), [(0, 10), (1_000_000, 100_000), (900_000, 2_000_000), (3_499_999, 5)])
def test_any_range_of_an_object_in_parts_comes_back(made: Made, start: int, length: int) -> None:
    assert b"".join(made.bundle.read_object(made.row("big"), start, length)) == BIG[start : start + length]


def test_a_small_object_is_read_without_reading_its_volume(made: Made) -> None:
    row = made.row("a/b.txt")
    made.store.read_bytes = 0
    assert b"".join(made.bundle.read_object(row)) == b"hello"
    assert made.store.read_bytes < 300_000  # the head, one chunk, and the last


def test_a_statement_is_fetched_once_and_says_who_signed_it(made: Made) -> None:
    assert made.bundle.statement.objects.count == 5
    assert made.bundle.signing_key == made.maker.signer.key
    with made.store.read(made.path("statement.json")) as reading:
        assert hashlib.sha256(b"".join(reading.chunks)).hexdigest() == made.bundle.statement_sha256
    assert made.store.requests == 3


def test_without_an_identity_nothing_opens(made: Made) -> None:
    with pytest.raises(CryptError, match="identity"):
        Bundle(made.store, made.maker.dataset_id, made.bundle.bundle_id).indexes()


def test_a_strangers_identity_opens_nothing(made: Made) -> None:
    with pytest.raises(NoMatchError):
        Bundle(made.store, made.maker.dataset_id, made.bundle.bundle_id, [generate(classic=True)]).indexes()


def flipped(at: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return change


def test_an_altered_statement_is_not_believed(made: Made) -> None:
    made.store.change(made.path("statement.json"), flipped(100))
    with pytest.raises(BadSignatureError):
        _read = made.bundle.statement


def test_the_statement_of_another_bundle_is_not_believed(made: Made) -> None:
    other = "20250130T200000Z-aaaaaa"
    for within in ("statement.json", "statement.json.sig"):
        with made.store.read(made.path(within)) as reading:
            data = b"".join(reading.chunks)
        made.store.put(f"{made.maker.dataset_id}/{other}/{within}", [data], len(data))
    with pytest.raises(BrokenChainError, match="moved or copied"):
        _read = Bundle(made.store, made.maker.dataset_id, other).statement


def test_a_missing_file_is_named(made: Made) -> None:
    made.store.delete(made.path("data/vol-000001.tar.age"))
    with pytest.raises(NotFoundError, match="data/vol-000001"):
        list(made.bundle.read_object(made.row("big")))


def test_an_index_that_a_stranger_encrypted_to_the_same_recipient_is_refused(made: Made) -> None:
    forged = seal(b"x" * 81920, [made.maker.identity.recipient])
    made.store.change(made.path("data/index-0001.db.age"), lambda _data: bytes(forged.data))
    with pytest.raises(HeadChangedError):
        made.bundle.indexes()


def test_a_volume_that_a_stranger_encrypted_to_the_same_recipient_is_refused(made: Made) -> None:
    forged = seal(bytes(1 << 20), [made.maker.identity.recipient])
    made.store.change(made.path("data/vol-000001.tar.age"), lambda _data: bytes(forged.data))
    with pytest.raises(HeadChangedError):
        list(made.bundle.read_object(made.row("a/b.txt")))


def test_two_indexes_that_changed_places_are_refused(made: Made) -> None:
    first, second = made.path("data/index-0001.db.age"), made.path("data/index-0002.db.age")
    with made.store.read(first) as one, made.store.read(second) as two:
        contents = b"".join(one.chunks), b"".join(two.chunks)
    made.store.change(first, lambda _data: contents[1])
    made.store.change(second, lambda _data: contents[0])
    with pytest.raises(HeadChangedError):
        made.bundle.indexes()


@pytest.mark.parametrize("at", [300, 500_000, 1_000_000])
def test_a_flipped_bit_in_a_volume_is_found_by_whom_it_concerns(made: Made, at: int) -> None:
    made.store.change(made.path("data/vol-000002.tar.age"), flipped(at))
    with pytest.raises(CryptError, match=r"data/vol-000002\.tar\.age of the bundle"):
        list(made.bundle.read_object(made.row("big")))
    assert b"".join(made.bundle.read_object(made.row("a/b.txt"))) == b"hello"


def test_a_volume_cut_short_is_an_error(made: Made) -> None:
    made.store.change(made.path("data/vol-000004.tar.age"), lambda data: data[:-70_000])
    with pytest.raises(AlteredError, match="cut short"):
        list(made.bundle.read_object(made.row("big")))


def test_a_recipient_who_forges_chunks_is_found_by_whoever_reads_the_whole_object(made: Made) -> None:
    """Who holds the identity knows the file key and can make chunks under the same head; not the object's digest."""
    from repatria.crypt.header import read_head
    from repatria.crypt.payload import PayloadCipher
    from repatria.crypt.unwrap import unwrap_file_key

    def forge(data: bytes) -> bytes:
        source = iter([data])
        head, _rest = read_head(lambda _size: next(source, b""))
        cipher = PayloadCipher(unwrap_file_key(head.header, [made.maker.identity]), head.nonce)
        start = len(head)
        chunk = bytearray(cipher.open_chunk(memoryview(data)[start : start + 65552], 0, False))
        at = chunk.index(b"hello")
        chunk[at : at + 5] = b"HELLO"
        sealed = bytearray(65552)
        cipher.seal_into(memoryview(bytes(chunk)), 0, False, memoryview(sealed))
        return data[:start] + bytes(sealed) + data[start + 65552 :]

    made.store.change(made.path("data/vol-000001.tar.age"), forge)
    with pytest.raises(AlteredError, match="SHA-256"):
        list(made.bundle.read_object(made.row("a/b.txt")))


@pytest.mark.parametrize(
    ("members", "whole"),
    [
        ([(0, 0, 10)], True),
        ([(1, 0, 4), (2, 4, 6)], True),
        ([], False),
        ([(0, 0, 9)], False),
        ([(0, 0, 11)], False),
        ([(1, 0, 4)], False),
        ([(2, 4, 6)], False),
        ([(1, 0, 4), (2, 5, 5)], False),
        ([(1, 0, 4), (3, 4, 6)], False),
        ([(0, 0, 10), (0, 0, 10)], False),
    ],
)
def test_parts_must_be_the_whole_object(members: list[tuple[int, int, int]], whole: bool) -> None:
    row = ObjectRow(1, "", "a", "file", 10, bytes(32), bytes(16))
    assert is_whole(row, [MemberRow(1, 512, length, 1, part, start) for part, start, length in members]) is whole


def test_an_object_that_the_index_does_not_place_is_an_error(made: Made) -> None:
    with pytest.raises(MalformedError, match="object 99"):
        made.bundle.places(ObjectRow(99, "", "x", "file", 1, bytes(32), bytes(16)))


def test_closing_lets_go_and_opening_again_works(made: Made) -> None:
    assert len(list(made.bundle.objects())) == 5
    made.bundle.close()
    assert len(list(made.bundle.objects())) == 5
    made.bundle.close()
