"""What a search for damage has read of a bundle so far: a bundle may take longer to read than a window is open.

One line a file that was read, appended to `repair.read` in the dataset's state folder as soon as it was judged, so that
a search which is stopped, or killed, goes on where it ended. The digest of the signed manifest tells the bundle.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from repatria.model import FindingKind
from repatria.work.state import group_rights, unusable

FILE_NAME = "repair.read"
DAYS = 30
"""How long what was read counts: longer than a search takes, and not so long that much rots meanwhile."""
_KEPT = frozenset({FindingKind.INTACT, FindingKind.ALTERED})


class Searched:
    """The memory of the searches of one dataset; `note` may be called from several threads."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Remember in a dataset's state folder, under the dataset's lock."""
        self._file = folder / FILE_NAME
        self._clock = clock

    def known(self, manifest: str) -> dict[str, FindingKind]:
        """Return what was found of the files of a bundle, by path; `manifest` is its manifest's SHA-256, in hex."""
        try:
            lines = self._file.read_bytes().splitlines()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise unusable(self._file, error) from error
        now, known = self._clock(), {}
        for line in lines:
            try:
                kept = json.loads(line)
                counts = kept["manifest"] == manifest and 0 <= now - kept["read"] <= DAYS * 86_400
                path, kind = str(kept["path"]), FindingKind(kept["kind"])
            except (ValueError, TypeError, KeyError):  # a line that a lost machine left half written: it is read again
                continue
            if counts and kind in _KEPT:
                known[path] = kind
        return known

    def note(self, manifest: str, path: str, kind: FindingKind) -> None:
        """Remember what was found of a file. What is not there, or could not be read, is looked at again."""
        if kind not in _KEPT:
            return
        kept = {"manifest": manifest, "path": path, "kind": kind, "read": int(self._clock())}
        line = json.dumps(kept).encode() + b"\n"
        try:
            rights = 0o600 | group_rights(self._file.parent, 0o060)
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, rights)
            try:
                os.write(descriptor, line)  # in one piece: other threads append too
            finally:
                os.close(descriptor)
        except OSError as error:
            raise unusable(self._file, error) from error

    def forget(self) -> None:
        """Forget all of it: the next search reads everything."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            raise unusable(self._file, error) from error
