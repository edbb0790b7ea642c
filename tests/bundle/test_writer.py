"""Putting the files of a bundle: once, and the same again after an interruption."""

import hashlib

import pytest

from repatria.bundle.writer import BundleWriter
from repatria.crypt.identity import generate
from repatria.crypt.seal import seal
from repatria.errors import AlreadyExistsError
from repatria.store.memory import Faults, MemoryStore

SEALED = seal(b"payload" * 1000, [generate(classic=True).recipient])


def writer(store: MemoryStore) -> BundleWriter:
    return BundleWriter(store, "d", "20240130T200000Z-abcdef")


def test_every_file_lies_where_the_format_says() -> None:
    store = MemoryStore()
    writer(store).put_volume(1, SEALED)
    writer(store).put("checkpoints/0002.json", b"{}\n")
    assert sorted(told.path.removeprefix("d/20240130T200000Z-abcdef/") for told in store.list()) == [
        "checkpoints/0002.json",
        "data/vol-000001.tar.age",
    ]


def test_what_is_there_already_with_the_same_bytes_is_done() -> None:
    store = MemoryStore()
    for _attempt in range(2):
        writer(store).put_volume(1, SEALED)
        writer(store).put("bagit.txt", b"x")


def test_other_bytes_are_never_written_over() -> None:
    store = MemoryStore()
    writer(store).put("bagit.txt", b"x")
    with pytest.raises(AlreadyExistsError):
        writer(store).put("bagit.txt", b"y")
    with store.read("d/20240130T200000Z-abcdef/bagit.txt") as reading:
        assert b"".join(reading.chunks) == b"x"


def test_reading_back_tells_whether_the_bytes_are_there() -> None:
    store = MemoryStore()
    digest = hashlib.sha256(b"x").digest()
    assert not writer(store).read_back("bagit.txt", digest, 1)
    writer(store).put("bagit.txt", b"x")
    assert writer(store).read_back("bagit.txt", digest, 1)
    assert not writer(store).read_back("bagit.txt", digest, 2)
    assert not writer(store).read_back("bagit.txt", bytes(32), 1)


@pytest.mark.parametrize("damaged", [0, 9 << 20, (20 << 20) - 1])
def test_a_large_file_is_read_back_to_its_last_byte(damaged: int) -> None:
    data = bytearray(20 << 20)
    digest = hashlib.sha256(data).digest()
    store = MemoryStore()
    writer(store).put("data/whole", bytes(data))
    assert writer(store).read_back("data/whole", digest, len(data))
    assert not writer(store).read_back("data/whole", digest, len(data) - 1)
    assert not writer(store).read_back("data/whole", digest, len(data) + 1)
    data[damaged] ^= 1
    writer(store).put("data/damaged", bytes(data))
    assert not writer(store).read_back("data/damaged", digest, len(data))


def test_a_store_that_keeps_other_bytes_is_found_out() -> None:
    store = MemoryStore(faults=Faults(corrupt=lambda path: path.endswith("age")))
    writer(store).put_volume(1, SEALED)
    assert not writer(store).read_back("data/vol-000001.tar.age", SEALED.sha256, len(SEALED.data))
