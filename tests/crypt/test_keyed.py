"""What the writing machine keeps: unlinkable without its key."""

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.crypt.derive import hkdf_sha256
from repatria.crypt.errors import LocalSealError
from repatria.crypt.keyed import KeyedHash, open_local, seal_local

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


def test_keyed_hashes_link_equal_data_under_one_key_and_purpose_only() -> None:
    data = os.urandom(20)
    named = KeyedHash(KEY, b"path")
    assert named(data) == named(data) == KeyedHash(KEY, b"path")(data)
    assert len(named(data)) == 16
    assert len({named(data), KeyedHash(OTHER, b"path")(data), KeyedHash(KEY, b"x")(data), named(data + b"\0")}) == 4


def test_a_keyed_hash_is_blake2b_under_a_key_of_its_own() -> None:
    derived = hkdf_sha256(KEY, b"", b"repatria keyed hash 2")
    expected = hashlib.blake2b(b"data", digest_size=16, key=derived, person=b"path").digest()
    assert KeyedHash(KEY, b"path")(b"data") == expected
