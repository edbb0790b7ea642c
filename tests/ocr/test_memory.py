"""A scan's bytes reach the processes that work it, and leave no file."""

import os
import pickle
from pathlib import Path

import pytest

from repatria.ocr.isolation import Children
from repatria.ocr.memory import SharedBytes

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
