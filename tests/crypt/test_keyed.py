"""What the writing machine keeps: unlinkable without its key."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.crypt.errors import LocalSealError
from repatria.crypt.keyed import keyed_hash, open_local, seal_local

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))


@given(st.binary(max_size=500), st.binary(max_size=20))
def test_a_row_opens_with_its_key_and_purpose_only(data: bytes, purpose: bytes) -> None:
    sealed = seal_local(KEY, data, purpose)
    assert len(sealed) == len(data) + 32
    assert open_local(KEY, sealed, purpose) == data
    for key, other in ((OTHER, purpose), (KEY, purpose + b"x")):
        with pytest.raises(LocalSealError):
            open_local(key, sealed, other)


@given(st.binary(max_size=100), st.data())
def test_no_changed_byte_goes_unnoticed(data: bytes, draw: st.DataObject) -> None:
    sealed = bytearray(seal_local(KEY, data, b"rows"))
    sealed[draw.draw(st.integers(0, len(sealed) - 1))] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(LocalSealError):
        open_local(KEY, bytes(sealed), b"rows")


@given(st.binary(max_size=100))
def test_survives_anything(sealed: bytes) -> None:
    with pytest.raises(LocalSealError):
        open_local(KEY, sealed, b"rows")


def test_the_same_row_never_looks_the_same() -> None:
    assert len({seal_local(KEY, b"row", b"rows") for _count in range(100)}) == 100


def test_keyed_hashes_link_equal_data_under_one_key_only() -> None:
    data = os.urandom(20)
    assert keyed_hash(KEY, data) == keyed_hash(KEY, data)
    assert len(keyed_hash(KEY, data)) == 32
    assert len({keyed_hash(KEY, data), keyed_hash(OTHER, data), keyed_hash(KEY, data + b"\0")}) == 3
