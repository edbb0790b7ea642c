"""Reading a part is as safe as reading the whole, and gives what a plain file would."""

import io
import os
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repatria.crypt.errors import HeadChangedError, HeaderError, NoMatchError, PayloadError, TruncatedError
from repatria.crypt.header import Stanza
from repatria.crypt.identity import generate
from repatria.crypt.payload import CHUNK_SIZE, SEALED_CHUNK_SIZE
from repatria.crypt.seal import seal
from repatria.crypt.seek import DecryptingReader, fetch_head
from repatria.errors import CryptError

IDENTITY = generate(classic=True)
PAYLOAD = os.urandom(5 * CHUNK_SIZE + 1234)


class Ranges:
    """Bytes by range, each request remembered."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self.data = bytes(data)
        self.requests: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length > 0
        assert offset + length <= len(self.data)
        self.requests.append((offset, length))
        return self.data[offset : offset + length]


SEALED = seal(PAYLOAD, [IDENTITY.recipient])


def reader_of(payload: bytes) -> DecryptingReader:
    return DecryptingReader(Ranges(seal(payload, [IDENTITY.recipient]).data), [IDENTITY])


SEEKS = st.tuples(st.just("seek"), st.integers(-2 * CHUNK_SIZE, 8 * CHUNK_SIZE), st.sampled_from([0, 1, 2]))
READS = st.tuples(st.just("read"), st.integers(-1, 4 * CHUNK_SIZE), st.just(0))
NEAR = st.tuples(st.just("seek"), st.integers(-3, 3).map(lambda step: step + 2 * CHUNK_SIZE), st.just(0))


@given(
    st.sampled_from([0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE, len(PAYLOAD)]),
    st.lists(st.one_of(SEEKS, READS, NEAR), max_size=30),
)
def test_any_seeks_and_reads_equal_a_plain_file(size: int, steps: Sequence[tuple[str, int, int]]) -> None:
    plain, reader = io.BytesIO(PAYLOAD[:size]), reader_of(PAYLOAD[:size])
    for action, number, whence in steps:
        if action == "read":
            assert reader.read(number) == plain.read(number)
        else:
            base = {0: 0, 1: plain.tell(), 2: size}[whence]
            if base + number < 0:
                with pytest.raises(ValueError, match="negative"):
                    reader.seek(number, whence)
            else:
                assert reader.seek(number, whence) == plain.seek(base + number)
        assert reader.tell() == plain.tell()
    assert reader.payload_size == size


@given(st.integers(0, len(PAYLOAD) + 10), st.integers(0, len(PAYLOAD) + 10))
def test_read_at_is_a_slice(offset: int, length: int) -> None:
    reader = DecryptingReader(Ranges(SEALED.data), [IDENTITY], head_sha256=SEALED.head_sha256, size=len(SEALED.data))
    assert reader.read_at(offset, length) == PAYLOAD[offset : offset + length]


def test_works_under_a_buffer() -> None:
    with io.BufferedReader(reader_of(PAYLOAD), 4096) as buffered:
        buffered.seek(70_000)
        assert buffered.read(10) == PAYLOAD[70_000:70_010]
        assert buffered.read() == PAYLOAD[70_010:]


def test_decrypts_only_the_chunks_it_touches_and_neighbours_in_one_request() -> None:
    ranges = Ranges(SEALED.data)
    reader = DecryptingReader(ranges, [IDENTITY])
    offset = reader.payload_offset
    ranges.requests.clear()
    assert reader.read_at(CHUNK_SIZE + 5, 10) == PAYLOAD[CHUNK_SIZE + 5 : CHUNK_SIZE + 15]
    assert ranges.requests == [(offset + SEALED_CHUNK_SIZE, SEALED_CHUNK_SIZE)]
    ranges.requests.clear()
    reader.read_at(2 * CHUNK_SIZE, 2 * CHUNK_SIZE)
    assert ranges.requests == [(offset + 2 * SEALED_CHUNK_SIZE, 2 * SEALED_CHUNK_SIZE)]
    ranges.requests.clear()
    reader.read_at(CHUNK_SIZE, 3 * CHUNK_SIZE)
    assert ranges.requests == []


def test_reads_more_than_it_keeps() -> None:
    payload = os.urandom(200 * CHUNK_SIZE)
    ranges = Ranges(seal(payload, [IDENTITY.recipient]).data)
    reader = DecryptingReader(ranges, [IDENTITY])
    assert reader.read() == payload
    assert reader.read_at(10, 100) == payload[10:110]
    assert max(length for _offset, length in ranges.requests) <= 64 * SEALED_CHUNK_SIZE


def test_several_threads_read_at_once() -> None:
    reader = reader_of(PAYLOAD)
    wrong: list[int] = []

    def read(step: int) -> None:
        for offset in range(0, len(PAYLOAD), step):
            if reader.read_at(offset, step) != PAYLOAD[offset : offset + step]:
                wrong.append(offset)

    threads = [threading.Thread(target=read, args=(step,)) for step in (40_000, 70_000, 100_000, 130_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# What a hostile or broken store may do.


class Unused:
    """An identity that must never be tried."""

    recipient = IDENTITY.recipient

    def unwrap(self, offered: Sequence[Stanza]) -> bytes | None:
        raise AssertionError

    def secret_text(self) -> str:
        raise AssertionError


def test_another_file_in_its_place_is_found_before_any_identity_is_used() -> None:
    """Anyone can encrypt to a public recipient: only the digest tells whose file it is."""
    forged = seal(PAYLOAD, [IDENTITY.recipient])
    with pytest.raises(HeadChangedError):
        DecryptingReader(Ranges(forged.data), [Unused()], head_sha256=SEALED.head_sha256)


def test_a_true_head_on_other_chunks_is_found() -> None:
    forged = seal(PAYLOAD, [IDENTITY.recipient])
    offset = len(fetch_head(Ranges(SEALED.data)))
    data = bytes(SEALED.data[:offset]) + bytes(forged.data[offset:])
    reader = DecryptingReader(Ranges(data), [IDENTITY], head_sha256=SEALED.head_sha256)
    with pytest.raises(PayloadError):
        reader.read_at(0, 1)
    with pytest.raises(PayloadError):
        _size = reader.payload_size


def test_swapped_chunks_are_found() -> None:
    offset = len(fetch_head(Ranges(SEALED.data)))
    data = bytearray(SEALED.data)
    one, two = (slice(offset + n * SEALED_CHUNK_SIZE, offset + (n + 1) * SEALED_CHUNK_SIZE) for n in (1, 2))
    data[one], data[two] = data[two], data[one]
    reader = DecryptingReader(Ranges(data), [IDENTITY], head_sha256=SEALED.head_sha256)
    assert reader.read_at(0, 100) == PAYLOAD[:100]
    for chunk in (1, 2):
        with pytest.raises(PayloadError):
            reader.read_at(chunk * CHUNK_SIZE, 1)


@pytest.mark.parametrize("chunks", [1, 2, 3, 4, 5])
def test_a_cut_at_a_chunk_is_found_before_the_size_is_trusted(chunks: int) -> None:
    offset = len(fetch_head(Ranges(SEALED.data)))
    cut = SEALED.data[: offset + chunks * SEALED_CHUNK_SIZE]
    reader = DecryptingReader(Ranges(cut), [IDENTITY], head_sha256=SEALED.head_sha256)
    for ask in (
        lambda: reader.payload_size,
        lambda: reader.seek(0, 2),
        reader.readall,
        lambda: reader.read_at(10**9, 1),
    ):
        with pytest.raises(TruncatedError):
            ask()
    with pytest.raises(TruncatedError):
        reader.read_at((chunks - 1) * CHUNK_SIZE, 1)


@pytest.mark.parametrize("extra", [1, 16, 17, SEALED_CHUNK_SIZE, 2 * SEALED_CHUNK_SIZE])
def test_an_extension_is_found_before_the_size_is_trusted(extra: int) -> None:
    full = seal(PAYLOAD[: 3 * CHUNK_SIZE], [IDENTITY.recipient])
    for data in (bytes(full.data) + bytes(full.data[-extra:]), bytes(full.data) + bytes(extra)):
        with pytest.raises(PayloadError):
            _size = DecryptingReader(Ranges(data), [IDENTITY], head_sha256=full.head_sha256).payload_size


@given(st.data())
@settings(max_examples=60)
def test_no_changed_byte_is_ever_given_out(draw: st.DataObject) -> None:
    changed = bytearray(SEALED.data)
    position = draw.draw(st.integers(0, len(changed) - 1))
    changed[position] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(CryptError):
        DecryptingReader(Ranges(changed), [IDENTITY], head_sha256=SEALED.head_sha256).readall()


@given(st.integers(0, len(SEALED.data) - 1))
@settings(max_examples=60)
def test_a_cut_anywhere_is_found(cut: int) -> None:
    with pytest.raises((HeaderError, PayloadError)):
        DecryptingReader(Ranges(SEALED.data[:cut]), [IDENTITY]).readall()


def test_the_signed_size_is_checked_first() -> None:
    ranges = Ranges(SEALED.data)
    with pytest.raises(PayloadError, match="instead of"):
        DecryptingReader(ranges, [IDENTITY], size=len(SEALED.data) + 1)
    assert not ranges.requests


def test_a_stranger_opens_nothing() -> None:
    with pytest.raises(NoMatchError):
        DecryptingReader(Ranges(SEALED.data), [generate(True), generate()])


def test_is_read_only_and_can_be_closed() -> None:
    reader = reader_of(b"x")
    assert reader.readable()
    assert reader.seekable()
    assert not reader.writable()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)
