"""What an argument means: which manifest, which bundle at which store, which keys; by flag, environment, then files."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from repatria.cli.places import RememberedPlace, remember, remembered, remembered_places
from repatria.errors import CryptError, ManifestError, Role, UsageError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.crypt.identity import Identity
    from repatria.manifest import Manifest
    from repatria.settings import Settings
    from repatria.source.base import ObjectSource
    from repatria.store.base import Store

BUNDLE_ID = re.compile(r"\d{8}T\d{6}Z-[a-z2-7]{6}")
_DATASET_REFERENCE = re.compile(r"([a-z0-9][a-z0-9-]{0,62})(?:@(.*))?")


def current_settings() -> "Settings":
    """Return the settings that hold here and now."""
    from repatria.settings import load_settings

    return load_settings(os.environ, Path.cwd())


def find_manifest(argument: str, settings: "Settings | None" = None) -> "Manifest":
    """Return the manifest that `argument` means: a file, or the id of a dataset.

    An id is looked up in `manifests/` and the folder itself, here and beside repatria.toml, then among the datasets
    that earlier runs have seen.
    """
    from repatria.manifest import load_manifest

    settings = settings or current_settings()
    file = _manifest_file(argument, settings)
    manifest = load_manifest(file, stores=settings.stores, recipients=settings.recipients, signer=settings.signer)
    if file != Path(argument) and manifest.id != argument:
        raise ManifestError(
            _("{file} describes the dataset {id}, not {argument}.").format(
                file=file, id=manifest.id, argument=argument
            ),
            advice=_("Give the file and its id the same name."),
        )
    _refuse_state_as_source(manifest, settings)
    remember(
        settings.state,
        manifest.id,
        RememberedPlace(
            uri=manifest.target.uri,
            endpoint=manifest.target.endpoint,
            profile=manifest.target.profile,
            manifest=manifest.file,
        ),
    )
    return manifest


def known_manifest(dataset_id: str, settings: "Settings") -> "Manifest | None":
    """Return the manifest of a dataset, None if none is to be found; ManifestError if it is wrong."""
    if not any(file.is_file() for file in _candidates(dataset_id, settings)):
        return None
    return find_manifest(dataset_id, settings)


def _refuse_state_as_source(manifest: "Manifest", settings: "Settings") -> None:
    """Keep keys and journals out of bundles, and a source from changing because it is copied."""
    from repatria.manifest import TargetTable
    from repatria.uri import location

    state = location(TargetTable(uri=settings.state.absolute().as_uri()))
    for source in manifest.sources:
        if location(source).overlaps(state):
            raise ManifestError(
                _("The source {uri} holds the state folder {state}, or lies in it.").format(
                    uri=source.uri, state=settings.state
                ),
                advice=_("Keep state elsewhere: name another folder with REPATRIA_STATE or [defaults] state."),
            )


def _manifest_file(argument: str, settings: "Settings") -> Path:
    if "/" in argument or argument.endswith(".toml"):
        return Path(argument)
    for candidate in _candidates(argument, settings):
        if candidate.is_file():
            return candidate
    if Path(argument).is_file():
        return Path(argument)
    raise UsageError(
        _("There is no manifest for {argument}.").format(argument=argument),
        advice=_("Give a file, or an id whose manifest is manifests/ID.toml. `repatria new ID` writes one."),
    )


def _candidates(dataset_id: str, settings: "Settings") -> Iterator[Path]:
    folders = [Path(), *([settings.file.parent] if settings.file else [])]
    for folder in folders:
        yield folder / "manifests" / f"{dataset_id}.toml"
        yield folder / f"{dataset_id}.toml"
    known = remembered(settings.state, dataset_id)
    if known and known.manifest:
        yield known.manifest


class OpenedBundle(NamedTuple):
    """A bundle that an argument means."""

    store: "Store"
    """Its root is the target: the folder that holds the dataset's."""
    dataset_id: str
    bundle_id: str | None
    """None: the latest of its chain."""


def open_bundle(
    argument: str, settings: "Settings", *, endpoint: str | None = None, profile: str | None = None
) -> OpenedBundle:
    """Open the bundle that `argument` means: a URI, `NAME:path`, a path, DATASET or DATASET@START.

    The id of a dataset seen before means that dataset, even where a folder of its name lies (the scans it was made of).
    """
    reference = _DATASET_REFERENCE.fullmatch(argument)
    if reference is None or (Path(argument).is_dir() and not remembered(settings.state, reference[1])):
        return _bundle_at(argument, settings, endpoint, profile)
    dataset_id, start = reference[1], reference[2]
    place = _place_of(dataset_id, settings)
    store = open_place(place.uri, settings, endpoint=endpoint or place.endpoint, profile=profile or place.profile)
    return OpenedBundle(store, dataset_id, _bundle_starting(store, dataset_id, start) if start else None)


def _bundle_at(argument: str, settings: "Settings", endpoint: str | None, profile: str | None) -> OpenedBundle:
    root, _slash, last = resolved_uri(argument, settings).rstrip("/").rpartition("/")
    bundle_id = None
    if BUNDLE_ID.fullmatch(last):
        bundle_id = last
        root, _slash, last = root.rpartition("/")
    if not _DATASET_REFERENCE.fullmatch(last) or root.endswith(":/"):
        raise UsageError(
            _("{argument} is no bundle.").format(argument=argument),
            advice=_("Give TARGET/DATASET/BUNDLE, TARGET/DATASET for its latest, or the dataset's id."),
        )
    return OpenedBundle(open_place(root, settings, endpoint=endpoint, profile=profile), last, bundle_id)


