"""Member names: what an object is called inside a volume's tar (docs/formats/bundle.md, "Member names").

Stock tar must give every object back, whatever its path: a path that tar or a file system cannot hold, or that needs a
folder where another member is a file, is stored under the hash of its path.
"""

import hashlib
import re
import threading
from typing import Protocol

from repatria.bundle.rows import path_bytes

HASHED_FOLDER = b"_names"
MAX_PATH = 3_900
MAX_COMPONENT = 240
_PART = re.compile(rb"\.part-[0-9]+\Z")


def is_natural(path: str) -> bool:
    """Return whether a path, looked at alone, can be its own member name."""
    raw = path_bytes(path)
    components = raw.split(b"/")
    return (
        len(raw) <= MAX_PATH
        and b"\x00" not in raw
        and components[0] != HASHED_FOLDER
        and all(_is_plain(component) for component in components)
    )


def hashed_name(path: str) -> str:
    """Return the member name of a path that cannot be its own."""
    return f"{HASHED_FOLDER.decode()}/{hashlib.sha256(path_bytes(path)).hexdigest()}"


def again_name(path: str, number: int) -> str:
    """Return the member name of a path that already has a member in this bundle: `number` is the object's."""
    return f"{hashed_name(path)}-{number}"


def part_name(name: str, part: int) -> str:
    """Return the member name of one part of an object; part 0 is the whole object."""
    return f"{name}.part-{part:06d}" if part else name


def possible_names(path: str, number: int) -> frozenset[str]:
    """Return every member name that a right bundle may give to the object `number` at `path`."""
    hashed = {hashed_name(path), again_name(path, number)}
    return frozenset(hashed | {path} if is_natural(path) else hashed)


class NameMemory(Protocol):
    """A set of 16-byte marks; `set` is one, a journal's table another."""

    def add(self, mark: bytes, /) -> None:
        """Remember a mark."""

    def __contains__(self, mark: object, /) -> bool:
        """Tell whether the mark was added."""


class MemberNames:
    """Gives every object of one bundle its member name, and remembers what is taken.

    What is remembered are keyed hashes of names, never names: `memory` may lie on a disk. Safe from several threads.
    """

    def __init__(self, memory: NameMemory | None = None, key: bytes = b"") -> None:
        self._memory: NameMemory = set() if memory is None else memory
        self._key = key
        self._lock = threading.Lock()

    def claim(self, path: str, number: int, *, directory: bool = False) -> str:
        """Return the member name of the object `number` at `path`, and take it."""
        raw = path_bytes(path)
        with self._lock:
            if self._taken(b"path", raw):
                return again_name(path, number)
            self._memory.add(self._mark(b"path", raw))
            if not is_natural(path) or self._collides(raw, directory):
                return hashed_name(path)
            self._take(raw, directory)
            return path

    def _collides(self, raw: bytes, directory: bool) -> bool:
        if self._taken(b"file", raw) or (not directory and self._taken(b"folder", raw)):
            return True
        return any(self._taken(b"file", folder) for folder in _folders(raw))

    def _take(self, raw: bytes, directory: bool) -> None:
        self._memory.add(self._mark(b"folder" if directory else b"file", raw))
        for folder in _folders(raw):
            self._memory.add(self._mark(b"folder", folder))

    def _taken(self, role: bytes, raw: bytes) -> bool:
        return self._mark(role, raw) in self._memory

    def _mark(self, role: bytes, raw: bytes) -> bytes:
        return hashlib.blake2b(raw, digest_size=16, key=self._key, person=role).digest()


def _is_plain(component: bytes) -> bool:
    return component not in {b"", b".", b".."} and len(component) <= MAX_COMPONENT and not _PART.search(component)


def _folders(raw: bytes) -> list[bytes]:
    """Return every folder that a path needs, the innermost first."""
    folders = []
    while b"/" in raw:
        raw = raw.rpartition(b"/")[0]
        folders.append(raw)
    return folders
