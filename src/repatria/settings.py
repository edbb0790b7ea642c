"""repatria.toml: what is set once for a machine or a folder, and where state lies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

import platformdirs
from pydantic import BeforeValidator, ConfigDict, ValidationInfo

from repatria.manifest import StoreTable
from repatria.manifest_values import FilePath
from repatria.toml_file import parse, read_tables, refuse

FILE_NAME = "repatria.toml"
SYSTEM_FOLDER = Path("/etc/repatria")


def _recipients(value: object, info: ValidationInfo) -> object:
    """Make the paths among recipients absolute: manifests in other folders use them."""
    if not isinstance(value, list) or info.context is None:
        return value
    folder: Path = info.context["folder"]
    return [
        word if not isinstance(word, str) or word.startswith("age1") else str(folder / Path(word).expanduser())
        for word in value
    ]


@dataclass(frozen=True, kw_only=True)
class _Defaults:
    """`[defaults]`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    identity: FilePath | None = None
    signer: FilePath | None = None
    signers: FilePath | None = None
    recipients: Annotated[tuple[str, ...], BeforeValidator(_recipients)] = ()
    search: tuple[str, ...] = ()
    state: FilePath | None = None


@dataclass(frozen=True, kw_only=True)
class _SettingsTables:
    """What the TOML says."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    defaults: _Defaults = field(default_factory=_Defaults)
    stores: Mapping[str, StoreTable] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What holds for every command; environment before file, paths absolute."""

    state: Path
    """The state folder; it need not exist yet."""
    identity: Path | None = None
    """`$REPATRIA_IDENTITY`, else `[defaults] identity`."""
    signer: Path | None = None
    signers: Path | None = None
    """An allowed_signers file: whose signatures are known."""
    recipients: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    """The datasets or URIs that `search` looks through unless it is told others."""
    stores: Mapping[str, StoreTable] = field(default_factory=dict)
    file: Path | None = None
    """The repatria.toml that was read."""
    passphrase_command: str | None = None
    """`$REPATRIA_PASSPHRASE_COMMAND`."""


def find_settings_file(start: Path, user: Path, system: Path = SYSTEM_FOLDER) -> Path | None:
    """Return the first repatria.toml: from `start` upward, then the user's, then the system's."""
    start = start.absolute()
    folders = (start, *start.parents, user, system)
    return next((file for folder in folders if (file := folder / FILE_NAME).is_file()), None)


def load_settings(environment: Mapping[str, str], start: Path) -> Settings:
    """Return the settings that hold in the folder `start`; ManifestError if repatria.toml is wrong."""
    user = platformdirs.user_config_path("repatria")
    file = find_settings_file(start, user)
    tables = _read(file) if file else _SettingsTables()
    defaults = tables.defaults
    identity = environment.get("REPATRIA_IDENTITY")
    return Settings(
        state=_state(environment, defaults.state, file, start),
        identity=Path(identity).expanduser().absolute() if identity else defaults.identity,
        signer=defaults.signer,
        signers=defaults.signers,
        recipients=defaults.recipients,
        search=defaults.search,
        stores=tables.stores,
        file=file,
        passphrase_command=environment.get("REPATRIA_PASSPHRASE_COMMAND") or None,
    )


def _read(file: Path) -> _SettingsTables:
    raw, text = read_tables(file)
    tables, faults = parse(_SettingsTables, raw, {"folder": file.parent, "stores": {}}, {})
    if tables is None:
        raise refuse(file, text, faults)
    return tables


def _state(environment: Mapping[str, str], configured: Path | None, file: Path | None, start: Path) -> Path:
    """Choose the state folder; a repatria.toml of the user or the system has none beside it."""
    if given := environment.get("REPATRIA_STATE"):
        return Path(given).expanduser().absolute()
    if configured:
        return configured
    if file and start.absolute().is_relative_to(file.parent):
        return file.parent / ".repatria"
    return platformdirs.user_state_path("repatria")
