"""A scan's bytes reach the processes that work it, and leave no file."""

import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repatria.ocr.isolation import Children
from repatria.ocr.memory import Piece, SharedBytes, SharedSpace, joined

LARGE = os.urandom(3 << 20)


def length_of(shared: SharedBytes) -> tuple[int, bytes]:
    data = shared.read()
    return len(data), data[-8:]


@pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_a_child_reads_what_was_shared(data: bytes) -> None:
    shared = SharedBytes.of(data)
    try:
        assert shared.read() == data
        with Children() as children:
            assert children.call(length_of, shared) == (len(data), data[-8:])
    finally:
        shared.close()


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory without a name is Linux's")
def test_a_large_scan_travels_as_a_reference() -> None:
    shared = SharedBytes.of(LARGE)
    try:
        assert len(pickle.dumps(shared)) < 1000
        assert "(deleted)" in str(Path(f"/proc/self/fd/{shared.descriptor}").readlink())
    finally:
        shared.close()


def test_the_bytes_are_not_in_the_representation() -> None:
    assert "secret" not in repr(SharedBytes.of(b"secret"))


@pytest.fixture
def space() -> Iterator[SharedSpace]:
    made = SharedSpace.new()
    yield made
    made.close()


def gathered(unit: tuple[SharedSpace, list[Piece]]) -> SharedBytes:
    space, pieces = unit
    return space.gather(pieces)


def test_what_a_child_gathers_is_read_here(space: SharedSpace) -> None:
    first = space.keep(SharedBytes.carried(LARGE))
    assert first.content == b""
    pieces: list[Piece] = [b"%PDF", first, b"small", SharedBytes.carried(b"end")]
    more: list[Piece] = [b"another"]
    with Children() as children:
        made = children.call(gathered, (space, pieces))
        again = children.call(gathered, (space, more))
    assert made.read() == b"%PDF" + LARGE + b"smallend"
    assert again.read() == b"another"
    assert first.read() == LARGE


def test_threads_that_lay_at_the_same_time_do_not_overwrite_each_other(space: SharedSpace) -> None:
    pictures = [os.urandom(100_000 + number) for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        laid = list(threads.map(space.keep, map(SharedBytes.carried, pictures)))
    assert [each.read() for each in laid] == pictures


def test_what_is_small_is_carried(space: SharedSpace) -> None:
    assert space.keep(SharedBytes.carried(b"small")).content == b"small"


def test_without_nameless_memory_all_is_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    space = SharedSpace.new()
    kept = space.keep(SharedBytes.carried(LARGE))
    assert (kept.read(), space.gather([b"a", kept]).content) == (LARGE, b"a" + LARGE)
    assert joined([b"a", kept]) == b"a" + LARGE
    space.close()
