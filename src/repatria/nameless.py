"""A file that has no name until it is whole, where the file system can make one (open(2), O_TMPFILE).

Whatever kills the process before, a power cut included, leaves nothing of it behind: that matters for keys, and for
what was decrypted.
"""

import os
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")


def open_nameless(folder: Path, mode: int) -> int | None:
    """Return a new file in `folder`, open for writing; None where there can be none (sticks with FAT, NFS)."""
    if not _DESCRIPTORS.is_dir():
        return None
    try:
        return os.open(folder, os.O_WRONLY | os.O_TMPFILE, mode)
    except OSError:  # whatever else is wrong shows when one with a name is made
        return None


def give_name(file: int, path: Path) -> None:
    """Give a nameless file its name; FileExistsError if that is taken."""
    # Any descriptor makes Python's link follow the link in /proc.
    os.link(_DESCRIPTORS / str(file), path, src_dir_fd=file)
