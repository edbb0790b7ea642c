"""The checksums that sources keep of their objects, computed while the bytes pass.

Amazon keeps a CRC-64/NVME of whatever nobody gave it another checksum of, and every service may keep one of
`x-amz-checksum-*` (Amazon S3 user guide, Checking object integrity). The AWS Common Runtime computes both of the CRCs
that Python has not, at the speed of memory; see docs/adr/source-checksums.md.
"""

import hashlib
import zlib
from collections.abc import Callable
from typing import Protocol


class RunningChecksum(Protocol):
    """A checksum under way, as hashlib has them."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Add bytes."""

    def hexdigest(self) -> str:
        """Return the checksum of all bytes so far."""


class _Crc:
    """A cyclic redundancy check, from a function that takes bytes and what came out for those before."""

    def __init__(self, function: Callable[[bytes | memoryview, int], int], digits: int) -> None:
        self._function = function
        self._digits = digits
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        """Add bytes."""
        self._value = self._function(data, self._value)

    def hexdigest(self) -> str:
        """Return the checksum of all bytes so far."""
        return f"{self._value:0{self._digits}x}"


def running_checksum(algorithm: str) -> RunningChecksum | None:
    """Return a checksum to be fed beside SHA-256; None for SHA-256 itself and for an algorithm that is not known."""
    match algorithm:
        case "crc32":
            return _Crc(zlib.crc32, 8)
        case "crc32c":
            from awscrt.checksums import crc32c

            return _Crc(crc32c, 8)
        case "crc64nvme":
            from awscrt.checksums import crc64nvme

            return _Crc(crc64nvme, 16)
        case _:
            return _of_hashlib(algorithm)


def _of_hashlib(algorithm: str) -> RunningChecksum | None:
    if algorithm == "sha256" or algorithm not in hashlib.algorithms_available:
        return None
    return hashlib.new(algorithm, usedforsecurity=False)