def _place_of(dataset_id: str, settings: "Settings") -> RememberedPlace:
    known = remembered(settings.state, dataset_id)
    if known and (known.manifest is None or not known.manifest.exists()):
        return known
    manifest = find_manifest(dataset_id, settings)
    target = manifest.target
    return RememberedPlace(target.uri, target.endpoint, target.profile, manifest.file)


def _bundle_starting(store: "Store", dataset_id: str, start: str) -> str:
    """Return the one bundle id of the dataset that starts with `start`."""
    if BUNDLE_ID.fullmatch(start):
        return start
    folders = {item.path.split("/")[1] for item in store.list(f"{dataset_id}/") if item.path.count("/") > 1}
    found = sorted(name for name in folders if BUNDLE_ID.fullmatch(name) and name.startswith(start))
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            _("The dataset {dataset} has no bundle that starts with {start}.").format(dataset=dataset_id, start=start),
            advice=_("`repatria bundles {dataset}` lists them.").format(dataset=dataset_id),
        )
    raise UsageError(
        _("{start} is the start of several bundles: {bundles}.").format(start=start, bundles=", ".join(found)),
        advice=_("Write more of the bundle's id."),
    )


def resolved_uri(argument: str, settings: "Settings") -> str:
    """Return the absolute URI that `argument` means: a URI, `NAME:path` of repatria.toml, or a path."""
    from repatria import uri as uris

    named, _store = uris.named_uri(settings.stores, argument)
    try:
        return uris.absolute(named, Path.cwd())
    except ValueError as error:
        raise UsageError(
            _("{argument}: {fault}").format(argument=argument, fault=error),
            advice=_("Nothing was done."),
        ) from error


def open_place(
    argument: str,
    settings: "Settings",
    *,
    role: Role = Role.TARGET,
    endpoint: str | None = None,
    profile: str | None = None,
) -> "Store":
    """Open the store at a URI, `NAME:path` or a path.

    Its endpoint and profile are those given, else those of the `[stores]` entry or dataset it lies under, else ambient.
    """
    from repatria.store.registry import open_store

    uri = resolved_uri(argument, settings)
    known = _known_above(uri, settings)
    return open_store(
        uri,
        endpoint=endpoint or (known.endpoint if known else None),
        profile=profile or (known.profile if known else None),
        role=role,
    )


def _known_above(uri: str, settings: "Settings") -> RememberedPlace | None:
    """Return the store of repatria.toml, else the dataset's target, that holds this URI; the deepest if several do."""
    stores = (
        RememberedPlace(uri=store.uri, endpoint=store.endpoint, profile=store.profile, manifest=None)
        for store in settings.stores.values()
    )
    for places in (stores, remembered_places(settings.state)):
        above = [place for place in places if f"{uri}/".startswith(f"{place.uri.rstrip('/')}/")]
        if above:
            return max(above, key=lambda place: len(place.uri))
    return None


def open_target(manifest: "Manifest") -> "Store":
    """Open the store in which the dataset's folder of bundles lies."""
    from repatria.store.registry import open_store

    target = manifest.target
    return open_store(target.uri, endpoint=target.endpoint, profile=target.profile, role=Role.TARGET)


@contextmanager
def opened_sources(manifest: "Manifest") -> "Iterator[Sequence[ObjectSource]]":
    """Open the sources of a manifest, and close them in the end."""
    from repatria.source.objects import open_sources

    with ExitStack() as stack:
        sources = open_sources(manifest)
        for source in sources:
            stack.callback(source.close)
        yield sources


def identities(option: "Sequence[Path] | None", settings: "Settings") -> "tuple[Identity, ...]":
    """Return the identities of the files given with `-i`, else of `$REPATRIA_IDENTITY` or repatria.toml."""
    from repatria.crypt.identity import load_identities

    files = list(option or ()) or ([settings.identity] if settings.identity else [])
    if not files:
        raise UsageError(
            _("No key was given, and without one nothing can be opened."),
            advice=_("Add -i FILE, or set REPATRIA_IDENTITY, or [defaults] identity in repatria.toml."),
        )
    return tuple(identity for file in files for identity in load_identities(file, ask_passphrase))


def ask_passphrase(prompt: str) -> str:
    """Return a passphrase: what `$REPATRIA_PASSPHRASE_COMMAND` prints, else what is typed at the terminal."""
    command = os.environ.get("REPATRIA_PASSPHRASE_COMMAND")
    if command:
        return _passphrase_printed_by(command)
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        raise CryptError(
            _("A passphrase is needed, and there is no terminal to ask at."),
            advice=_("Set REPATRIA_PASSPHRASE_COMMAND to a command that prints it."),
        ) from error
    os.close(terminal)
    from getpass import getpass

    return getpass(f"{prompt} ")


def _passphrase_printed_by(command: str) -> str:
    try:
        printed = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, text=True, check=True)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise CryptError(
            _("The command of REPATRIA_PASSPHRASE_COMMAND failed."),
            advice=_("It must print the passphrase on one line and end with code 0; run it by hand to see."),
        ) from error
    return printed.stdout.split("\n", 1)[0]
