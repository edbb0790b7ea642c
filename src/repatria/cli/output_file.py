"""A file that a person asked for with `-o`: there whole, or not at all.

It may be plaintext. So it has no name until it is whole, where the file system can do that: not even a power cut then
leaves a part of it behind.
"""

import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from repatria.errors import FullError, RefusedError, RepatriaError, UsageError
from repatria.i18n import _
from repatria.nameless import give_name, open_nameless
from repatria.reasons import reason_of

Buffer = bytes | bytearray | memoryview


class OutputFile:
    """Takes bytes; what the system says when it fails becomes an error that says what to do."""

    def __init__(self, file: io.FileIO, path: Path) -> None:
        self._file = file
        self._path = path

    def write(self, data: Buffer) -> int:
        """Write all of `data`; FullError if there is no room."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise self.failure(error) from error
        return len(data)

    def settle(self) -> None:
        """Bring what was written to the disk."""
        try:
            if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                os.fsync(self._file.fileno())
        except OSError as error:
            raise self.failure(error) from error

    def failure(self, error: OSError) -> RepatriaError:
        """Return what to tell a person of a system's error."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return FullError(
                _("There is no room left for {file}; it was not written.").format(file=self._path),
                advice=_("Free some space, or choose another disk with -o."),
            )
        return RefusedError(
            _("{file} was not written: {reason}.").format(file=self._path, reason=reason_of(error)),
            advice=_("Check the disk, or choose another place with -o."),
        )


@contextmanager
def output_file(path: Path, *, private: bool = False) -> Iterator[OutputFile]:
    """Give a file to write to that takes the place of `path` when the block ends well, and leaves no trace if not.

    A new file that is `private` can be read by its owner alone.

    A file that is there already is replaced only then, and its mode is kept. A device or a pipe is written to directly.
    SIGTERM and SIGHUP leave no trace either. UsageError if nothing can be written there.
    """
    try:
        target = path.resolve()
        mode = target.stat().st_mode if target.exists() else None
        direct = mode is not None and not stat.S_ISREG(mode)
        nameless = None if direct else open_nameless(target.parent, 0o666)
        aside = None if direct or nameless is not None else _beside(target)
        # Without a buffer: what cannot be written is known at once, and not again when the file is closed.
        file = io.FileIO(nameless, "w") if nameless is not None else io.FileIO(aside or target, "x" if aside else "w")
    except OSError as error:
        raise UsageError(
            _("{file} cannot be written: {reason}.").format(file=path, reason=reason_of(error)),
            advice=_("Choose another place with -o; nothing was written."),
        ) from error
    with file, nullcontext() if aside is None else _removed_on_failure(aside):
        if mode is not None and not direct:
            os.fchmod(file.fileno(), stat.S_IMODE(mode))
        elif private and not direct:
            os.fchmod(file.fileno(), 0o600)
        output = OutputFile(file, path)
        yield output
        output.settle()
        try:
            if aside is not None:
                aside.rename(target)
            elif not direct:
                _take_place(file, target)
        except OSError as error:
            raise output.failure(error) from error


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")


def _take_place(file: io.FileIO, target: Path) -> None:
    """Give a file without a name that of `target`: by way of another, since linking replaces nothing (open(2))."""
    aside = _beside(target)
    with _removed_on_failure(aside):
        give_name(file.fileno(), aside)
        aside.rename(target)


@contextmanager
def _removed_on_failure(aside: Path) -> Iterator[None]:
    """Remove `aside` if the block ends badly, be it by a signal: all of them unwind it (`cli.termination`)."""
    try:
        yield
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
