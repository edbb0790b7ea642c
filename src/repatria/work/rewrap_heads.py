"""What is laid down before a change of recipients touches anything: every head as it is, and as it is to be.

Heads are read by ranges, many at a time. If one identity too few was given, or a file is not what was signed, it shows
here, and nothing was touched.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TypeVar

from repatria.bundle import layout
from repatria.bundle.errors import AlteredError
from repatria.bundle.files import FileRanges
from repatria.bundle.reader import Bundle
from repatria.bundle.rewrap_record import (
    BundleToRewrap,
    HeadsFile,
    RewrapRecord,
    VolumeHeads,
    base64_text,
    heads_path,
)
from repatria.bundle.rows import VolumeRow
from repatria.bundle.statement import NAMESPACE
from repatria.bundle.volume import LARGEST_FILE
from repatria.crypt.errors import HeadChangedError, HeaderError, HeaderMacError
from repatria.crypt.recipient import Recipient
from repatria.crypt.rewrap import require_same_file, rewrapped_head
from repatria.crypt.seek import fetch_head
from repatria.crypt.sshsig import Signer
from repatria.i18n import _
from repatria.model import Finding, FindingKind
from repatria.progress import Progress, Unit
from repatria.work.rewrap_site import FoundError, RewrapSite
from repatria.work.settling import list_payload

VOLUMES_PER_FILE = 64
"""Volumes whose heads stand in one file: about 400 KB with two hybrid recipients."""


_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Lying:
    """A volume as manifest, index and listing tell of it."""

    path: str
    size: int
    sha256: bytes
    row: VolumeRow | None
    """None for one that no index describes: it came late, and nothing in it is part of any object."""


@dataclass(slots=True)
class Preparation:
    """Lays down the record of a change of recipients."""

    site: RewrapSite
    bundles: Sequence[Bundle]
    recipients: Sequence[Recipient]
    signer: Signer
    progress: Progress

    def run(self) -> RewrapRecord:
        """Put the files of heads, the record, and its signature last; return the record.

        NoMatchError if the identities do not open every file; FoundError if files are not what was signed.
        """
        told = [(bundle, self._look(bundle)) for bundle in self.bundles]
        self.progress.start(_("Reading the headers"), None, Unit.BYTES)
        record = RewrapRecord(
            dataset=self.site.dataset_id,
            started=layout.rfc3339(datetime.now(UTC)),
            recipients=tuple(str(each) for each in self.recipients),
            bundles=tuple(self._prepare(bundle, volumes) for bundle, volumes in told),
        )
        data = record.encode()
        self.site.put(layout.REWRAP, data)
        self.site.put(layout.signature_path(layout.REWRAP), self.signer.sign(data, NAMESPACE).encode())
        self.progress.finish()
        return record

    def require_untouched(self) -> None:
        """Read every head and change nothing; FoundError if a file is not what was signed."""
        for bundle in self.bundles:
            for _head in self._heads(bundle, self._look(bundle)):
                pass

    def _look(self, bundle: Bundle) -> list[_Lying]:
        """Return the volumes of a bundle; FoundError where manifest, indexes and listing do not agree."""
        manifest = signed_manifest(bundle)
        sizes = self.site.patience.insist(lambda: list_payload(self.site.store, self.site.dataset_id, bundle.bundle_id))
        rows = {row.number: row for index in bundle.indexes() for row in index.volumes()}
        found: list[Finding] = []
        volumes: list[_Lying] = []
        for path, digest in sorted(manifest.items()):
            match = layout.VOLUME.match(path)
            row = rows.pop(int(match[1]), None) if match else None
            subject = f"{bundle.bundle_id}/{path}"
            if path not in sizes:
                found.append(Finding(FindingKind.MISSING, subject, _("The manifest names it.")))
            elif match and sizes[path] > LARGEST_FILE:  # it is going to be read into memory
                found.append(
                    Finding(
                        FindingKind.ALTERED,
                        subject,
                        _("It has more bytes than any volume. Restore it from a second copy."),
                    )
                )
            elif row is not None and (row.sha256, row.size) != (digest, sizes[path]):
                found.append(
                    Finding(FindingKind.ALTERED, subject, _("Index, manifest and file do not agree about it."))
                )
            elif match:
                volumes.append(_Lying(path, sizes[path], digest, row))
        for number in rows:
            subject = f"{bundle.bundle_id}/{layout.volume_path(number)}"
            found.append(Finding(FindingKind.MISSING, subject, _("The index describes it, the manifest does not.")))
        bundle.close()
        if found:
            raise FoundError(found)
        return volumes

    def _prepare(self, bundle: Bundle, volumes: Sequence[_Lying]) -> BundleToRewrap:
        digests = []
        for number, some in enumerate(_batches(self._heads(bundle, volumes), VOLUMES_PER_FILE), 1):
            heads = HeadsFile(dataset=self.site.dataset_id, bundle=bundle.bundle_id, volumes=some)
            data = heads.encode()
            self.site.put(heads_path(bundle.bundle_id, number), data)
            digests.append(hashlib.sha256(data).hexdigest())
        return BundleToRewrap(bundle=bundle.bundle_id, statement=bundle.statement_sha256, heads=tuple(digests))

    def _heads(self, bundle: Bundle, volumes: Iterable[_Lying]) -> Iterator[VolumeHeads]:
        def read(volume: _Lying) -> VolumeHeads | Finding:
            self.site.patience.stop.raise_if_requested()
            return self.site.patience.insist(partial(self._head, bundle, volume))

        found: list[Finding] = []
        with ThreadPoolExecutor(self.site.store.reads_at_once) as executor:
            for some in _batches(volumes, 4 * VOLUMES_PER_FILE):
                for each in executor.map(read, some):
                    if isinstance(each, Finding):
                        found.append(each)
                    elif not found:
                        yield each
        if found:
            raise FoundError(found)

    def _head(self, bundle: Bundle, volume: _Lying) -> VolumeHeads | Finding:
        ranges = FileRanges(bundle.folder, volume.path, volume.size)
        try:
            head = fetch_head(ranges, volume.row.head_sha256 if volume.row else None)
            new = rewrapped_head(head, bundle.identities, self.recipients)
        except (HeadChangedError, HeaderError, HeaderMacError, AlteredError) as error:
            return Finding(FindingKind.ALTERED, f"{bundle.bundle_id}/{volume.path}", error.message)
        self.progress.advance(len(head))
        return VolumeHeads(
            name=volume.path,
            size=volume.size,
            sha256=volume.sha256.hex(),
            old=base64_text(head.raw),
            new=base64_text(new),
        )


def _batches(items: Iterable[_Item], size: int) -> Iterator[tuple[_Item, ...]]:
    iterator = iter(items)
    while some := tuple(islice(iterator, size)):
        yield some


def signed_manifest(bundle: Bundle) -> dict[str, bytes]:
    """Return path -> SHA-256 of the payload manifest that a bundle's statement binds; FoundError for any other."""
    data = bundle.folder.fetch(layout.MANIFEST)
    statement = bundle.statement
    manifest = layout.parse_manifest(data)
    agree = hashlib.sha256(data).hexdigest() == statement.files[layout.MANIFEST] and all(
        manifest.get(entry.name, b"").hex() == entry.sha256 for entry in statement.indexes
    )
    if not agree:
        subject = f"{bundle.bundle_id}/{layout.MANIFEST}"
        raise FoundError([Finding(FindingKind.ALTERED, subject, _("It is not what the signed statement binds."))])
    return manifest


