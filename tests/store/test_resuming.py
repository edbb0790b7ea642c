"""Readings that break off are taken up where they ended."""

from collections.abc import Callable

import pytest

from repatria.errors import ChangedError, UnreachableError
from repatria.store import resuming
from repatria.store.resuming import Resuming

DATA = bytes(range(200))


class Piece:
    """Gives ten bytes at a time from an offset, and fails after some of them."""

    def __init__(self, at: int, left: int, failure: Exception | None = None) -> None:
        self.at, self.left, self.failure = at, left, failure or UnreachableError("cut")
        self.closed = False

    def __next__(self) -> bytes:
        if self.at == len(DATA):
            raise StopIteration
        if self.left <= 0:
            raise self.failure
        chunk = DATA[self.at : self.at + 10]
        self.at, self.left = self.at + 10, self.left - 10
        return chunk

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "FIRST_PAUSE", 0)


def reading(*lengths: int, failure: Exception | None = None) -> tuple[Resuming, list[Piece]]:
    pieces: list[Piece] = []
    left = list(lengths)

    def reopen(at: int) -> Piece:
        pieces.append(Piece(at, left.pop(0) if left else 0, failure))
        return pieces[-1]

    again: Callable[[int], Piece] = reopen
    return Resuming(reopen(0), 0, again), pieces


def test_without_a_break() -> None:
    chunks, pieces = reading(1000)
    assert b"".join(chunks) == DATA
    assert [piece.closed for piece in pieces] == [True]
    assert list(chunks) == []


def test_each_piece_goes_on_where_the_last_ended() -> None:
    chunks, pieces = reading(30, 0, 0, 50, 1000)
    assert b"".join(chunks) == DATA
    assert all(piece.closed for piece in pieces)


def test_patience_ends_when_nothing_more_comes() -> None:
    chunks, pieces = reading(30)
    with pytest.raises(UnreachableError):
        list(chunks)
    assert len(pieces) == 1 + resuming.PATIENCE
    assert list(chunks) == []


def test_what_is_no_break_is_not_tried_again() -> None:
    chunks, pieces = reading(30, failure=ChangedError("changed"))
    with pytest.raises(ChangedError):
        list(chunks)
    assert len(pieces) == 1
    assert pieces[0].closed
