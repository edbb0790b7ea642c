"""The Merkle tree against RFC 6962's own test vectors (certificate-transparency's merkle_tree_test)."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle.merkle import EMPTY_ROOT, MerkleTree, inclusion_proof, proves_inclusion
from repatria.bundle.rows import ObjectRow, merkle_leaf

INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
LEAVES = [hashlib.sha256(b"\x00" + bytes.fromhex(text)).digest() for text in INPUTS]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# (leaf, size of the tree) -> audit path
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert MerkleTree().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("count", range(1, 9))
def test_roots(count: int) -> None:
    assert MerkleTree(LEAVES[:count]).root().hex() == ROOTS[count - 1]


@pytest.mark.parametrize(("leaf", "count"), PATHS)
def test_audit_paths(leaf: int, count: int) -> None:
    path = inclusion_proof(LEAVES[:count], leaf, count)
    assert [each.hex() for each in path] == PATHS[leaf, count]
    assert proves_inclusion(LEAVES[leaf], leaf, count, path, bytes.fromhex(ROOTS[count - 1]))


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70, unique=True), st.data())
def test_every_leaf_is_proven_and_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leaves) - 1))
    root = MerkleTree(leaves).root()
    path = inclusion_proof(iter(leaves), at, len(leaves))
    assert proves_inclusion(leaves[at], at, len(leaves), path, root)
    assert not proves_inclusion(bytes(32), at, len(leaves), path, root) or leaves[at] == bytes(32)
    assert not proves_inclusion(leaves[at], at, len(leaves), [*path, bytes(32)], root)
    assert not proves_inclusion(leaves[at], len(leaves), len(leaves), path, root)
    if path:
        assert not proves_inclusion(leaves[at], at, len(leaves), path[:-1], root)


def test_there_is_no_proof_for_a_leaf_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        inclusion_proof(LEAVES, 8, 8)


@pytest.mark.parametrize("count", [5, 7])
def test_a_proof_is_over_as_many_leaves_as_were_announced(count: int) -> None:
    with pytest.raises(ValueError, match="leaves came"):
        inclusion_proof(LEAVES[:6], 2, count)


def test_the_leaf_of_an_object_is_as_the_format_has_it() -> None:
    row = ObjectRow(1, "", "é/\udcff", "file", 5, sha256=b"d" * 32, salt=b"s" * 16)
    assert (
        merkle_leaf(row)
        == hashlib.sha256(
            b"\x00" + b"s" * 16 + b"\x00\x00\x00\x00\x00\x00\x00\x04" + b"\xc3\xa9/\xff"
            b"\x00\x00\x00\x00\x00\x00\x00\x05" + b"d" * 32
        ).digest()
    )
