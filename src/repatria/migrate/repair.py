"""What a damaged bundle makes it necessary to copy again.

Files of a bundle are written once, so a damaged volume is not written anew. Its objects are copied again into the next
bundle of the chain: readers take the latest row of a path, and never look into the old volume.
"""

import hashlib
from collections.abc import Container, Sequence
from dataclasses import dataclass

from repatria.bundle import layout
from repatria.bundle.reader import Bundle
from repatria.bundle.statement import MAX_DOCUMENT
from repatria.crypt.identity import Identity
from repatria.errors import UnverifiableError
from repatria.i18n import _
from repatria.model import Finding, FindingKind
from repatria.progress import SILENT, Progress, Unit
from repatria.store.base import Store
from repatria.verify.fixity import check_files
from repatria.verify.report import Verdict
from repatria.work.searched import Searched

_DAMAGED = frozenset({FindingKind.ALTERED, FindingKind.MISSING})


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a bundle's payload."""

    bundle: Bundle
    files: tuple[str, ...]
    """Payload files that are altered or missing, by path within the bundle."""
    unread: tuple[Finding, ...] = ()
    """Of payload files that could not be read: nobody knows what is in them."""
    remembered: int = 0
    """Payload files that an earlier search of the same bundle had read."""

    @property
    def volumes(self) -> frozenset[int] | None:
        """The volumes whose objects are told apart from others: the damaged ones.

        None for all of the bundle: without an identity, or where an index is damaged, nobody can tell more.
        """
        volumes = [int(match[1]) for path in self.files if (match := layout.VOLUME.match(path))]
        return frozenset(volumes) if self.bundle.identities and len(volumes) == len(self.files) else None

    def objects(self) -> Container[int]:
        """Return the numbers of the objects that have bytes in `volumes`."""
        counts, volumes = self.bundle.statement.objects, self.volumes
        if volumes is None:
            return range(counts.first, counts.next)
        return {
            member.object for index in self.bundle.indexes() for volume in volumes for member in index.members(volume)
        }


def find_damage(
    store: Store,
    dataset_id: str,
    bundle_id: str,
    searched: Searched,
    identities: Sequence[Identity] = (),
    progress: Progress = SILENT,
) -> Damage:
    """Read a finished bundle's payload and return what is not as it was signed.

    Files that `searched` remembers are not read again; what is read, it is told. UnverifiableError (3) if the manifest
    itself is not: nothing can be told of the others then.
    """
    bundle = Bundle(store, dataset_id, bundle_id, identities)
    manifest = bundle.folder.fetch(layout.MANIFEST, MAX_DOCUMENT)
    signed = hashlib.sha256(manifest).hexdigest()
    if signed != bundle.statement.files[layout.MANIFEST]:
        raise UnverifiableError(
            _("The manifest of the bundle {bundle} is not the one that was signed.").format(bundle=bundle_id),
            advice=_("Bring that one file, {file}, back from a second copy. Nothing was done.").format(
                file=layout.MANIFEST
            ),
        )
    digests = layout.parse_manifest(manifest)
    known = {path: kind for path, kind in searched.known(signed).items() if path in digests}
    unknown = {path: digest for path, digest in digests.items() if path not in known}

    def note(path: str, verdict: Verdict | None) -> None:
        searched.note(signed, path, FindingKind.INTACT if verdict is None else verdict.finding.kind)

    # Volumes are of about one size: so much of the bundle is left to read.
    left = bundle.statement.volumes.bytes * len(unknown) // max(1, len(digests))
    progress.start(_("Verifying {bundle}").format(bundle=bundle_id), left, Unit.BYTES)
    try:
        found = [verdict.finding for verdict in check_files(bundle.folder, unknown, progress=progress, note=note)]
    finally:
        progress.finish()
    damaged = {each.subject.removeprefix(f"{bundle_id}/") for each in found if each.kind in _DAMAGED}
    damaged.update(path for path, kind in known.items() if kind in _DAMAGED)
    unread = tuple(each for each in found if each.kind not in _DAMAGED)
    return Damage(bundle, tuple(path for path in digests if path in damaged), unread, len(known))
