"""Member names: what an object is called inside a volume's tar (docs/formats/bundle.md, "Member names").

Stock tar must give every object back, whatever its path: a path that tar or a file system cannot hold, or that needs a
folder where another member is a file, is stored under the hash of its path.
"""

import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from repatria.bundle.rows import path_bytes

HASHED_FOLDER = b"_names"
MAX_PATH = 3_900
MAX_COMPONENT = 240
_PART = re.compile(rb"\.part-[0-9]+\Z")
_FILE: Final = b"f"
"""After a path's hash: a file or symlink has the path as its member name."""
_FOLDER: Final = b"d"
"""A folder that members need, or are."""
_OTHER: Final = b"o"
"""An object has the path that is stored under another name, or is an empty directory."""


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

    def __contains__(self, mark: bytes, /) -> bool:
        """Tell whether the mark was added."""


class MemberNames:
    """Gives every object of one bundle its member name, and remembers what is taken.

    What is remembered are keyed hashes of names, never names: `memory` may lie on a disk. Safe from several threads.
    """

    def __init__(self, memory: NameMemory | None = None, key: bytes = b"") -> None:
        self._memory: NameMemory = set() if memory is None else memory
        self._hashing = hashlib.blake2b(digest_size=15, key=key, person=b"member names")
        self._lock = threading.Lock()
        self._folder = b""
        self._folders: tuple[bytes, ...] = ()

    def claim(self, path: str, number: int, *, directory: bool = False) -> str:
        """Return the member name of the object `number` at `path`, and take it."""
        raw = path_bytes(path)
        mark = self._hash(raw)
        memory = self._memory
        with self._lock:
            if mark + _FILE in memory or mark + _OTHER in memory:
                return again_name(path, number)
            folders = self._folders_of(raw)
            if not is_natural(path) or self._collides(mark, folders, directory):
                memory.add(mark + _OTHER)
                return hashed_name(path)
            for role in (_OTHER, _FOLDER) if directory else (_FILE,):
                memory.add(mark + role)
            for folder in folders:
                memory.add(folder + _FOLDER)
            return path

    def _collides(self, mark: bytes, folders: Sequence[bytes], directory: bool) -> bool:
        """Return whether an object needs a folder where a member is a file, or would be a file where one is needed."""
        if not directory and mark + _FOLDER in self._memory:
            return True
        return any(folder + _FILE in self._memory for folder in folders)

    def _folders_of(self, raw: bytes) -> tuple[bytes, ...]:
        """Return the hashes of every folder that a path needs; listings tell of a folder's objects one by one."""
        folder = raw.rpartition(b"/")[0]
        if folder != self._folder:
            self._folder, self._folders = folder, tuple(map(self._hash, _with_folders(folder)))
        return self._folders

    def _hash(self, raw: bytes) -> bytes:
        running = self._hashing.copy()
        running.update(raw)
        return running.digest()


def _is_plain(component: bytes) -> bool:
    return component not in {b"", b".", b".."} and len(component) <= MAX_COMPONENT and not _PART.search(component)


def _with_folders(folder: bytes) -> Iterator[bytes]:
    """Yield a folder and every folder that it lies in, the innermost first; nothing for none."""
    while folder:
        yield folder
        folder = folder.rpartition(b"/")[0]
