"""The end of a bundle whose volumes have their new heads: indexes, manifests and statement laid aside, then in place.

Everything is complete and signed aside before the first old file goes. From then on no key is needed, and however
often the run is cut off, the next one puts the same bytes in place.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from repatria.bundle import layout
from repatria.bundle.ahead import InMemory
from repatria.bundle.closing import PayloadFile, closing_files
from repatria.bundle.errors import AlteredError
from repatria.bundle.files import FileRanges
from repatria.bundle.index import Index
from repatria.bundle.index_volumes import NewVolume, with_volumes
from repatria.bundle.merkle import MerkleTree
from repatria.bundle.reader import Bundle
from repatria.bundle.rewrap_record import BundleToRewrap, RewrapRecord
from repatria.bundle.rows import merkle_leaf
from repatria.bundle.statement import (
    BOUND_FILES,
    MAX_DOCUMENT,
    NAMESPACE,
    IndexEntry,
    Previous,
    Replaces,
    Statement,
    VolumeCounts,
    parse_statement,
)
from repatria.bundle.succession import kept_number, kept_paths, replaced_by, tells_the_same
from repatria.crypt import sshsig
from repatria.crypt.recipient import Recipient
from repatria.crypt.seal import seal
from repatria.crypt.seek import DecryptingReader
from repatria.crypt.sshsig import Signer, SigningKey
from repatria.i18n import _
from repatria.work.rewrap_plan import STAGED, installing_order, removing_order
from repatria.work.rewrap_site import RewrapSite, aside_folder

Trusts = Callable[[SigningKey, str], bool]
"""Whether what was signed at a time (RFC 3339, UTC) may be signed by a key."""


@dataclass(frozen=True, slots=True)
class Closing:
    """Makes, lays aside and installs what ends the change of recipients of a bundle."""

    site: RewrapSite
    record: RewrapRecord
    recipients: Sequence[Recipient]
    signer: Signer
    trusts: Trusts

    def stage(self, bundle: Bundle, volumes: Mapping[int, NewVolume], base_sha256: str | None) -> None:
        """Lay aside the new files of a bundle, signed; `base_sha256` is of the statement of the bundle before it, now.

        CryptError if the identities do not open its indexes, or these are not what was signed.
        """
        aside = aside_folder(bundle.bundle_id)
        for path in removing_order(self.site.aside(bundle.bundle_id)):  # of a run that was cut off
            if path.startswith(STAGED):
                self.site.remove(aside + path)
        kept = self._keep(bundle)
        entries = [self._index(bundle, entry, volumes) for entry in bundle.statement.indexes]
        files = self._files(bundle, entries, volumes, base_sha256, kept)
        for path in installing_order(files):
            self.site.put(f"{aside}{STAGED}{path}", files[path])

    def _keep(self, bundle: Bundle) -> dict[str, bytes]:
        """Keep the statement that is to be replaced; return the digests of both files by path."""
        path = layout.kept_path(kept_number(bundle.statement))
        data = bytes(self.site.read(f"{bundle.bundle_id}/{layout.STATEMENT}", MAX_DOCUMENT))
        signature = bytes(self.site.read(f"{bundle.bundle_id}/{layout.STATEMENT_SIGNATURE}", MAX_DOCUMENT))
        if hashlib.sha256(data).hexdigest() != bundle.statement_sha256:
            raise AlteredError(_("The statement changes while it is read."))
        files = {path: data, layout.signature_path(path): signature}
        for name, content in files.items():
            self.site.put(f"{bundle.bundle_id}/{name}", content)
        return {name: hashlib.sha256(content).digest() for name, content in files.items()}

    def _index(self, bundle: Bundle, entry: IndexEntry, volumes: Mapping[int, NewVolume]) -> IndexEntry:
        """Lay one new index aside and return its entry; what it says of objects stays, to the byte."""
        old = self.site.patience.insist(lambda: _read_index(bundle, entry))
        numbers, objects = _contents(old)
        new = with_volumes(old, (volumes[number] for number in sorted(numbers)))
        if _contents(new) != (numbers, objects):
            raise AssertionError("an index got other objects with its new volumes")
        sealed = seal(new, self.recipients)
        self.site.put(f"{aside_folder(bundle.bundle_id)}{STAGED}{entry.name}", bytes(sealed.data))
        return entry.model_copy(
            update={
                "size": len(sealed.data),
                "sha256": sealed.sha256.hex(),
                "payload_sha256": sealed.payload_sha256.hex(),
                "head_sha256": sealed.head_sha256.hex(),
            }
        )

    def _files(
        self,
        bundle: Bundle,
        indexes: Sequence[IndexEntry],
        volumes: Mapping[int, NewVolume],
        base_sha256: str | None,
        kept: Mapping[str, bytes],
    ) -> dict[str, bytes]:
        old = bundle.statement
        previous = old.previous
        if previous is not None and base_sha256 is not None:
            previous = Previous(bundle=previous.bundle, sha256=base_sha256)
        draft = old.model_copy(
            update={
                "recipients": self.record.recipients,
                "previous": previous,
                "tool": layout.TOOL,
                "files": {},
                "indexes": tuple(indexes),
                "volumes": VolumeCounts(count=len(volumes), bytes=sum(each.size for each in volumes.values())),
                "replaces": Replaces(
                    number=kept_number(old),
                    sha256=bundle.statement_sha256,
                    rewrapped=layout.rfc3339(datetime.now(UTC)),
                ),
            }
        )
        if not tells_the_same(draft, old):
            raise AssertionError("a statement tells of something else than the one in whose place it goes")
        payload = [
            PayloadFile(layout.volume_path(each.number), each.size, each.sha256)
            for each in sorted(volumes.values(), key=lambda each: each.number)
        ]
        payload += [PayloadFile(entry.name, entry.size, bytes.fromhex(entry.sha256)) for entry in indexes]
        before = layout.parse_manifest(bytes(self.site.read(f"{bundle.bundle_id}/{layout.TAGMANIFEST}", MAX_DOCUMENT)))
        signed_before = {
            path: digest for path, digest in before.items() if layout.CHECKPOINT.match(path) or layout.KEPT.match(path)
        }
        return closing_files(draft, payload, {**signed_before, **kept}, self.signer)

    def install(
        self,
        entry: BundleToRewrap,
        bundle: Bundle,
        base_sha256: str | None,
        bring_volumes: Callable[[Mapping[str, bytes]], None] | None = None,
    ) -> str:
        """Put what was laid aside in its place; return the SHA-256 of the new statement. No identity is needed.

        `base_sha256` as for `stage`; `bring_volumes` is given the new manifest before anything is put in its place, and
        makes the volumes what that says. AlteredError if what lies aside is not what its statement binds, that tells of
        something else than the one it replaces, or nobody vouches for who signed it.
        """
        aside = aside_folder(entry.bundle) + STAGED
        data = bytes(self.site.read(aside + layout.STATEMENT, MAX_DOCUMENT))
        signature = bytes(self.site.read(aside + layout.STATEMENT_SIGNATURE, MAX_DOCUMENT))
        key = sshsig.verify(signature.decode("ascii", "replace"), data, NAMESPACE)
        statement = parse_statement(data)
        if not self.trusts(key, statement.signed_at) or not self._is_meant(statement, entry, base_sha256):
            raise _stranger(entry.bundle, layout.STATEMENT)
        self._require_succession(entry, bundle, statement, data)
        digests = {name: bytes.fromhex(digest) for name, digest in statement.files.items()}
        digests |= {each.name: bytes.fromhex(each.sha256) for each in statement.indexes}
        digests[layout.STATEMENT] = hashlib.sha256(data).digest()
        digests[layout.STATEMENT_SIGNATURE] = hashlib.sha256(signature).digest()
        tag_manifest = bytes(self.site.read(aside + layout.TAGMANIFEST, MAX_DOCUMENT))
        digests[layout.TAGMANIFEST] = hashlib.sha256(tag_manifest).digest()
        tags = layout.parse_manifest(tag_manifest)
        if any(tags.get(path, digests[path]) != digests[path] for path in digests):
            raise _stranger(entry.bundle, layout.TAGMANIFEST)
        if bring_volumes is not None:
            bring_volumes(layout.parse_manifest(self._staged(entry, layout.MANIFEST, digests)))
        for path in installing_order(digests):
            self.site.patience.stop.raise_if_requested()
            self.site.install(f"{entry.bundle}/{path}", self._staged(entry, path, digests))
        return digests[layout.STATEMENT].hex()

    def _staged(self, entry: BundleToRewrap, path: str, digests: Mapping[str, bytes]) -> bytes:
        """Return a file that lies aside; AlteredError unless it has its digest."""
        content = bytes(self.site.read(aside_folder(entry.bundle) + STAGED + path))
        if hashlib.sha256(content).digest() != digests[path]:
            raise _stranger(entry.bundle, path)
        return content

    def _is_meant(self, statement: Statement, entry: BundleToRewrap, base_sha256: str | None) -> bool:
        replaced = statement.replaces.sha256 if statement.replaces else None
        base = statement.previous.sha256 if statement.previous else None
        meant = (self.site.dataset_id, entry.bundle, entry.statement, self.record.recipients, base_sha256)
        told = (statement.dataset.id, statement.bundle, replaced, statement.recipients, base)
        return told == meant and set(statement.files) == set(BOUND_FILES)

    def _require_succession(self, entry: BundleToRewrap, bundle: Bundle, statement: Statement, data: bytes) -> None:
        """Require that the statement replaced is kept and tells the same, and that it, or this one, lies there now."""
        kept = {path: bytes(self.site.read(f"{entry.bundle}/{path}", MAX_DOCUMENT)) for path in kept_paths(statement)}
        replaced_by(statement, kept)
        if bundle.statement_sha256 not in (entry.statement, hashlib.sha256(data).hexdigest()):
            raise _stranger(entry.bundle, layout.STATEMENT)


def _read_index(bundle: Bundle, entry: IndexEntry) -> bytes:
    """Return the payload of an index, which is the one that was signed."""
    ranges = FileRanges(bundle.folder, entry.name, entry.size)
    payload = DecryptingReader(ranges, bundle.identities, head_sha256=bytes.fromhex(entry.head_sha256)).readall()
    if hashlib.sha256(payload).hexdigest() != entry.payload_sha256:
        raise AlteredError(_("The index {path} is not the one that was signed.").format(path=entry.name))
    return payload


def _contents(payload: bytes) -> tuple[set[int], bytes]:
    """Return the numbers of the volumes that an index describes, and the Merkle root of its objects."""
    index = Index(InMemory(payload))
    try:
        tree = MerkleTree()
        for row in index.objects():
            tree.add(merkle_leaf(row))
        return {row.number for row in index.volumes()}, tree.root()
    finally:
        index.close()


def _stranger(bundle_id: str, path: str) -> AlteredError:
    return AlteredError(
        _("What lies aside for {path} of {bundle} is not what was signed for it; it was not put in place.").format(
            path=path, bundle=bundle_id
        ),
        advice=_("Ask who has access to the store; bring records/ back from a copy of the target."),
    )
