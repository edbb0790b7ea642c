"""Asking many indexes the same: at the same time, because over a long link each answer takes several round trips."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AT_ONCE = 16

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


def at_once(ask: Callable[[_Asked], _Answer], asked: Sequence[_Asked]) -> list[_Answer]:
    """Return every answer in order; what one raises is raised."""
    if len(asked) < 2:
        return [ask(each) for each in asked]
    with ThreadPoolExecutor(min(AT_ONCE, len(asked))) as executor:
        return list(executor.map(ask, asked))
