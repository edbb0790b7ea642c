"""Large files past the page cache: the same bytes on every file system, whatever it says to that."""

import errno
import os
import random
from itertools import count
from pathlib import Path

import pytest

from repatria.errors import Role
from repatria.store import local_direct
from repatria.store.local import LocalStore
from repatria.store.local_direct import BLOCK, DIRECT_FROM

SIZES = [DIRECT_FROM - 1, DIRECT_FROM, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 4096, 3 * BLOCK + 777]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "vault", role=Role.TARGET)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 -- the same bytes every time, not a secret


def put_in_pieces(store: LocalStore, path: str, data: bytes, piece: int) -> None:
    view = memoryview(data)
    store.put(path, (view[at : at + piece] for at in range(0, len(view), piece)), len(data))


def read(store: LocalStore, path: str) -> bytes:
    with store.read(path) as reading:
        return b"".join(reading.chunks)


@pytest.mark.parametrize("piece", [100_003, 1 << 20, 64 << 20])
@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_is_what_lies_there_and_what_is_read(store: LocalStore, size: int, piece: int) -> None:
    data = noise(size)
    put_in_pieces(store, "file", data, piece)
    assert (store.root / "file").read_bytes() == data
    assert read(store, "file") == data


def test_a_file_system_without_such_a_way_is_written_through_its_cache(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_direct, "_O_DIRECT", 0)
    put_in_pieces(store, "file", noise(BLOCK + 5), 1 << 20)
    assert read(store, "file") == noise(BLOCK + 5)


@pytest.mark.parametrize("short", [True, False], ids=["takes less than a block", "refuses"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_one_that_goes_back_on_its_word_too(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, after: int, short: bool
) -> None:
    blocks, reads, write, preadv = count(), count(), os.write, os.preadv

    def refusing_write(file: int, data: memoryview) -> int:
        if len(data) == BLOCK and next(blocks) == after:
            if short:
                return write(file, data[:4096])
            raise OSError(errno.EINVAL, "no")
        return write(file, data)

    def refusing_preadv(file: int, buffers: list[memoryview], offset: int) -> int:
        if next(reads) == after:
            raise OSError(errno.EINVAL, "no")
        return preadv(file, buffers, offset)

    monkeypatch.setattr(os, "write", refusing_write)
    monkeypatch.setattr(os, "preadv", refusing_preadv)
    data = noise(3 * BLOCK + 100)
    put_in_pieces(store, "file", data, 1 << 20)
    assert (store.root / "file").read_bytes() == data
    assert read(store, "file") == data
