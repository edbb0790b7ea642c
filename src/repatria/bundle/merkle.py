"""The Merkle tree of RFC 6962, section 2.1, over leaves that are hashed already (`rows.merkle_leaf`)."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of no leaves."""


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """A root over leaves as they come, in memory that grows with the logarithm of their count."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.count = 0
        self._peaks: list[bytes] = []  # roots of the perfect subtrees, the largest first: the set bits of count
        for leaf in leaves:
            self.add(leaf)

    def add(self, leaf: bytes) -> None:
        """Append a leaf (32 bytes, hashed already)."""
        self._peaks.append(leaf)
        self.count += 1
        for _level in range((self.count & -self.count).bit_length() - 1):
            right = self._peaks.pop()
            self._peaks.append(node(self._peaks.pop(), right))

    def root(self) -> bytes:
        """Return the tree hash of the leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node(peak, root)
        return root


def inclusion_proof(leaves: Iterable[bytes], index: int, count: int) -> list[bytes]:
    """Return the audit path of leaf `index` (from 0) of `count`, the lowest first (RFC 6962, section 2.1.1).

    The leaves are taken once, as they come, and are not kept. ValueError if there are more or fewer than `count`.
    """
    if not 0 <= index < count:
        raise IndexError(index)
    ranges = _sibling_ranges(index, count)
    siblings = {first: MerkleTree() for first, _last in ranges}
    within = sorted((*ranges, (index, index + 1)))
    coming = iter(leaves)
    for first, last in within:
        tree = siblings.get(first, MerkleTree())
        for leaf in islice(coming, last - first):
            tree.add(leaf)
        if tree.count < last - first:
            raise ValueError("fewer leaves came than were announced")
    if next(coming, None) is not None:
        raise ValueError("more leaves came than were announced")
    return [siblings[first].root() for first, _last in ranges]


def _sibling_ranges(index: int, count: int) -> list[tuple[int, int]]:
    """Return the leaves (first, end) under each node of an audit path, the lowest first."""
    ranges: list[tuple[int, int]] = []
    first, last = 0, count
    while last - first > 1:
        middle = first + _split(last - first)
        if index < middle:
            ranges.append((middle, last))
            last = middle
        else:
            ranges.append((first, middle))
            first = middle
    return ranges[::-1]


def proves_inclusion(leaf: bytes, index: int, count: int, path: Sequence[bytes], root: bytes) -> bool:
    """Return whether `path` proves leaf `index` of `count` under `root` (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < count:
        return False
    position, last, computed = index, count - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            computed = node(sibling, computed)
            while position & 1 == 0 and position:
                position, last = position >> 1, last >> 1
        else:
            computed = node(computed, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and computed == root


def _split(count: int) -> int:
    """Return the largest power of two that is smaller than `count` (at least 2)."""
    return 1 << ((count - 1).bit_length() - 1)
