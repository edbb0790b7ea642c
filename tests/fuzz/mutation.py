"""Right bytes with a few wrong ones among them, and the bounds within which a reader must get over them."""

import os
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from repatria.errors import RepatriaError

EXAMPLES = int(os.environ.get("REPATRIA_FUZZ_EXAMPLES", "120"))
"""For each reader; `./run soak fuzz` sets many more."""
MEBIBYTE = 1 << 20
MOST_MEMORY = 24 * MEBIBYTE
"""What reading a few hundred kibibytes may ever take; a passphrase is tried with little work here."""
UNTOLD = timedelta(seconds=30)
"""A reader that takes longer hangs, however busy the machine is."""

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=UNTOLD,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

TOKENS = (
    *(b"\x00", b"\n", b"\r\n", b" ", b"\t", b"=", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"%0A", b"%", b"..", b"/"),
    *(b"../" * 20, b"-" * 40, b"---", b"-> ", b"-> X25519 a b\n", b"#", b'"', b"\\", b"\\ud800", b"'", b";"),
    *(b"9" * 30, b"9" * 5000, b"-1", b"1e999", b"0.5", b"NaN", b"null", b"true", b"[" * 3000, b'{"a":' * 3000),
    *(b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00" * 600),
)
"""What breaks readers of text, of lengths and of nested things."""


def _flip(draw: st.DrawFn, data: bytearray, start: int, end: int, seeds: Sequence[bytes]) -> None:
    for at in range(start, min(start + 1, len(data))):
        data[at] ^= 1 << draw(st.integers(0, 7))


def _set(draw: st.DrawFn, data: bytearray, start: int, end: int, seeds: Sequence[bytes]) -> None:
    data[start : start + 1] = draw(st.binary(min_size=1, max_size=4))


def _cut(draw: st.DrawFn, data: bytearray, start: int, end: int, seeds: Sequence[bytes]) -> None:
    del data[start:end]


def _truncate(draw: st.DrawFn, data: bytearray, start: int, end: int, seeds: Sequence[bytes]) -> None:
    del data[start:]


def _move(draw: st.DrawFn, data: bytearray, start: int, end: int, seeds: Sequence[bytes]) -> None:
    piece = bytes(data[start:end])
    del data[start:end]
    to = draw(st.integers(0, len(data)))
    data[to:to] = piece


def _splice(draw: st.DrawFn, data: bytearray, start: int, end: int, seeds: Sequence[bytes]) -> None:
    other = draw(st.sampled_from(seeds))
    at = draw(st.integers(0, len(other)))
    data[start:end] = other[at : at + draw(st.integers(0, 200))]


def _put_in(draw: st.DrawFn, data: bytearray, start: int, end: int, seeds: Sequence[bytes]) -> None:
    data[start:start] = draw(st.sampled_from(TOKENS))


def _repeat(draw: st.DrawFn, data: bytearray, start: int, end: int, seeds: Sequence[bytes]) -> None:
    data[start:end] = bytes(data[start:end])[:300] * draw(st.integers(2, 40))


CHANGES = (_flip, _set, _cut, _truncate, _move, _splice, _put_in, _repeat)


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Draw one of the seeds with one to six changes: bits flipped, pieces cut, moved, spliced, repeated, put in."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _change in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.one_of(st.integers(0, 8), st.integers(0, len(data)))))
        draw(st.sampled_from(CHANGES))(draw, data, start, end, seeds)
    return bytes(data)


def read_within_bounds(read: Callable[[], object], most_memory: int = MOST_MEMORY) -> RepatriaError | None:
    """Let something be read; return the project's own error, and let no other pass. Memory is measured."""
    tracemalloc.start()
    try:
        read()
    except RepatriaError as error:
        return error
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most_memory, f"{peak / MEBIBYTE:.0f} MiB"
    return None
