"""What has arrived in a shared folder: which files are whole, and may be read."""

import fcntl
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from repatria.errors import Role, UnreachableError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.ocr.intake import Scan, ScanFolder, list_scans

DEFAULT_SETTLE = 5.0
"""Seconds for which a file must not change before it is taken for whole."""
EMPTY_SETTLE = 60.0
"""The same for a file without a byte: some scanners make the file first and write the pages later."""
_NOTE = re.compile(r"\.(?:tiff?|jpe?g|png|jp2|j2k|pdf)\.txt$", re.IGNORECASE)
"""The text beside a bad scan, which may be dropped with the scan: it is nobody's page."""


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
        """Return the files that are whole, by folder and name; UnreachableError while the folder is not there."""
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
        if not self.source.folder.is_dir():  # a share that is gone must not look like one without scans
            raise share_gone(self.source.folder)
        listed = list_scans([self.source])
        return [scan for scan in listed if scan.object.kind is ObjectKind.FILE and not _NOTE.search(scan.path)]

    def _is_whole(self, scan: Scan, now: float) -> bool:
        told = scan.object
        if self._whole.get(scan.path) == told.version:
            return True
        needed = self.settle if told.size else max(self.settle, EMPTY_SETTLE)
        return now - self._seen[scan.path][1] >= needed and not _is_written(self.source.folder, told)


def share_gone(folder: Path) -> UnreachableError:
    """Return what is said of a shared folder of which a part is not there: it is not mounted, most likely."""
    return UnreachableError(
        _("The shared folder is gone: {folder} is not there. No scan is lost.").format(folder=folder),
        advice=_("Mount the share again; if it is a new one, make a folder `inbox` in it."),
        role=Role.SOURCE,
    )


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
