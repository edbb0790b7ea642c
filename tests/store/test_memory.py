"""The store for tests, and what it does when told to fail."""

import pytest

from repatria.errors import AlreadyExistsError, FullError, UnreachableError
from repatria.store.memory import Faults, MemoryStore


def put(store: MemoryStore, path: str, data: bytes = b"12345") -> None:
    store.put(path, [data], len(data))


def test_a_put_that_fails_stores_nothing() -> None:
    store = MemoryStore(faults=Faults(fail_puts={2}))
    put(store, "a")
    with pytest.raises(UnreachableError):
        put(store, "b")
    assert [found.path for found in store.list()] == ["a"]
    put(store, "b")


def test_a_lost_reply_stores_all() -> None:
    store = MemoryStore(faults=Faults(lose_replies={1}))
    with pytest.raises(UnreachableError):
        put(store, "a")
    with pytest.raises(AlreadyExistsError):
        put(store, "a")


def test_bit_rot() -> None:
    store = MemoryStore(faults=Faults(corrupt=lambda path: path == "a"))
    put(store, "a")
    put(store, "b")
    assert [b"".join(store.read(path).chunks) for path in ("a", "b")] == [b"02345", b"12345"]


def test_a_full_store() -> None:
    store = MemoryStore(faults=Faults(capacity=8))
    put(store, "a")
    with pytest.raises(FullError):
        put(store, "b")
    put(store, "c", b"123")


def test_a_read_that_breaks_off() -> None:
    store = MemoryStore(faults=Faults(fail_reads={1}))
    put(store, "a", b"1234")
    chunks = store.read("a").chunks
    assert next(chunks) == b"12"
    with pytest.raises(UnreachableError):
        next(chunks)
    assert b"".join(store.read("a").chunks) == b"1234"


def test_something_happens_before_a_put() -> None:
    seen: list[str] = []
    store = MemoryStore(faults=Faults(before_put=seen.append))
    put(store, "a")
    assert seen == ["a"]
