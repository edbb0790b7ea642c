"""Bytes in memory that several processes of this machine use: without any file, without travelling with each page.

A scan is read by all who work its pages, and what they make of it is laid beside it: pictures and PDFs of a thick
register are larger than a process that works pages may be.
"""

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

Source = bytes | Path
"""Bytes, or the path under which they are read: of memory, never of a file on a disk."""
_COPY_BELOW = 64 * 1024
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class SharedBytes:
    """Bytes that travel to another process of this machine by reference where the system can (Linux), else by copy.

    The reference is an anonymous memory file (memfd_create(2)): it has no name, and the kernel drops it when the last
    process that holds it ends, however it ends. It lives until `close`; `read` works in any process until then.
    """

    size: int
    content: bytes = field(repr=False)
    """The bytes themselves where they travel by copy."""
    process: int = 0
    descriptor: int = -1
    offset: int = 0
    """Where they begin in the memory file."""

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Hold `data`."""
        if len(data) < _COPY_BELOW or not hasattr(os, "memfd_create"):
            return cls.carried(data)
        descriptor = os.memfd_create("scan", os.MFD_CLOEXEC)
        _write(descriptor, data, 0)
        return cls(len(data), b"", os.getpid(), descriptor)

    @classmethod
    def carried(cls, data: bytes) -> Self:
        """Hold `data` so that it travels by copy, to wherever that may be."""
        return cls(len(data), data)

    def read(self) -> bytes:
        """Return the bytes."""
        return content_of(self.source, self.offset, self.size)

    @property
    def source(self) -> Source:
        """The bytes for who reads but parts of them: a path under which this memory is read, where it has one.

        Only of what was made by `of`.
        """
        return self.content if self.descriptor < 0 else Path(f"/proc/{self.process}/fd/{self.descriptor}")

    def close(self) -> None:
        """Let the bytes go; only the process that made them may, once."""
        if self.descriptor >= 0 and self.process == os.getpid():
            os.close(self.descriptor)


def content_of(source: Source, start: int = 0, size: int = -1) -> bytes:
    """Return the bytes of a source from `start`; all of them, or so many."""
    if isinstance(source, bytes):
        return source[start:] if size < 0 else source[start : start + size]
    with source.open("rb") as held:
        held.seek(start)
        return held.read(size)


Piece = bytes | SharedBytes


def joined(pieces: Iterable[Piece]) -> bytes:
    """Return pieces as one."""
    return b"".join(piece if isinstance(piece, bytes) else piece.read() for piece in pieces)


@dataclass(frozen=True, slots=True)
class SharedSpace:
    """Room for what is made of a scan, by several processes, until `close`; where the system has none, all is carried.

    It grows at its end. The process that made it may `keep` from several threads; `gather` is for one at a time, in
    any process, while nobody keeps.
    """

    process: int
    descriptor: int

    @classmethod
    def new(cls) -> Self:
        """Return an empty one."""
        if not hasattr(os, "memfd_create"):
            return cls(0, -1)
        return cls(os.getpid(), os.memfd_create("made", os.MFD_CLOEXEC))

    def keep(self, held: SharedBytes) -> SharedBytes:
        """Return the same bytes, laid here if they were carried."""
        if self.descriptor < 0 or held.descriptor >= 0 or held.size < _COPY_BELOW:
            return held
        with _lock:
            return self._laid(self.descriptor, [held])

    def gather(self, pieces: Iterable[Piece]) -> SharedBytes:
        """Return pieces as one, laid here: of those that are held elsewhere one at a time is in this process."""
        if self.descriptor < 0:
            return SharedBytes.carried(joined(pieces))
        # By its path, as this may be another process than the one that made it.
        descriptor = os.open(f"/proc/{self.process}/fd/{self.descriptor}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            return self._laid(descriptor, pieces)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let all that is in it go; only the process that made it may, once."""
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def _laid(self, descriptor: int, pieces: Iterable[Piece]) -> SharedBytes:
        start = end = os.fstat(descriptor).st_size
        for piece in pieces:
            data = piece if isinstance(piece, bytes) else piece.read()
            _write(descriptor, data, end)
            end += len(data)
        return SharedBytes(end - start, b"", self.process, self.descriptor, start)


def _write(descriptor: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written
