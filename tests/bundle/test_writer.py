"""Putting the files of a bundle: once, in order, and the same again after an interruption."""

import hashlib

import pytest

from repatria.bundle.writer import WRITING_ORDER, BundleWriter
from repatria.crypt.identity import generate
from repatria.crypt.seal import seal
from repatria.errors import AlreadyExistsError, UnreachableError
from repatria.store.memory import Faults, MemoryStore

SEALED = seal(b"payload" * 1000, [generate(classic=True).recipient])
FILES = {path: path.encode() for path in reversed(WRITING_ORDER)}


def writer(store: MemoryStore) -> BundleWriter:
    return BundleWriter(store, "d", "20240130T200000Z-abcdef")


def test_every_file_lies_where_the_format_says() -> None:
    store = MemoryStore()
    writer(store).put_volume(1, SEALED)
    writer(store).put_index(2, SEALED)
    writer(store).put_checkpoint(2, b"{}\n", "signature")
    assert sorted(told.path.removeprefix("d/20240130T200000Z-abcdef/") for told in store.list()) == [
        "checkpoints/0002.json",
        "checkpoints/0002.json.sig",
        "data/index-0002.db.age",
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


@pytest.mark.parametrize("stopped_at", range(1, len(WRITING_ORDER) + 1))
def test_a_bundle_is_finished_by_its_last_file_and_gone_on_with_from_any(stopped_at: int) -> None:
    order: list[str] = []
    store = MemoryStore(faults=Faults(fail_puts={stopped_at}, before_put=order.append))
    with pytest.raises(UnreachableError):
        writer(store).finish(FILES)
    assert not any(told.path.endswith("/tagmanifest-sha256.txt") for told in store.list())
    writer(store).finish(FILES)
    assert [path.rpartition("/")[2] for path in order[stopped_at:]] == list(WRITING_ORDER)
    assert len(list(store.list())) == len(WRITING_ORDER)


def test_a_bundle_is_not_finished_with_a_file_less() -> None:
    store = MemoryStore()
    with pytest.raises(ValueError, match="finish"):
        writer(store).finish({"bagit.txt": b"x"})
    assert not list(store.list())
