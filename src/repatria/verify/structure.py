"""The rules of one bundle as a bag: tag files, manifests, listing and statement must agree. No IO."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from repatria.bundle import layout
from repatria.bundle.errors import MalformedError
from repatria.bundle.statement import NAMESPACE, Statement, parse_checkpoint
from repatria.bundle.succession import SIGNATURE_LIMIT
from repatria.crypt import sshsig
from repatria.errors import CryptError
from repatria.i18n import _
from repatria.verify.report import SIGNATURE_FAILED, Verdict, altered, missing, unexpected, unverifiable
from repatria.verify.seen import Seen

_OXUM = re.compile(rb"^Payload-Oxum: ([0-9]{1,20})\.([0-9]{1,20})$", re.MULTILINE)


@dataclass(slots=True)
class Structure:
    """What one bundle should consist of, and what was found wrong with that."""

    digests: dict[str, bytes] = field(default_factory=dict)
    """Payload path -> SHA-256, of the files that the manifest names and that are there."""
    digests_are_signed: bool = False
    """Whether an authentic statement binds that manifest."""
    verdicts: list[Verdict] = field(default_factory=list)


def check_structure(seen: Seen, files: Mapping[str, int]) -> Structure:
    """Judge a bundle by its tag files and its listing (`files`: path -> size); payloads are not read."""
    structure = Structure()
    tag_digests = _manifest(seen, layout.TAGMANIFEST, structure)
    payload = _manifest(seen, layout.MANIFEST, structure)
    structure.digests = {path: digest for path, digest in payload.items() if path in files}
    structure.digests_are_signed = seen.genuine is not None and not any(
        each.subject == f"{seen.bundle_id}/{layout.MANIFEST}" for each in _check_bound_files(seen)
    )
    told = {each.subject for each in (*seen.verdicts, *structure.verdicts)}
    checks = (
        _check_checkpoints(seen),
        _check_tag_files(seen, tag_digests),
        _check_bound_files(seen),
        _check_payload(seen, payload, files),
        _check_unexpected(seen, payload, tag_digests, files),
        _check_indexes(seen, payload, files),
    )
    for check in checks:
        for each in check:
            if each.subject not in told:
                told.add(each.subject)
                structure.verdicts.append(each)
    return structure


def check_totals(seen: Seen, files: Mapping[str, int]) -> Iterator[Verdict]:
    """Yield where counts and sizes of the payload files, as listed, are not those that were signed."""
    sizes = {path: size for path, size in files.items() if path.startswith(layout.PAYLOAD_FOLDER)}
    volumes = [size for path, size in sizes.items() if layout.VOLUME.match(path)]
    statement = seen.genuine
    if statement is not None and (len(volumes), sum(volumes)) != (statement.volumes.count, statement.volumes.bytes):
        yield altered(
            seen.bundle_id,
            _("Its volumes are {count} files of {bytes} bytes; the statement says {signed} of {size}.").format(
                count=len(volumes), bytes=sum(volumes), signed=statement.volumes.count, size=statement.volumes.bytes
            ),
        )
    oxum = _OXUM.search(seen.tag_files.get(layout.BAG_INFO, b""))
    if oxum is None or (int(oxum[1]), int(oxum[2])) != (sum(sizes.values()), len(sizes)):
        yield altered(f"{seen.bundle_id}/{layout.BAG_INFO}", _("Its Payload-Oxum is not that of the payload."))


def _manifest(seen: Seen, path: str, structure: Structure) -> dict[str, bytes]:
    data = seen.tag_files.get(path)
    if data is None:
        return {}  # that it is missing was said when the bundle was looked at
    try:
        digests = layout.parse_manifest(data)
        if not digests:
            raise MalformedError(_("The manifest names no file."))
        return digests
    except MalformedError as error:
        structure.verdicts.append(altered(f"{seen.bundle_id}/{path}", error.message))
        return {}


def _check_tag_files(seen: Seen, digests: Mapping[str, bytes]) -> Iterator[Verdict]:
    """Compare every tag file with the tag manifest. The statement does not bind that manifest: it binds the others."""
    for path, digest in digests.items():
        data = seen.tag_files.get(path)
        if data is None:
            yield missing(f"{seen.bundle_id}/{path}", _("The tag manifest names it."))
        elif hashlib.sha256(data).digest() != digest:
            yield altered(f"{seen.bundle_id}/{path}", _("It has not the SHA-256 that the tag manifest names."))
    for path in seen.tag_files:
        if digests and path not in digests and path != layout.TAGMANIFEST:
            yield unexpected(f"{seen.bundle_id}/{path}", _("The tag manifest does not name it."))


def _check_bound_files(seen: Seen) -> Iterator[Verdict]:
    if seen.genuine is None:
        if not seen.verdicts and seen.statement is None:
            yield unverifiable(seen.bundle_id, _("There is no authentic statement of it."))
        return
    for path, digest in seen.genuine.files.items():
        data = seen.tag_files.get(path)
        if data is not None and hashlib.sha256(data).hexdigest() != digest:
            yield altered(f"{seen.bundle_id}/{path}", _("It is not what the signed statement binds."))


def _check_checkpoints(seen: Seen) -> Iterator[Verdict]:
    """Check their signatures: nothing else binds them. By whom matters only while their bundle is unfinished."""
    for path, data in seen.tag_files.items():
        match = layout.CHECKPOINT.match(path)
        signature = seen.tag_files.get(layout.signature_path(path))
        if match is None or match[2]:
            continue
        subject = f"{seen.bundle_id}/{path}"
        if signature is None:
            yield missing(f"{seen.bundle_id}/{layout.signature_path(path)}", _("The bundle lacks it."))
            continue
        try:
            sshsig.verify(signature[:SIGNATURE_LIMIT].decode("ascii", "replace"), data, NAMESPACE)
            checkpoint = parse_checkpoint(data)
        except CryptError as error:
            yield altered(subject, error.message, code=SIGNATURE_FAILED)
            continue
        if seen.genuine is not None and (checkpoint.dataset, checkpoint.bundle) != (seen.dataset_id, seen.bundle_id):
            yield unexpected(subject, _("It is the checkpoint of another bundle."))


def _check_payload(seen: Seen, payload: Mapping[str, bytes], files: Mapping[str, int]) -> Iterator[Verdict]:
    for path in payload:
        subject = f"{seen.bundle_id}/{path}"
        if not (layout.VOLUME.match(path) or layout.INDEX.match(path)):
            yield altered(f"{seen.bundle_id}/{layout.MANIFEST}", _("It names a file that no bundle has."))
        elif path not in files:
            yield missing(subject, _("The manifest names it. Restore it from a second copy."))


def _check_unexpected(
    seen: Seen, payload: Mapping[str, bytes], tag_digests: Mapping[str, bytes], files: Mapping[str, int]
) -> Iterator[Verdict]:
    if not payload or not tag_digests:
        return  # nothing says what is expected
    for path in sorted(files.keys() - payload.keys() - tag_digests.keys() - {layout.TAGMANIFEST}):
        yield unexpected(f"{seen.bundle_id}/{path}", _("No manifest names it; nobody signed for it."))


def _check_indexes(seen: Seen, payload: Mapping[str, bytes], files: Mapping[str, int]) -> Iterator[Verdict]:
    statement = seen.genuine
    if statement is None or not payload:
        return
    yield from _check_index_entries(seen.bundle_id, statement, payload, files)
    signed = {entry.name for entry in statement.indexes}
    for path in payload:
        if layout.INDEX.match(path) and path not in signed:
            yield unexpected(f"{seen.bundle_id}/{path}", _("The statement does not name it."))


def _check_index_entries(
    bundle_id: str, statement: Statement, payload: Mapping[str, bytes], files: Mapping[str, int]
) -> Iterator[Verdict]:
    after = 0
    for number, entry in enumerate(statement.indexes, 1):
        subject = f"{bundle_id}/{entry.name}"
        in_order = entry.name == layout.index_path(number) and (
            after < entry.first_volume <= entry.last_volume or entry.first_volume == entry.last_volume == 0
        )
        if not in_order or payload.get(entry.name, b"").hex() != entry.sha256:
            yield altered(subject, _("Statement and manifest do not agree about it."))
        elif files.get(entry.name, entry.size) != entry.size:
            yield altered(
                subject,
                _("It has {seen} bytes instead of {signed}.").format(seen=files[entry.name], signed=entry.size),
            )
        after = max(after, entry.last_volume)
