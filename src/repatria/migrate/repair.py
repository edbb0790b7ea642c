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
from repatria.progress import SILENT, Progress, Unit
from repatria.store.base import Store
from repatria.verify.fixity import check_files


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a bundle's payload."""

    bundle: Bundle
    files: tuple[str, ...]
    """Payload files that are altered or missing, by path within the bundle."""

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
    store: Store, dataset_id: str, bundle_id: str, identities: Sequence[Identity] = (), progress: Progress = SILENT
) -> Damage:
    """Read a finished bundle's payload and return what is not as it was signed.

    UnverifiableError (3) if the manifest itself is not: nothing can be told of the others then.
    """
    bundle = Bundle(store, dataset_id, bundle_id, identities)
    manifest = bundle.folder.fetch(layout.MANIFEST, MAX_DOCUMENT)
    if hashlib.sha256(manifest).hexdigest() != bundle.statement.files[layout.MANIFEST]:
        raise UnverifiableError(
            _("The manifest of the bundle {bundle} is not the one that was signed.").format(bundle=bundle_id),
            advice=_("Bring that one file, {file}, back from a second copy. Nothing was done.").format(
                file=layout.MANIFEST
            ),
        )
    digests = layout.parse_manifest(manifest)
    progress.start(_("Verifying {bundle}").format(bundle=bundle_id), bundle.statement.volumes.bytes, Unit.BYTES)
    found = check_files(bundle.folder, digests, progress=progress)
    damaged = tuple(verdict.subject.removeprefix(f"{bundle_id}/") for verdict in found)
    progress.finish()
    return Damage(bundle, damaged)
