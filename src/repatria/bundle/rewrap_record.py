"""What a change of recipients keeps at the target while it is under way (docs/formats/bundle.md, "Rewrapping").

The record says from which statements to which recipients, and names by digest the files of heads: for each age file of
each bundle its old head and its new one. It is signed; with it any machine can go on, and prove for each file that
nothing but the head has changed. All of it is gone from the target when the change has come to its end.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from repatria.bundle import layout
from repatria.bundle.errors import AlteredError, MalformedError
from repatria.bundle.files import BundleFolder
from repatria.bundle.statement import (
    MAX_DOCUMENT,
    NAMESPACE,
    BundleId,
    Count,
    DatasetId,
    Document,
    Part,
    Sha256Hex,
    Time,
    parse_document,
)
from repatria.bundle.succession import SIGNATURE_LIMIT
from repatria.crypt import sshsig
from repatria.crypt.recipient import text_fingerprint
from repatria.crypt.sshsig import SigningKey
from repatria.errors import NotFoundError
from repatria.i18n import _, ngettext
from repatria.store.base import Store

REWRAP_TYPE: Literal["https://repatria/rewrap/1"] = "https://repatria/rewrap/1"
HEADS_TYPE: Literal["https://repatria/rewrap-heads/1"] = "https://repatria/rewrap-heads/1"

_MOST_NAMED = 8
"""Recipients of a change that a sentence names."""

Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}\Z", max_length=2 << 20)]


class BundleToRewrap(Part):
    """One bundle of the chain, as it was before."""

    bundle: BundleId
    statement: Sha256Hex
    """Of the statement that is to be replaced."""
    heads: tuple[Sha256Hex, ...] = Field(strict=False)
    """The files of heads `heads-0001.json` ..., in order."""


class RewrapRecord(Document):
    """The change of recipients of a whole chain."""

    type: Literal["https://repatria/rewrap/1"] = REWRAP_TYPE
    dataset: DatasetId
    started: Time
    recipients: tuple[str, ...] = Field(strict=False)
    """To whom it is rewrapped."""
    bundles: tuple[BundleToRewrap, ...] = Field(strict=False)
    """The oldest first."""


class VolumeHeads(Part):
    """A volume before and after: its payload, everything after the head, is the same."""

    name: Annotated[str, StringConstraints(pattern=r"^data/vol-[0-9]{6,}\.tar\.age\Z")]
    size: Count
    """Of the file as it was, like `sha256`."""
    sha256: Sha256Hex
    old: Base64
    """The head, as it was; `new` as it is to be."""
    new: Base64

    @property
    def number(self) -> int:
        """The volume's number."""
        return int(self.name.removeprefix("data/vol-").removesuffix(".tar.age"))

    @property
    def old_head(self) -> bytes:
        """The bytes before the payload, as they were."""
        return _bytes(self.old)

    @property
    def new_head(self) -> bytes:
        """The bytes before the payload, as they are to be."""
        return _bytes(self.new)


class HeadsFile(Document):
    """The heads of some volumes of a bundle."""

    type: Literal["https://repatria/rewrap-heads/1"] = HEADS_TYPE
    dataset: DatasetId
    bundle: BundleId
    volumes: tuple[VolumeHeads, ...] = Field(strict=False)


class VolumeState(StrEnum):
    """What lies at the target under a volume's name."""

    OLD = "old"
    NEW = "new"
    OTHER = "other"
    """Neither: it was altered, before or meanwhile."""


def state_of(volume: VolumeHeads, data: bytes | bytearray) -> VolumeState:
    """Tell by a volume's whole file whether it is as it was or as it is to be.

    In both cases old head and payload together have the digest that was signed before: only then can the file get a new
    one. Whatever is damaged stays a finding.
    """
    old, new = volume.old_head, volume.new_head
    for state, head in ((VolumeState.OLD, old), (VolumeState.NEW, new)):
        if data.startswith(head) and len(data) - len(head) == volume.size - len(old):
            digest = hashlib.sha256(old)
            digest.update(memoryview(data)[len(head) :])
            return state if digest.hexdigest() == volume.sha256 else VolumeState.OTHER
    return VolumeState.OTHER


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """The record as it lies at a target, its signature verified; whose it is, is for the caller to judge."""

    record: RewrapRecord
    key: SigningKey

    @property
    def told(self) -> str:
        """A sentence that says whose change it is, for people to compare before they go on with it."""
        recipients = self.record.recipients
        shown = [text_fingerprint(text) for text in recipients[:_MOST_NAMED]]
        more = ["..."] if len(recipients) > _MOST_NAMED else []
        return ngettext(
            "Begun on {time} for the recipient {recipients}, signed by {signer}.",
            "Begun on {time} for the recipients {recipients}, signed by {signer}.",
            len(recipients),
        ).format(time=self.record.started, recipients=", ".join(shown + more), signer=self.key.fingerprint)


def records_folder(store: Store, dataset_id: str) -> BundleFolder:
    """Return the folder of a dataset's records, whose files are fetched like those of a bundle."""
    return BundleFolder(store, dataset_id, layout.RECORDS)


def fetch_record(store: Store, dataset_id: str) -> SignedRecord | None:
    """Return the record of the change of recipients under way, None if none is.

    MalformedError, AlteredError or another CryptError if what lies there is not a signed record of this dataset.
    """
    folder = records_folder(store, dataset_id)
    path = layout.REWRAP.removeprefix(f"{layout.RECORDS}/")
    try:
        signature = folder.fetch(layout.signature_path(path), SIGNATURE_LIMIT)
    except NotFoundError:
        return None
    try:
        data = folder.fetch(path, MAX_DOCUMENT)
    except NotFoundError as error:
        raise _no_record() from error
    key = sshsig.verify(signature.decode("ascii", "replace"), data, NAMESPACE)
    try:
        record = parse_document(data, RewrapRecord)
    except MalformedError as error:
        raise _no_record() from error
    if record.dataset != dataset_id or not record.bundles:
        raise _no_record()
    return SignedRecord(record, key)


def heads_path(bundle_id: str, number: int) -> str:
    """Return the path of a bundle's file of heads under the dataset's folder, counted from 1."""
    return f"{layout.REWRAP_FOLDER}{bundle_id}/heads-{number:04d}.json"


def parse_heads(data: bytes, dataset_id: str, entry: BundleToRewrap, number: int) -> tuple[VolumeHeads, ...]:
    """Return the heads in a file of them; AlteredError unless it is the one that the record names."""
    if hashlib.sha256(data).hexdigest() != entry.heads[number - 1]:
        raise AlteredError(
            _("{path} is not what the record of the change of recipients names.").format(
                path=heads_path(entry.bundle, number)
            ),
            advice=_("Bring {path} back from a copy of the target; nothing more was changed.").format(
                path=heads_path(entry.bundle, number)
            ),
        )
    heads = parse_document(data, HeadsFile)
    if (heads.dataset, heads.bundle) != (dataset_id, entry.bundle):
        raise _no_record()
    return heads.volumes


def base64_text(data: bytes) -> str:
    """Return bytes as the record holds them."""
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _no_record() from error


def _no_record() -> MalformedError:
    return MalformedError(
        _("The record of the change of recipients is not what such a record must be."),
        advice=_("Ask who has access to the store; bring records/ back from a copy of the target."),
    )
