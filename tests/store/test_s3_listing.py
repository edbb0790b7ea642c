"""Pages of a listing as services send them, and as none should."""

import pytest

from repatria.store.s3_link import BrokenError
from repatria.store.s3_listing import object_of, page_of, span_of


def listing(size: str) -> bytes:
    entry = f"<Key>k</Key><Size>{size}</Size><LastModified>2026-01-01T00:00:00Z</LastModified>"
    return f"<ListBucketResult><Contents>{entry}</Contents></ListBucketResult>".encode()


@pytest.mark.parametrize("size", [0, 5, 5 << 40, (1 << 63) - 1])
def test_sizes_are_as_they_are_told(size: int) -> None:
    assert [each.size for each in page_of(listing(str(size))).objects] == [size]
    assert object_of("k", {"content-length": str(size)}).size == size


@pytest.mark.parametrize("size", ["-5", "", "many", "5.0", "1_000", "٣", str(1 << 63), str(10**30), "9" * 5000])
def test_sizes_that_nothing_can_have_are_no_listing(size: str) -> None:
    with pytest.raises(BrokenError):
        page_of(listing(size))
    with pytest.raises(BrokenError):
        span_of({"content-length": size})


@pytest.mark.parametrize("told", ["bytes 0-4/" + "9" * 5000, f"bytes {10**30}-5/6"])
def test_ranges_that_nothing_can_have_are_no_reply(told: str) -> None:
    with pytest.raises(BrokenError):
        span_of({"content-range": told, "content-length": "5"})
