"""Reading ahead: few requests for what is read in order, no waste for what is not."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle.ahead import BLOCK, InMemory, ReadAhead

DATA = bytes(range(256)) * 256 * 40 + b"end"  # 40 blocks and a little


@dataclass
class Counting:
    """Stands for a `DecryptingReader`: what was asked for once is not fetched again."""

    size: int = len(DATA)
    kept: set[int] = field(default_factory=set)
    requests: list[int] = field(default_factory=list)

    def read_at(self, offset: int, length: int) -> bytes:
        blocks = set(range(offset // BLOCK, -(-(offset + length) // BLOCK)))
        if blocks - self.kept:
            self.requests.append(len(blocks - self.kept))
        self.kept |= blocks
        return DATA[offset : offset + length]


@given(st.lists(st.tuples(st.integers(0, len(DATA) + 10), st.integers(0, 200_000)), max_size=20))
def test_the_bytes_are_those_that_are_there(reads: list[tuple[int, int]]) -> None:
    ahead = ReadAhead(InMemory(DATA))
    for offset, length in reads:
        assert ahead.read_at(offset, length) == DATA[offset : offset + length]


def test_pages_read_in_order_take_few_requests() -> None:
    counting = Counting()
    ahead = ReadAhead(counting)
    for offset in range(0, len(DATA), 4096):
        ahead.read_at(offset, 4096)
    assert counting.requests == [2, 4, 8, 16, 11]


def test_a_jump_fetches_what_it_needs_and_no_more() -> None:
    counting = Counting()
    ahead = ReadAhead(counting)
    for block in (30, 10, 20, 5, 35):
        ahead.read_at(block * BLOCK, 4096)
    assert counting.requests == [1] * 5
