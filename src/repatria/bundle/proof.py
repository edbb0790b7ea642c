"""The proof that one object is in a bundle as it was signed, without a word of the others (docs/formats/proof.md)."""

import hashlib
import heapq
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from repatria.bundle import layout
from repatria.bundle.errors import AlteredError
from repatria.bundle.index import Index
from repatria.bundle.merkle import inclusion_proof, proves_inclusion
from repatria.bundle.reader import Bundle
from repatria.bundle.rows import ObjectRow, facts_leaf, merkle_leaf, path_bytes, path_text
from repatria.bundle.statement import MAX_DOCUMENT, NAMESPACE, BundleId, Count, DatasetId, Sha256Hex, Statement
from repatria.crypt import sshsig
from repatria.errors import UsageError
from repatria.i18n import _

PROOF_TYPE: Literal["https://repatria/proof/1"] = "https://repatria/proof/1"
MAX_PROOF = 2 * MAX_DOCUMENT
"""Bytes; a statement inside it has its quotation marks escaped."""
_SIGNATURE_LIMIT = 64 << 10

Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*\Z")]


class _Part(BaseModel):
    """A frozen JSON object whose types are checked; fields that a reader does not know are passed over."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", regex_engine="python-re")


class ProvenObject(_Part):
    """What a leaf of the tree binds."""

    path: str | None = None
    """If its bytes are UTF-8, else `path_hex` is given; one of the two."""
    path_hex: Hex | None = None
    size: Count
    sha256: Sha256Hex
    salt: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}\Z")]

    @model_validator(mode="after")
    def _has_one_path(self) -> Self:
        if (self.path is None) == (self.path_hex is None):
            raise ValueError("a proof has either a path or path_hex")
        return self

    @classmethod
    def of(cls, row: ObjectRow) -> Self:
        """Return what the leaf of a row binds."""
        raw = path_bytes(row.path)
        try:
            path, path_hex = raw.decode(), None
        except UnicodeDecodeError:
            path, path_hex = None, raw.hex()
        return cls(path=path, path_hex=path_hex, size=row.size, sha256=row.sha256.hex(), salt=row.salt.hex())

    @property
    def name(self) -> str:
        """The path as `repatria.model.Object` has it."""
        return self.path if self.path is not None else path_text(bytes.fromhex(self.path_hex or ""))

    def leaf(self) -> bytes:
        """Return the 32 bytes of the leaf."""
        return facts_leaf(bytes.fromhex(self.salt), path_bytes(self.name), self.size, bytes.fromhex(self.sha256))


class Proof(_Part):
    """One object, its place in the tree, and the signed statement that holds the root."""

    type: Literal["https://repatria/proof/1"] = PROOF_TYPE
    dataset: DatasetId
    bundle: BundleId
    object: ProvenObject
    index: Count
    """The place of its leaf, from 0."""
    tree_size: Count
    audit_path: tuple[Sha256Hex, ...] = Field(strict=False, max_length=64)
    """The lowest sibling first."""
    statement: str
    """The very text of `statement.json`."""
    signature: Annotated[str, StringConstraints(max_length=_SIGNATURE_LIMIT)]
    """The very text of `statement.json.sig`."""

    def encode(self) -> bytes:
        """Return the file, laid out for people: a proof is not signed itself."""
        return json.dumps(self.model_dump(exclude_none=True), ensure_ascii=False, indent=2).encode() + b"\n"

    def leads_to(self, statement: Statement) -> bool:
        """Return whether the object is in the tree whose root and size the statement gives."""
        path = [bytes.fromhex(sibling) for sibling in self.audit_path]
        root = bytes.fromhex(statement.merkle_root)
        return self.tree_size == statement.objects.count and proves_inclusion(
            self.object.leaf(), self.index, self.tree_size, path, root
        )


def make_proof(bundle: Bundle, row: ObjectRow) -> Proof:
    """Return the proof that `row` is in `bundle`; every leaf is read, once.

    AlteredError where indexes and statement do not agree: then nothing can be proven.
    """
    statement = bundle.statement
    before = sum(_count_before(index, row.number) for index in bundle.indexes())
    rows = heapq.merge(*(index.objects() for index in bundle.indexes()), key=lambda each: each.number)
    try:
        path = inclusion_proof(map(merkle_leaf, rows), before, statement.objects.count)
    except (IndexError, ValueError) as error:
        raise _disagreement() from error
    data, signature = _signed_texts(bundle)
    proof = Proof(
        dataset=bundle.dataset_id,
        bundle=bundle.bundle_id,
        object=ProvenObject.of(row),
        index=before,
        tree_size=statement.objects.count,
        audit_path=tuple(sibling.hex() for sibling in path),
        statement=data.decode(),
        signature=signature,
    )
    if not proof.leads_to(statement):
        raise _disagreement()
    return proof


def parse_proof(data: bytes) -> Proof:
    """Return the proof in `data`; UsageError if it is none. Nothing of it is believed yet."""
    advice = _("Give a file that `repatria prove BUNDLE PATH -o FILE` wrote.")
    if len(data) > MAX_PROOF:
        raise UsageError(_("The proof is larger than any right one."), advice=advice)
    try:
        document = json.loads(data.decode(), object_pairs_hook=_without_duplicates)
        json.dumps(document, ensure_ascii=False).encode()  # escapes of half a character are refused
        return Proof.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "object"
        raise UsageError(_("The proof's field {place} is not right.").format(place=place), advice=advice) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(_("This is no proof: it is not JSON of the right form."), advice=advice) from error


def _count_before(index: Index, number: int) -> int:
    (count,) = next(index.query("SELECT count(*) FROM objects WHERE number < ?", (number,)))
    return count if isinstance(count, int) else 0


def _signed_texts(bundle: Bundle) -> tuple[bytes, str]:
    """Return statement and signature as they lie there, the same that the bundle was opened by."""
    data = bundle.folder.fetch(layout.STATEMENT, MAX_DOCUMENT)
    signature = bundle.folder.fetch(layout.STATEMENT_SIGNATURE, _SIGNATURE_LIMIT).decode("ascii", "replace")
    if hashlib.sha256(data).hexdigest() != bundle.statement_sha256:
        raise AlteredError(_("The statement changes while it is read."))
    sshsig.verify(signature, data, NAMESPACE)
    return data, signature


def _disagreement() -> AlteredError:
    return AlteredError(
        _("The indexes do not hold the objects that were signed for: nothing can be proven."),
        advice=_("Run `repatria verify --deep` on the bundle; restore it from a second copy."),
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key stands twice")
    return mapping
