"""The volumes of one bundle, each with its new head before the same payload: read once, proven, replaced."""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from repatria.bundle.index_volumes import NewVolume
from repatria.bundle.rewrap_record import VolumeHeads, VolumeState, state_of
from repatria.errors import NotFoundError
from repatria.i18n import _
from repatria.model import Finding, FindingKind
from repatria.progress import Progress
from repatria.work.rewrap_site import FoundError, RewrapSite, pieces

_WORKERS = 4
_MEMORY = 512 << 20
"""Bytes of volumes that are in memory at a time, unless a single one has more."""


@dataclass(slots=True)
class VolumeRewrapper:
    """Replaces the volumes of one bundle."""

    site: RewrapSite
    bundle_id: str
    progress: Progress
    wanted: Mapping[str, bytes] | None = None
    """Path -> SHA-256 that each volume is to have; nothing else is put in its place."""
    replaced: int = 0
    """How many were replaced by now; the others had their new head already."""
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)

    def run(self, volumes: Sequence[VolumeHeads]) -> list[NewVolume]:
        """Return what each volume is now; FoundError, and no volume more is begun, once one is not what was signed."""
        largest = max((volume.size for volume in volumes), default=1)
        workers = max(1, min(_WORKERS, self.site.store.reads_at_once, _MEMORY // largest))
        found: list[Finding] = []
        made: list[NewVolume] = []
        with ThreadPoolExecutor(workers) as executor:
            try:
                for outcome in executor.map(self._rewrap, volumes):
                    if isinstance(outcome, Finding):
                        found.append(outcome)
                    elif outcome is not None:
                        made.append(outcome)
            finally:
                self._stopping.set()
        if found:
            raise FoundError(found)
        return made

    def _rewrap(self, volume: VolumeHeads) -> NewVolume | Finding | None:
        """Return what a volume is now, or what is wrong with it; None if another one was wrong before its turn."""
        if self._stopping.is_set():
            return None
        self.site.patience.stop.raise_if_requested()
        subject, path = f"{self.bundle_id}/{volume.name}", f"{self.bundle_id}/{volume.name}"
        old, new = volume.old_head, volume.new_head
        try:
            data = self.site.read(path, volume.size + len(new))
        except NotFoundError:
            self._stopping.set()
            return Finding(FindingKind.MISSING, subject, _("It is not there. Restore it from a second copy."))
        state = state_of(volume, data)
        if state is VolumeState.OTHER:
            self._stopping.set()
            detail = _("Its bytes have another SHA-256 than was signed. Restore it from a second copy.")
            return Finding(FindingKind.ALTERED, subject, detail)
        payload = memoryview(data)[len(old if state is VolumeState.OLD else new) :]
        digest = hashlib.sha256(new)
        digest.update(payload)
        if self.wanted is not None and self.wanted.get(volume.name) != digest.digest():
            self._stopping.set()
            return Finding(FindingKind.ALTERED, subject, _("What lies aside for it is not what was signed for it."))
        size = len(new) + len(payload)
        if state is VolumeState.OLD:
            if self._stopping.is_set():
                return None
            self.site.replace(path, pieces(new, payload), size, digest.digest())
            self.replaced += 1
        self.progress.advance(volume.size)
        return NewVolume(volume.number, size, digest.digest(), hashlib.sha256(new).digest())
