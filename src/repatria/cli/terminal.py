"""What a terminal needs: sentences broken at words, and a line at the bottom that never mixes with what is written."""

import os
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

NARROWEST = 20
"""Columns: a terminal that tells less, or nothing, is taken to have `USUAL`."""
USUAL = 80
SECONDS_BETWEEN_DRAWINGS = 0.2
ERASE = "\r\x1b[K"


def columns(stream: TextIO) -> int:
    """Return how many columns the terminal behind a stream has."""
    try:
        told = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return columns_wished_for() or USUAL
    return told if told >= NARROWEST else USUAL


def columns_wished_for() -> int | None:
    """Return what COLUMNS says, for output that no terminal shows; None without it, or if it is no sensible number."""
    told = os.environ.get("COLUMNS", "")
    wished = int(told) if told.isdecimal() else 0
    return wished if wished >= NARROWEST else None


def fitted(text: str, stream: TextIO) -> str:
    """Return text as it is written to a stream: on a terminal in lines broken between words, elsewhere unchanged.

    A word longer than a line (a path, a URI, a key) stays whole: the terminal wraps it, and it is copied as one.
    """
    if not stream.isatty():
        return text
    indent = text[: len(text) - len(text.lstrip(" "))]
    lines = textwrap.wrap(
        text,
        columns(stream),
        subsequent_indent=indent,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines) or text


class BottomLine:
    """One line, drawn anew a few times a second by a thread of its own; `aside` takes it away while others write."""

    def __init__(self, stream: TextIO, render: Callable[[int], str]) -> None:
        """`render` is given a width and returns at most so many columns; an empty line is not shown."""
        self._stream = stream
        self._render = render
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._drawn = False
        self._thread = threading.Thread(target=self._draw_again_and_again, name="bottom line", daemon=True)

    def __enter__(self) -> "BottomLine":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join()
        with self._lock:
            self._erase()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Keep the line off the screen while something else is written."""
        with self._lock:
            self._erase()
            yield

    def draw(self) -> None:
        """Show the line as it is now."""
        with self._lock:
            line = self._render(columns(self._stream) - 1)  # a full line would make some terminals begin another
            if line:
                self._write(f"\r{line}\x1b[K")
            else:
                self._erase()
            self._drawn = bool(line)

    def _erase(self) -> None:
        if self._drawn:
            self._write(ERASE)
            self._drawn = False

    def _draw_again_and_again(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_DRAWINGS):
            self.draw()

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # the terminal is gone; the work goes on
            self._over.set()
