"""What `ocr` is to make or continue: an archive that a manifest describes, or options."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from repatria.errors import UsageError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.bundle.statement import DatasetFacts
    from repatria.crypt.recipient import Recipient
    from repatria.manifest import Manifest
    from repatria.ocr.share import Share
    from repatria.settings import Settings
    from repatria.source.base import ObjectSource
    from repatria.store.base import Store

_DATASET_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
DEFAULT_LANGUAGES = "fra"


@dataclass(frozen=True, slots=True)
class Given:
    """The options that describe an archive; most of them only where no manifest does."""

    recipients: tuple[str, ...]
    dataset: str | None
    signer: Path | None
    fonds: str | None
    bordereau: Path | None
    languages: str | None
    endpoint: str | None
    profile: str | None


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive to make or continue, however it was described."""

    facts: "DatasetFacts"
    sources: "Sequence[ObjectSource]"
    share: "Share | None"
    """The folder to watch, if that is wished: its inbox is the one source."""
    open_target: "Callable[[], Store]"
    recipients: "Sequence[Recipient]"
    signer: Path | None
    volume_size: int
    patience: float
    """Seconds for which a lost link is waited for."""
    fonds: str
    bordereau: Path | None
    languages: str


def described(scans: Sequence[str], settings: "Settings", given: Given, *, watched: bool) -> Archive:
    """Return the archive of a manifest with an [archive] table; options say otherwise where they say something."""
    from repatria.cli.context import find_manifest, open_target
    from repatria.crypt.recipient import load_recipients
    from repatria.migrate.facts import dataset_facts
    from repatria.ocr.naming import named_by_folders
    from repatria.source.objects import open_sources

    if len(scans) > 1 or Path(scans[0]).is_dir():
        raise UsageError(
            _("It is not said where the archive goes. Nothing was done."),
            advice=_("Add --to URI and -r RECIPIENT; or give one manifest with an [archive] table."),
        )
    manifest = find_manifest(scans[0], settings)
    if manifest.archive is None:
        raise UsageError(
            _("{dataset} is no archive of scans: its manifest has no [archive] table.").format(dataset=manifest.id),
            advice=_("Add [archive] to it, or copy it as it is: repatria copy {dataset}").format(dataset=manifest.id),
        )
    share = _share_of(manifest) if watched else None
    return Archive(
        facts=dataset_facts(manifest),
        sources=[share.source()]
        if share is not None
        else named_by_folders(open_sources(manifest), [source.uri for source in manifest.sources]),
        share=share,
        open_target=lambda: open_target(manifest),
        recipients=load_recipients(manifest.encryption.recipients, manifest.file.parent),
        signer=manifest.encryption.signer,
        volume_size=manifest.transfer.volume_size,
        patience=manifest.transfer.patience,
        fonds=given.fonds if given.fonds is not None else manifest.archive.fonds or manifest.title,
        bordereau=given.bordereau or manifest.archive.bordereau,
        languages=given.languages or manifest.archive.ocr_lang,
    )


def named(scans: Sequence[str], settings: "Settings", given: Given, to: str, *, watched: bool) -> Archive:
    """Return the archive that the options describe, and remember where it lies."""
    from repatria.bundle.statement import DatasetFacts
    from repatria.cli.context import open_place, resolved_uri
    from repatria.cli.places import RememberedPlace, remember
    from repatria.crypt.recipient import load_recipients
    from repatria.manifest_values import DEFAULT_PATIENCE, DEFAULT_VOLUME_SIZE
    from repatria.ocr.intake import scan_folders

    words = given.recipients or settings.recipients
    if not words:
        raise UsageError(
            _("Nobody could open the archive: no recipient was given. Nothing was done."),
            advice=_("Add -r age1... or -r FILE.pub; `repatria keys new -o FILE` makes a key."),
        )
    recipients = load_recipients(words, Path.cwd())
    share = _share_at(scans) if watched else None
    folders = scan_folders([Path(scan) for scan in scans])
    dataset = given.dataset or _id_of([source.folder for source in folders])
    if not _DATASET_ID.fullmatch(dataset):
        raise UsageError(
            _("{id} cannot be an archive's id.").format(id=dataset),
            advice=_("Use a-z, 0-9 and hyphens, at most 63, a letter or digit first: --id fonds-2024."),
        )
    place = RememberedPlace(resolved_uri(to, settings), given.endpoint, given.profile, None)
    remember(settings.state, dataset, place)
    return Archive(
        facts=DatasetFacts(
            id=dataset,
            title=given.fonds or dataset,
            owner="",
            hosted_in="",
            sensitivity="unknown",
            legal_basis="",
            regulator="",
        ),
        sources=[share.source()] if share is not None else folders,
        share=share,
        open_target=lambda: open_place(to, settings, endpoint=given.endpoint, profile=given.profile),
        recipients=recipients,
        signer=given.signer or settings.signer,
        volume_size=DEFAULT_VOLUME_SIZE,
        patience=DEFAULT_PATIENCE,
        fonds=given.fonds or "",
        bordereau=given.bordereau,
        languages=given.languages or DEFAULT_LANGUAGES,
    )


def _id_of(folders: Sequence[Path]) -> str:
    """Make an id of the folder's name: `Boîte 12` is `boite-12`."""
    from repatria.ocr.folding import fold

    if len(folders) != 1:
        raise UsageError(
            _("Several folders were given, and no id for their archive. Nothing was done."),
            advice=_("Add --id ID, for example --id fonds-2024."),
        )
    return re.sub(r"[^a-z0-9]+", "-", fold(folders[0].name)).strip("-")[:63] or "archive"


def _share_at(scans: Sequence[str]) -> "Share":
    from repatria.ocr.share import Share

    root = Path(scans[0])
    if len(scans) != 1 or not root.is_dir():
        raise UsageError(
            _("One folder can be watched. Nothing was done."),
            advice=_("Give the shared folder; inbox, done and problems are made in it."),
        )
    return Share(root.resolve())


def _share_of(manifest: "Manifest") -> "Share":
    uris = [source.uri for source in manifest.sources]
    if len(uris) != 1 or not uris[0].startswith("file://"):
        raise UsageError(
            _("{dataset} cannot be watched: its one source must be a folder of this machine.").format(
                dataset=manifest.id
            ),
            advice=_("Mount the shared folder, and name it in [[source]]."),
        )
    return _share_at([unquote(urlsplit(uris[0]).path)])


def refuse_with_manifest(given: Given) -> None:
    """Refuse options that a manifest stands for."""
    options = {
        "recipient": given.recipients,
        "id": given.dataset,
        "signer": given.signer,
        "endpoint": given.endpoint,
        "profile": given.profile,
    }
    named = [name for name, value in options.items() if value]
    if named:
        raise UsageError(
            _("--{option} needs --to: where the archive goes.").format(option=named[0]),
            advice=_("Add --to URI; with a manifest, write it there instead."),
        )
