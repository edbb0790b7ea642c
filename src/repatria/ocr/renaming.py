"""Renaming a file to a name that is free: never over another file, never to a name that is too long."""

import ctypes
import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

LONGEST_NAME = 255
"""Bytes of a file's name, on every file system that matters here."""
_RENAME_NOREPLACE = 1
_AT_FDCWD = -100
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


def fitting(folder: Path, stem: str, ending: str) -> Path:
    """Return the path of a name in a folder, its stem cut where the whole would be too long."""
    room = LONGEST_NAME - len(os.fsencode(ending))
    kept = os.fsencode(stem)[:room] if len(os.fsencode(stem)) > room else os.fsencode(stem)
    if len(kept) == room:  # a letter may be cut in the middle
        kept = kept.decode("utf-8", "ignore").encode() or kept
    return folder / f"{os.fsdecode(kept)}{ending}"


def renamed(origin: Path, target: Path) -> Path:
    """Rename a file to a name that is free: `NAME (2).tif` where there is a `NAME.tif`; return what it became."""
    for candidate in _names(target):
        try:
            _rename_new(origin, candidate)
        except FileExistsError:
            continue
        return candidate
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def write_beside(file: Path, data: bytes) -> None:
    """Write a small file that a person will read, whole or not at all."""
    aside = file.with_name(f".{secrets.token_hex(6)}.part")
    try:
        aside.write_bytes(data)
        aside.replace(file)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()


def _names(target: Path) -> Iterator[Path]:
    yield target
    for number in range(2, 10_000):
        yield fitting(target.parent, target.stem, f" ({number}){target.suffix}")


def _rename_new(origin: Path, target: Path) -> None:
    """Rename, and never replace: renameat2(2), or where a file system knows no such thing, look first."""
    rename = _renameat2()
    if rename is not None:
        if rename(_AT_FDCWD, os.fsencode(origin), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) == 0:
            return
        number = ctypes.get_errno()
        if number not in _CANNOT:
            raise OSError(number, os.strerror(number))
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    origin.rename(target)


@cache
def _renameat2() -> "ctypes._FuncPointer | None":
    library = ctypes.CDLL(None, use_errno=True)
    try:
        function = library.renameat2
    except AttributeError:
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return function
