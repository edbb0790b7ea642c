"""A file that a person asked for with `-o`: there whole, or not at all."""

import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from repatria.errors import FullError, RefusedError, RepatriaError, UsageError
from repatria.i18n import _
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
            raise self._failure(error) from error
        return len(data)

    def settle(self) -> None:
        """Bring what was written to the disk."""
        try:
            if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> RepatriaError:
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
def output_file(path: Path) -> Iterator[OutputFile]:
    """Give a file to write to that takes the place of `path` when the block ends well, and leaves no trace if not.

    A file that is there already is replaced only then, and its mode is kept. A device or a pipe is written to directly.
    UsageError if nothing can be written there.
    """
    try:
        target = path.resolve()
        mode = target.stat().st_mode if target.exists() else None
        direct = mode is not None and not stat.S_ISREG(mode)
        aside = target if direct else target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
        file = _opened(aside, direct)
    except OSError as error:
        raise UsageError(
            _("{file} cannot be written: {reason}.").format(file=path, reason=reason_of(error)),
            advice=_("Choose another place with -o; nothing was written."),
        ) from error
    try:
        with file:
            if mode is not None and not direct:
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            output = OutputFile(file, path)
            yield output
            output.settle()
        if not direct:
            aside.rename(target)
    except BaseException:
        if not direct:
            aside.unlink(missing_ok=True)
        raise


def _opened(path: Path, direct: bool) -> io.FileIO:
    """Open without a buffer: what cannot be written is known at once, and not again when the file is closed."""
    return io.FileIO(path, "w" if direct else "x")
