"""The signed JSON of a bundle, and the checkpoints of an unfinished one (docs/formats/statement.md).

A document's bytes are what is signed: `parse_statement` keeps fields that it does not know, so that `encode` gives the
same bytes back.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from repatria.bundle.errors import MalformedError
from repatria.i18n import _

STATEMENT_TYPE: Literal["https://repatria/statement/1"] = "https://repatria/statement/1"
CHECKPOINT_TYPE: Literal["https://repatria/checkpoint/1"] = "https://repatria/checkpoint/1"
NAMESPACE = "repatria"
"""The SSHSIG namespace of everything that is signed."""
BOUND_FILES = ("manifest-sha256.txt", "bagit.txt", "bag-info.txt", "README.txt")
"""The tag files whose SHA-256 stands in the statement."""
MAX_DOCUMENT = 64 << 20
_MAX_DEPTH = 16

Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}\Z")]
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
DatasetId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
BundleId = Annotated[str, StringConstraints(pattern=r"^[0-9]{8}T[0-9]{6}Z-[a-z2-7]{6}\Z")]


def _a_moment(text: str) -> str:
    datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)  # ValueError for the 31st of February
    return text


Time = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z"),
    AfterValidator(_a_moment),
]


class Part(BaseModel):
    """A frozen JSON object whose types are checked and whose unknown fields are kept."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", regex_engine="python-re")


class DatasetFacts(Part):
    """What the manifest says of the dataset; strings are empty where nothing was given."""

    id: DatasetId
    title: str = ""
    owner: str = ""
    hosted_in: str = ""
    sensitivity: str = ""
    legal_basis: str = ""
    regulator: str = ""


class SourceFacts(Part):
    """A source, without user names, passwords and query strings."""

    name: str
    uri: str


class Previous(Part):
    """The bundle before, and the SHA-256 of its `statement.json`."""

    bundle: BundleId
    sha256: Sha256Hex


class Replaces(Part):
    """The statement that this one took the place of, when the bundle's recipients changed."""

    number: Annotated[int, Field(ge=1, lt=10_000)]
    """It is kept as `statements/NUMBER.json`."""
    sha256: Sha256Hex
    rewrapped: Time
    """When this one was signed; `finished` stays."""


class ObjectCounts(Part):
    """The objects of one bundle; `first` is its first object number, `next` the first one free after it."""

    count: Count
    bytes: Count
    first: Count
    next: Count


class DocumentCounts(Part):
    """The documents of one bundle; numbers as in `ObjectCounts`."""

    count: Count
    pages: Count
    first: Count
    next: Count


class Totals(Part):
    """The dataset as it stands with this bundle."""

    objects: Count
    bytes: Count


class IndexEntry(Part):
    """One index: enough to open it safely by ranges."""

    name: Annotated[str, StringConstraints(pattern=r"^data/index-[0-9]{4,9}\.db\.age\Z")]
    size: Count
    sha256: Sha256Hex
    payload_sha256: Sha256Hex
    head_sha256: Sha256Hex
    first_volume: Count
    last_volume: Count


class VolumeCounts(Part):
    """The volumes of one bundle; bytes are those of the age files."""

    count: Count
    bytes: Count


class FindingEntry(Part):
    """An object that failed, or changed under the copy."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,32}\Z")]
    object: Count


class Document(Part):
    """A signed JSON file."""

    def encode(self) -> bytes:
        """Return the canonical bytes, those that are signed."""
        return canonical(self.model_dump(mode="json"))


class Statement(Document):
    """What a finished bundle says of itself."""

    type: Literal["https://repatria/statement/1"] = STATEMENT_TYPE
    dataset: DatasetFacts
    bundle: BundleId
    kind: Literal["full", "delta"]
    sources: tuple[SourceFacts, ...] = Field(strict=False)
    started: Time
    finished: Time
    previous: Previous | None
    recipients: tuple[str, ...] = Field(strict=False)
    tool: str
    objects: ObjectCounts
    documents: DocumentCounts
    tombstones: Count
    totals: Totals
    merkle_root: Sha256Hex
    checksums_compared: Count
    durability: Literal["read-back", "store-sha256"]
    files: Mapping[str, Sha256Hex]
    """Empty only in a draft, before `closing_files` fills it."""
    indexes: tuple[IndexEntry, ...] = Field(strict=False)
    volumes: VolumeCounts
    findings: tuple[FindingEntry, ...] = Field(strict=False)
    replaces: Replaces | None = None
    """Not written where there is none."""

    @property
    def signed_at(self) -> str:
        """When it was signed: at the end of its making, or of the last change of recipients.

        The change came later, whatever it says: else a key withdrawn before the bundle was finished could sign it anew.
        """
        return max(self.finished, self.replaces.rewrapped) if self.replaces else self.finished

    def encode(self) -> bytes:
        """Return the canonical bytes, those that are signed."""
        return canonical(self.model_dump(mode="json", exclude=None if self.replaces else {"replaces"}))


class Checkpoint(Document):
    """What an unfinished bundle holds so far."""

    type: Literal["https://repatria/checkpoint/1"] = CHECKPOINT_TYPE
    dataset: DatasetId
    bundle: BundleId
    started: Time
    previous: Previous | None
    recipients: tuple[str, ...] = Field(strict=False)
    indexes: tuple[IndexEntry, ...] = Field(strict=False)
    objects: ObjectCounts
    documents: DocumentCounts


_D = TypeVar("_D", bound=Document)


def canonical(value: object) -> bytes:
    """Return canonical JSON: sorted keys, no white space, no needless escapes, one line feed at the end."""
    _refuse_fractions(value, _MAX_DEPTH)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def parse_statement(data: bytes) -> Statement:
    """Return the statement in `data`; MalformedError unless it is canonical and complete.

    Authenticate first: this says nothing of who wrote it.
    """
    statement = parse_document(data, Statement)
    if not set(BOUND_FILES) <= set(statement.files):
        raise MalformedError(_("The statement does not name every file that it must bind."))
    return statement


def parse_checkpoint(data: bytes) -> Checkpoint:
    """Return the checkpoint in `data`; MalformedError unless it is canonical and complete."""
    return parse_document(data, Checkpoint)


def parse_document(data: bytes, form: type[_D]) -> _D:
    """Return the signed JSON file in `data`; MalformedError unless it is canonical and complete."""
    if len(data) > MAX_DOCUMENT:
        raise MalformedError(_("The statement is larger than any right one."))
    try:
        document = json.loads(data.decode(), object_pairs_hook=_without_duplicates, parse_float=_no_fraction)
        if canonical(document) != data:
            raise MalformedError(_("The statement is not written in its canonical form."))
        found = form.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise MalformedError(_("The statement's field {place} is not right.").format(place=place)) from error
    except (ValueError, RecursionError) as error:
        raise MalformedError(_("The statement is not JSON of the right form.")) from error
    if found.encode() != data:  # what is wanting would else be taken for a default that nobody signed
        raise MalformedError(_("The statement lacks a field."))
    return found


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key stands twice")
    return mapping


def _no_fraction(digits: str) -> float:
    raise ValueError(f"a number is not whole: {digits[:20]}")


def _refuse_fractions(value: object, depth: int) -> None:
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, float):
        raise ValueError("a number is not whole")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key is not text")
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            _refuse_fractions(part, depth - 1)
