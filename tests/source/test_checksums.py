"""Checksums that sources keep: each gives the check value that its catalogue has for `123456789`, however it is cut."""

import pytest

from repatria.source.checksums import running_checksum

CHECKS = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "md5": "25f9e794323b453885f5181f1b624d0b",
    "sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
}
"""Of the catalogue of parametrised CRC algorithms, and of RFC 1321 and FIPS 180."""


@pytest.mark.parametrize("algorithm", CHECKS)
@pytest.mark.parametrize("cut", range(10))
def test_bytes_in_any_pieces_give_the_known_check_value(algorithm: str, cut: int) -> None:
    running = running_checksum(algorithm)
    assert running is not None
    running.update(memoryview(bytearray(b"123456789"))[:cut])
    running.update(b"123456789"[cut:])
    assert running.hexdigest() == CHECKS[algorithm]


@pytest.mark.parametrize("algorithm", ["sha256", "crc99", ""])
def test_what_runs_anyway_or_is_not_known_is_not_computed(algorithm: str) -> None:
    assert running_checksum(algorithm) is None
