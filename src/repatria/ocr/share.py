"""A shared folder that an archivist sees from Windows: what is whole in `inbox`, and where scans go from there.

```
inbox/      scans are dropped here; a folder is a dossier
done/       scans whose bundle was verified
problems/   scans that need a person, each with a text that says what to do
```

In `inbox` lies, hidden, who watches the folder now (docs/formats/leases.md).

Files are moved by renaming, never copied, deleted or put over another. Where the share is not mounted any more, nothing
is written: what lies below the mount point is another disk, that nobody looks at.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from repatria.errors import LockedError, RefusedError, Role, UsageError
from repatria.i18n import _
from repatria.model import Object
from repatria.ocr.arrivals import share_gone
from repatria.ocr.intake import ScanFolder
from repatria.ocr.renaming import fitting, renamed, write_beside
from repatria.reasons import reason_of
from repatria.store.registry import open_store
from repatria.work.lease import Claim, Lease
from repatria.work.lease_files import Terms
from repatria.work.state import StateFolder
from repatria.work.stop import StopSignal

INBOX, DONE, PROBLEMS = "inbox", "done", "problems"
_HIDDEN, _LEASED = ".repatria", "watch"


@dataclass(slots=True)
class Share:
    """The three folders below `root`; what moves scans raises UnreachableError while they are not there."""

    root: Path
    _held: tuple[int, int] | None = field(default=None, init=False)
    """Device and inode of `root` while this is the only watch of it."""

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

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only watch of this folder on this machine; LockedError if another archive's watch is at it.

        The kernel lets go when the process ends. File systems that know no locks have to do without.
        """
        descriptor = os.open(self.root / INBOX, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LockedError(
                    _("Another run watches {folder} already.").format(folder=self.root),
                    advice=_("One watch a folder: let that one work, or give this archive a folder of its own."),
                ) from None
            except OSError:
                pass
            self._held = _identity(self.root)
            yield
        finally:
            self._held = None
            os.close(descriptor)

    @contextmanager
    def leased(
        self, dataset_id: str, state: StateFolder, stop: StopSignal, terms: Terms | None = None
    ) -> Iterator[None]:
        """Be the only watch of the folder on all machines: LockedError names who has it.

        `dataset_id` is the archive's, whose lock is held.
        """
        store = open_store((self.root / INBOX / _HIDDEN).as_uri(), role=Role.SOURCE)
        try:
            with Lease(store, dataset_id, state, stop, terms, Claim(_LEASED, str(self.root), self.require_there)):
                yield
        finally:
            store.close()

    def is_known_to_be(self) -> bool:
        """Tell whether any of the three folders is there: a share that is not mounted has none."""
        return any((self.root / name).is_dir() for name in (INBOX, DONE, PROBLEMS))

    def require_there(self) -> None:
        """Refuse to write where the share is not: UnreachableError if it is gone, RefusedError if it is another."""
        for name in (INBOX, DONE, PROBLEMS):
            if not (self.root / name).is_dir():
                raise share_gone(self.root / name)
        if self._held not in {None, _identity(self.root)}:
            raise RefusedError(
                _("Another folder lies at {folder} than when the watch began. No scan is lost.").format(
                    folder=self.root
                ),
                advice=_("Look at what is mounted there, then start again."),
                role=Role.SOURCE,
            )

    def source(self) -> ScanFolder:
        """Return the inbox as a source; its folders are dossiers, it is none itself."""
        return ScanFolder(self.root / INBOX, prefix="")

    def twin_of(self, told: Object) -> str:
        """Return where in `done` a scan lies that has the bytes of one in the inbox; empty if there is none."""
        origin, digest = self.root / INBOX / told.path, b""
        with suppress(OSError):  # somebody moves files meanwhile: then it is not named
            for folder, _folders, names in os.walk(self.root / DONE):
                for file in (Path(folder, name) for name in sorted(names)):
                    if file.stat(follow_symlinks=False).st_size == told.size:
                        digest = digest or _digest(origin)
                        if _digest(file) == digest:
                            return str(file.relative_to(self.root))
        return ""

    def finish(self, told: Object, note: bytes = b"") -> Path | None:
        """Move a scan to `done`, with a note if there is one; None if it is no longer what was read."""
        moved = self._move(told, DONE)
        if moved is not None and note:
            with self._told():
                write_beside(note_of(moved), note)
        return moved

    def set_aside(self, told: Object, note: bytes) -> Path | None:
        """Move a scan to `problems`, its note beside it; None if it is no longer what was read."""
        self.require_there()
        with self._told():
            target = self._place(PROBLEMS, told.path)
            write_beside(note_of(target), note)
        moved = self._move(told, PROBLEMS)
        if moved is None or moved != target:
            with self._told():
                if moved is not None:
                    write_beside(note_of(moved), note)
                if not target.exists():
                    note_of(target).unlink(missing_ok=True)
        return moved

    def resolve(self, path: str, suffix: str) -> Path | None:
        """Take an earlier bad scan of a name out of `problems`: to `done`, with `suffix` in its name; its note goes."""
        self.require_there()
        bad = self.root / PROBLEMS / path
        if not bad.is_file() or bad.is_symlink():
            return None
        with self._told():
            target = self._place(DONE, path)
            moved = renamed(bad, fitting(target.parent, target.stem, f"{suffix}{target.suffix}"))
            note_of(bad).unlink(missing_ok=True)
        return moved

    def _move(self, told: Object, name: str) -> Path | None:
        """Rename a scan into another of the folders, if it still is the file that was read: before and after."""
        self.require_there()
        origin = self.root / INBOX / told.path
        with self._told():
            if not _is(origin, told):
                return None
            moved = renamed(origin, self._place(name, told.path))
            if not _is(moved, told):  # dropped anew under its name in this very moment: that one is not read yet
                renamed(moved, origin)
                return None
        return moved

    def _place(self, name: str, path: str) -> Path:
        """Return where a scan goes to, the folders it lies in made; never one of the three."""
        place = self.root / name / path
        for folder in reversed(place.relative_to(self.root / name).parents[:-1]):
            (self.root / name / folder).mkdir(exist_ok=True)
        return place

    def _told(self) -> "_Told":
        return _Told(self)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the system says of the share, as an error that says what to do."""

    share: Share

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            self.share.require_there()
            raise RefusedError(
                _("In the shared folder {folder} a scan could not be moved: {reason}. No scan is lost.").format(
                    folder=self.share.root, reason=reason_of(error)
                ),
                advice=_("Make room there and check the rights, then start again."),
                role=Role.SOURCE,
            ) from error


def note_of(scan: Path) -> Path:
    """Return where the text beside a scan lies."""
    return fitting(scan.parent, scan.name, ".txt")


def _digest(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from the one below its mount point; None if it is not there."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is(path: Path, told: Object) -> bool:
    """Tell whether a file is the one that was read: its size and time are the same."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return f"{status.st_size}-{status.st_mtime_ns}" == told.version
