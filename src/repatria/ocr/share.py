"""A shared folder that an archivist sees from Windows: what is whole in `inbox`, and where scans go from there.

```
inbox/      scans are dropped here; a folder is a dossier
done/       scans whose bundle was verified
problems/   scans that need a person, each with a text that says what to do
```

Files are moved by renaming, never copied, deleted or put over another.
"""

import ctypes
import errno
import fcntl
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from repatria.errors import RefusedError, Role, UsageError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.ocr.intake import Scan, ScanFolder, list_scans
from repatria.reasons import reason_of

INBOX, DONE, PROBLEMS = "inbox", "done", "problems"
DEFAULT_SETTLE = 5.0
"""Seconds for which a file must not change before it is taken for whole."""
EMPTY_SETTLE = 60.0
"""The same for a file without a byte: some scanners make the file first and write the pages later."""
_NOTE = re.compile(r"\.(?:tiff?|jpe?g|png|jp2|j2k|pdf)\.txt$", re.IGNORECASE)
"""The text beside a bad scan, which may be dropped with the scan: it is nobody's page."""
_RENAME_NOREPLACE = 1
_AT_FDCWD = -100
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


@dataclass(frozen=True, slots=True)
class Share:
    """The three folders below `root`."""

    root: Path

    def prepare(self) -> None:
        """Make the folders that are missing; UsageError if this user may not work there."""
        try:
            for name in (INBOX, DONE, PROBLEMS):
                folder = self.root / name
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                if folder.stat().st_dev != self.root.stat().st_dev:
                    raise OSError(errno.EXDEV, _("it lies on another disk than the folder above it"))
        except OSError as error:
            raise UsageError(
                _("The shared folder {folder} cannot be used: {reason}. Nothing was done.").format(
                    folder=self.root, reason=reason_of(error)
                ),
                advice=_("Give this user the right to write there: inbox, done and problems are made in it."),
            ) from error

    def source(self) -> ScanFolder:
        """Return the inbox as a source; its folders are dossiers, it is none itself."""
        return ScanFolder(self.root / INBOX, prefix="")

    def finish(self, told: Object) -> Path | None:
        """Move a scan to `done`; None if it is no longer what was read."""
        return self._move(told, self.root / DONE)

    def set_aside(self, told: Object, note: bytes) -> Path | None:
        """Move a scan to `problems`, its note beside it; None if it is no longer what was read."""
        target = self.root / PROBLEMS / told.path
        with self._told():
            target.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(note_of(target), note)
        moved = self._move(told, self.root / PROBLEMS)
        if moved is None or moved != target:
            with self._told():
                if moved is not None:
                    _write_whole(note_of(moved), note)
                if not target.exists():
                    note_of(target).unlink(missing_ok=True)
        return moved

    def resolve(self, path: str, suffix: str) -> Path | None:
        """Take an earlier bad scan of a name out of `problems`: to `done`, with `suffix` in its name; its note goes."""
        bad = self.root / PROBLEMS / path
        if not bad.is_file() or bad.is_symlink():
            return None
        target = self.root / DONE / path
        with self._told():
            target.parent.mkdir(parents=True, exist_ok=True)
            moved = _renamed(bad, target.with_name(f"{target.stem}{suffix}{target.suffix}"))
            note_of(bad).unlink(missing_ok=True)
        return moved

    def _move(self, told: Object, folder: Path) -> Path | None:
        """Rename a scan into another folder, if it still is the file that was read: before and after."""
        origin = self.root / INBOX / told.path
        target = folder / told.path
        with self._told():
            if not _is(origin, told):
                return None
            target.parent.mkdir(parents=True, exist_ok=True)
            moved = _renamed(origin, target)
            if not _is(moved, told):  # dropped anew under its name in this very moment: that one is not read yet
                _renamed(moved, origin)
                return None
        return moved

    def _told(self) -> "_Told":
        return _Told(self.root)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the system says of the share, as an error that says what to do."""

    root: Path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise RefusedError(
                _("In the shared folder {folder} a scan could not be moved: {reason}. No scan is lost.").format(
                    folder=self.root, reason=reason_of(error)
                ),
                advice=_("Make room there and check the rights, then start again."),
                role=Role.SOURCE,
            ) from error


@dataclass(slots=True)
class Arrivals:
    """Tells which files of a source are whole: they did not change for a while, and nobody writes to them."""

    source: ScanFolder
    settle: float = DEFAULT_SETTLE
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[str, float]] = field(default_factory=dict)
    """By path: the version seen last, and when it was seen first."""
    _whole: dict[str, str] = field(default_factory=dict)
    """The versions that were found whole."""

    def whole(self) -> list[Scan]:
        """Return the files that are whole, by folder and name."""
        scans = self._listed()
        now, before = self.clock(), self._seen
        self._seen = {}
        for scan in scans:
            version, since = before.get(scan.path, ("", now))
            self._seen[scan.path] = scan.object.version, since if version == scan.object.version else now
        found = [scan for scan in scans if self._is_whole(scan, now)]
        self._whole = {scan.path: scan.object.version for scan in found}
        return found

    def is_empty(self) -> bool:
        """Tell whether there are no scans at all, whole or not."""
        return not self._listed()

    def _listed(self) -> list[Scan]:
        listed = list_scans([self.source])
        return [scan for scan in listed if scan.object.kind is ObjectKind.FILE and not _NOTE.search(scan.path)]

    def _is_whole(self, scan: Scan, now: float) -> bool:
        told = scan.object
        if self._whole.get(scan.path) == told.version:
            return True
        needed = self.settle if told.size else max(self.settle, EMPTY_SETTLE)
        return now - self._seen[scan.path][1] >= needed and not _is_written(self.source.folder, told)


def note_of(scan: Path) -> Path:
    """Return where the text beside a scan lies."""
    return scan.with_name(f"{scan.name}.txt")


def _is(path: Path, told: Object) -> bool:
    """Tell whether a file is the one that was read: its size and time are the same."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return f"{status.st_size}-{status.st_mtime_ns}" == told.version


def _is_written(folder: Path, told: Object) -> bool:
    """Tell whether a process of this machine (Samba's) has a file open for writing, as far as the system says.

    A read lease is refused then (fcntl(2)); it is let go at once. Its signal is one that is ignored.
    """
    try:
        file = os.open(folder / os.fsdecode(told.path.removeprefix("/")), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except (OSError, AttributeError):  # another's file, a network file system, another system
        return False
    finally:
        os.close(file)
    return False


def _renamed(origin: Path, target: Path) -> Path:
    """Rename a file to a name that is free: `NAME (2).tif` where there is a `NAME.tif`."""
    for candidate in _names(target):
        try:
            _rename_new(origin, candidate)
        except FileExistsError:
            continue
        return candidate
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _names(target: Path) -> Iterator[Path]:
    yield target
    for number in range(2, 10_000):
        yield target.with_name(f"{target.stem} ({number}){target.suffix}")


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


def _write_whole(file: Path, data: bytes) -> None:
    aside = file.with_name(f".{file.name}.part")
    try:
        aside.write_bytes(data)
        aside.replace(file)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()
