"""The rows of an index, as every room sees them (docs/formats/index.md).

Each class has the columns of its table, in their order; `dataclasses.astuple(row)` and `Row(*values)` are inverse, so
a row travels as a plain tuple (pickle, a journal's row). Paths are text with surrogate escapes for bytes that are not
UTF-8, as in `repatria.model.Object`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from repatria.model import Object, ObjectKind

PAGES_PER_DOCUMENT = 100_000
"""The row id of a page in the full-text tables is document * this + page."""
SALT_LENGTH = 16
"""Random bytes that an object's leaf of the Merkle tree begins with."""


def path_bytes(path: str) -> bytes:
    """Return the bytes of a path: UTF-8, surrogate escapes as the bytes they stand for."""
    return path.encode("utf-8", "surrogateescape")


def path_text(raw: bytes) -> str:
    """Return the text of a path's bytes; the inverse of `path_bytes`."""
    return raw.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object of this bundle."""

    number: int
    """Unique in the dataset's whole chain, from 1, never used again."""
    source: str
    """Name of the source, empty if the manifest has one without a name."""
    path: str
    kind: str
    """A value of `ObjectKind`: file, symlink, directory."""
    size: int
    sha256: bytes
    """Flat, of the object's bytes; of a symlink its target's, of a directory those of nothing."""
    salt: bytes
    """SALT_LENGTH random bytes, for the Merkle leaf."""
    mtime_ns: int | None = None
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    link_target: str | None = None
    content_type: str | None = None
    metadata: str | None = None
    """A JSON object of strings, None if empty; `tags` likewise."""
    tags: str | None = None
    version: str | None = None
    checksum: str | None = None
    """`md5:HEX`: what the source kept and was compared; None if nothing was compared."""
    recognised: str | None = None

    @classmethod
    def of(
        cls,
        told: Object,
        *,
        number: int,
        source: str,
        sha256: bytes,
        salt: bytes,
        checksum: str | None = None,
        recognised: str | None = None,
    ) -> Self:
        """Return the row of an object as its source told of it."""
        return cls(
            number=number,
            source=source,
            path=told.path,
            kind=str(told.kind),
            size=told.size,
            sha256=sha256,
            salt=salt,
            mtime_ns=told.mtime_ns,
            mode=told.mode,
            owner=told.owner,
            group=told.group,
            link_target=told.link_target,
            content_type=told.content_type,
            metadata=_json_or_none(told.metadata),
            tags=_json_or_none(told.tags),
            version=told.version or None,
            checksum=checksum,
            recognised=recognised,
        )

    def object(self) -> Object:
        """Return the object as it was at the source, for restoring it."""
        return Object(
            path=self.path,
            size=self.size,
            mtime_ns=self.mtime_ns,
            version=self.version or "",
            kind=ObjectKind(self.kind),
            mode=self.mode,
            owner=self.owner,
            group=self.group,
            link_target=self.link_target,
            content_type=self.content_type,
            metadata=json.loads(self.metadata or "{}"),
            tags=json.loads(self.tags or "{}"),
        )


@dataclass(frozen=True, slots=True)
class VolumeRow:
    """One proven volume."""

    number: int
    size: int
    """Of the age file, like `sha256`."""
    sha256: bytes
    head_sha256: bytes
    """Of the age header and nonce."""
    payload_size: int
    payload_sha256: bytes


@dataclass(frozen=True, slots=True)
class MemberRow:
    """Where an object, or a part of it, lies."""

    volume: int
    offset: int
    """Of the first data byte in the volume's payload; where it would be for a member without data."""
    length: int
    object: int
    """The object's number. A member whose object has no row belongs to an object that was given up."""
    part: int
    """0: the whole object; 1, 2 ...: a part."""
    start: int
    """Where this part begins in the object."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An object that is gone from the source, or was taken again within the same bundle."""

    object: int
    seen_gone: str
    """RFC 3339 time, UTC."""


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One document of an archive: what one scan file became."""

    number: int
    """Unique in the chain, like an object's."""
    cote: str
    """Its name in the archive: the scan's path without its ending."""
    dossier: str
    """The folder it came from."""
    title: str | None
    dates: str | None
    description: str | None
    """JSON object, ISAD(G) fields (docs/formats/index.md)."""
    original: int | None
    """An object number, like `pdf`, `text`, `alto`."""
    pdf: int | None
    text: int | None
    alto: int | None
    pages: int
    languages: str
    confidence: float | None
    reference: str | None = None
    """The archivist's own: the cote of a bordereau or of a separator sheet."""
    said: str = ""
    """Goes to `pages_text.text` only, like `stems` and `grams` to theirs: words by which the document is found."""
    stems: str = ""
    grams: str = ""

    @property
    def objects(self) -> tuple[int | None, ...]:
        """The numbers of its objects."""
        return (self.original, self.pdf, self.text, self.alto)


@dataclass(frozen=True, slots=True)
class PageRow:
    """One page: its facts, its text, and the words under which it is found."""

    document: int
    page: int
    """From 1, to 99,999."""
    width: int
    """Pixels of the page as shown, like `height`."""
    height: int
    dpi: float
    rotation: int
    """Clockwise degrees that turned the scan upright."""
    words: int
    confidence: float | None
    """Mean over words, 0..100; None without words."""
    flags: str
    """JSON list of strings."""
    text: str
    stems: str = ""
    """Goes to `pages_text.stems` only: stemmed and folded words, as the search will ask for them."""
    grams: str = ""
    """Goes to `pages_grams.text` only: folded text, searched by trigrams."""


@dataclass(frozen=True, slots=True)
class DescriptionRow:
    """What an archivist says of the documents of a folder or cote: a row of a bordereau, as it was given."""

    number: int
    """Of the documents' numbers: of two rows of one folder, the higher counts."""
    folder: str
    """Words and numbers of the folder or file of scans that it means, joined by hyphens."""
    cote: str
    """Likewise of the archivist's cote."""
    description: str
    """JSON object, as a document's."""
    said: str = ""
    """Goes to the full-text tables only, like `stems` and `grams`, as a document's."""
    stems: str = ""
    grams: str = ""


def merkle_leaf(row: ObjectRow) -> bytes:
    """Return the 32 bytes of an object's Merkle leaf (docs/formats/statement.md)."""
    return facts_leaf(row.salt, path_bytes(row.path), row.size, row.sha256)


def facts_leaf(salt: bytes, path: bytes, size: int, sha256: bytes) -> bytes:
    """Return the Merkle leaf of what it binds."""
    return hashlib.sha256(b"\x00" + salt + len(path).to_bytes(8) + path + size.to_bytes(8) + sha256).digest()


def _json_or_none(mapping: Mapping[str, str]) -> str | None:
    return json.dumps(dict(mapping), ensure_ascii=True, sort_keys=True) if mapping else None