@dataclass(slots=True)
class HeadsCheck:
    """Proves what was laid down for a bundle, volume by volume: whoever wrote it, it does nothing but change heads."""

    bundle: Bundle
    _volumes: dict[str, bytes] = field(init=False)
    """Those that were not met yet: path -> SHA-256 by the signed manifest."""

    def __post_init__(self) -> None:
        """FoundError if the payload manifest is not the one that the statement binds."""
        manifest = signed_manifest(self.bundle)
        self._volumes = {path: digest for path, digest in manifest.items() if layout.VOLUME.match(path)}

    def take(self, heads: Iterable[VolumeHeads]) -> None:
        """Require that each volume is one that was signed for, and that its new head opens what its old one opens.

        The old heads are proven with their payloads (`state_of`). AlteredError or another CryptError if not.
        """
        for each in heads:
            if self._volumes.pop(each.name, b"").hex() != each.sha256 or each.size > LARGEST_FILE:
                raise _not_signed_for(self.bundle.bundle_id, each.name)
            require_same_file(each.old_head, each.new_head, self.bundle.identities)

    def finish(self) -> None:
        """Require that every volume was met."""
        for path in self._volumes:
            raise _not_signed_for(self.bundle.bundle_id, path)


def _not_signed_for(bundle_id: str, path: str) -> AlteredError:
    return AlteredError(
        _("What lies aside does not tell of {bundle}/{path} as it was signed; it was not touched.").format(
            bundle=bundle_id, path=path
        ),
        advice=_("Ask who has access to the store; bring records/ back from a copy of the target."),
    )
