"""Two trees, byte for byte."""

import filecmp
import os
import stat
from collections.abc import Iterator
from pathlib import Path


def differences(left: Path, right: Path) -> Iterator[str]:
    """Yield the path of everything that is not the same in both trees: kind, bytes, link target, rights or time."""
    for name in sorted(names(left) | names(right)):
        if not _same(left / name, right / name):
            yield name


def names(root: Path) -> set[str]:
    """Return the paths of everything in a tree; links are not followed."""
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def _same(left: Path, right: Path) -> bool:
    if not os.path.lexists(left) or not os.path.lexists(right):
        return False
    one, other = left.lstat(), right.lstat()
    if stat.S_IFMT(one.st_mode) != stat.S_IFMT(other.st_mode):
        return False
    if stat.S_ISLNK(one.st_mode):
        return left.readlink() == right.readlink()
    if not stat.S_ISREG(one.st_mode):
        return True
    return (
        stat.S_IMODE(one.st_mode) == stat.S_IMODE(other.st_mode)
        and one.st_mtime_ns == other.st_mtime_ns
        and filecmp.cmp(left, right, shallow=False)
    )
