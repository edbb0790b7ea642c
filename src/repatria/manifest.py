"""Manifests: TOML in, model out; nowhere else."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from repatria import manifest_values as values
from repatria import uri as uris
from repatria.i18n import _
from repatria.manifest_values import FilePath, Uri
from repatria.toml_file import Fault, parse, read_tables, refuse, wrong

Line = Annotated[str, BeforeValidator(values.one_line)]


def _some_sources(value: "tuple[SourceTable, ...]") -> "tuple[SourceTable, ...]":
    if not value:
        raise wrong(_("is missing; add: {example}").format(example=EXAMPLES["source"]))
    return value


@dataclass(frozen=True, kw_only=True)
class StoreTable:
    """`[stores.NAME]` of repatria.toml: a store that `NAME:path` stands for."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    uri: Uri
    endpoint: str | None = None
    profile: str | None = None


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """`[[source]]`: where bytes of the dataset are today."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Annotated[str, BeforeValidator(values.source_name)] = ""
    """The first component of its objects' paths where there are several sources; may be empty for a single one."""
    uri: Uri
    endpoint: str | None = None
    profile: str | None = None
    include: tuple[str, ...] = ()
    """gitignore patterns; empty: everything."""
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TargetTable:
    """`[target]`: where bundles go; the dataset's own folder is made below it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    uri: Uri
    endpoint: str | None = None
    profile: str | None = None


@dataclass(frozen=True, kw_only=True)
class Encryption:
    """`[encryption]`: who can open the bundles, and who signs them."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    recipients: Annotated[tuple[str, ...], AfterValidator(values.some_recipients)]
    """Literal `age1...` or paths of files with recipients, relative to the manifest."""
    signer: FilePath | None = None
    """None: a signer is made once in the state folder."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """`[transfer]`: how much of the link, and when."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    bandwidth: Annotated[int, BeforeValidator(values.rate)] | None = None
    """Bits per second; None: as much as the link gives."""
    window: Annotated[str, BeforeValidator(values.window)] | None = None
    """Hours in which to work, in the manifest's time zone; None: always."""
    volume_size: Annotated[int, BeforeValidator(values.volume_size)] = values.DEFAULT_VOLUME_SIZE
    """Bytes of a full volume's payload."""
    patience: Annotated[int, BeforeValidator(values.time)] = values.DEFAULT_PATIENCE
    """Seconds for which a lost link is waited for."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """`[archive]`: the sources are folders of scans, to be read and made searchable."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    fonds: str = ""
    """Title of the fonds."""
    bordereau: FilePath | None = None
    """A CSV table that names and describes the dossiers."""
    ocr_lang: str = "fra"
    """Languages of the pages, as Tesseract names them, joined by `+`."""


@dataclass(frozen=True, kw_only=True)
class ManifestTables:
    """What the TOML of a manifest says."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: Annotated[str, BeforeValidator(values.dataset_id)]
    title: Line = ""
    owner: Line = ""
    hosted_in: Annotated[str, BeforeValidator(values.country)] = ""
    """ISO 3166-1 alpha-2: the country in which the data lies until now."""
    sensitivity: Literal["public", "internal", "personal", "health", "unknown"] = "unknown"
    legal_basis: Line = ""
    regulator: Line = ""
    timezone: Annotated[str, BeforeValidator(values.timezone)] = "UTC"
    """In which `window` and `--until` are meant."""
    sources: Annotated[tuple[SourceTable, ...], Field(alias="source"), AfterValidator(_some_sources)]
    target: TargetTable
    encryption: Encryption
    transfer: Transfer = field(default_factory=Transfer)
    archive: Archive | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest(ManifestTables):
    """One dataset: what it is, where it is, where it goes. URIs and paths are absolute."""

    file: Path
    """The file it was read from; recipients that are paths are relative to its folder."""


EXAMPLES = {
    "id": 'id = "fichiers-chu-fann"',
    "source": '[[source]] uri = "s3://bucket/path"',
    "source.uri": 'uri = "s3://bucket/path"',
    "source.name": 'name = "fichiers"',
    "target": '[target] uri = "s3://bucket/path"',
    "target.uri": 'uri = "s3://bucket/path"',
    "encryption.recipients": 'recipients = ["keys/ministere.pub"]',
}
"""The lines to add when a key is missing."""


def load_manifest(
    file: Path,
    *,
    stores: Mapping[str, StoreTable] | None = None,
    recipients: Sequence[str] = (),
    signer: Path | None = None,
) -> Manifest:
    """Read a manifest; ManifestError tells all its faults.

    `stores` are those of repatria.toml, and `recipients` and `signer` its defaults, for a manifest that names none.
    """
    named = dict(stores or {})
    tables, text = read_tables(file)
    completed = _with_encryption_defaults(_with_store_settings(tables, named), recipients, signer)
    context = {"folder": file.absolute().parent, "stores": named}
    found, faults = parse(ManifestTables, completed, context, EXAMPLES)
    if found is not None:
        faults = [*_source_names(found.sources), *_overlaps(found)]
    if found is None or faults:
        raise refuse(file, text, faults)
    parts = {part.name: getattr(found, part.name) for part in dataclasses.fields(found)}
    return Manifest(**parts, file=file.absolute())


def _with_encryption_defaults(
    tables: Mapping[str, Any], recipients: Sequence[str], signer: Path | None
) -> dict[str, Any]:
    """Give `[encryption]` the recipients and signer of repatria.toml where it has none of its own."""
    table = tables.get("encryption", {})
    if not isinstance(table, dict):
        return dict(tables)
    defaults: dict[str, Any] = {"recipients": list(recipients)} if recipients else {}
    if signer:
        defaults["signer"] = str(signer)
    return {**tables, "encryption": {**defaults, **table}}


def _with_store_settings(tables: Mapping[str, Any], stores: Mapping[str, StoreTable]) -> dict[str, Any]:
    """Give tables whose `uri` is `NAME:path` the endpoint and profile of that store, where they have none."""

    def completed(table: object) -> object:
        if not isinstance(table, dict) or not isinstance(table.get("uri"), str):
            return table
        _uri, store = uris.named_uri(stores, table["uri"])
        if store is None:
            return table
        known = {key: value for key in ("endpoint", "profile") if (value := getattr(store, key)) is not None}
        return {**known, **table}

    result = dict(tables)
    if isinstance(result.get("source"), list):
        result["source"] = [completed(table) for table in result["source"]]
    if "target" in result:
        result["target"] = completed(result["target"])
    return result


def _overlaps(tables: ManifestTables) -> Iterator[Fault]:
    """Yield a fault for each source that is the target, holds it or lies in it."""
    target = uris.location(tables.target)
    for number, source in enumerate(tables.sources):
        if uris.location(source).overlaps(target):
            yield Fault(
                ("source", number, "uri"),
                _("lies in the target, or the target in it; bundles would be copied into themselves. Separate them."),
            )


def _source_names(sources: Sequence[SourceTable]) -> Iterator[Fault]:
    seen: set[str] = set()
    for number, source in enumerate(sources):
        if not source.name and len(sources) > 1:
            yield Fault(
                ("source", number, "name"),
                _("is missing; with several sources each needs one: {example}").format(example=EXAMPLES["source.name"]),
            )
        elif source.name in seen:
            yield Fault(("source", number, "name"), _("is the name of an earlier source; give each its own."))
        seen.add(source.name)
