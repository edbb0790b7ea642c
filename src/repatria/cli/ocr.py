"""`ocr`: digitising paper archives."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.bordereau_lines import read_bordereau
from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.errors import UsageError, worst
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.bundle.statement import DatasetFacts
    from repatria.crypt.recipient import Recipient
    from repatria.ocr.batch import Wishes
    from repatria.ocr.digitise import DigitiseResult
    from repatria.settings import Settings
    from repatria.source.base import ObjectSource
    from repatria.store.base import Store

_DATASET_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
DEFAULT_LANGUAGES = "fra"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "ocr", help=_("Read scans and make them searchable, in an encrypted, signed archive."))
    def ocr(  # noqa: PLR0913, PLR0917 -- one option each
        out: Output,
        scans: Annotated[
            list[str], typer.Argument(metavar="SCANS", help=_("Folders or files of scans; or one MANIFEST."))
        ],
        to: Annotated[str | None, typer.Option("--to", metavar="URI", help=_("Where archives go."))] = None,
        recipient: Annotated[
            list[str] | None,
            typer.Option("-r", "--recipient", help=_("Who can open it: age1... or a .pub file; may be repeated.")),
        ] = None,
        dataset: Annotated[
            str | None, typer.Option("--id", metavar="ID", help=_("The archive's id; else the folder's name."))
        ] = None,
        signer: Annotated[Path | None, typer.Option("--signer", help=_("The key that signs."))] = None,
        fonds: Annotated[str | None, typer.Option("--fonds", metavar="TITLE", help=_("Title of the fonds."))] = None,
        bordereau: Annotated[
            Path | None,
            typer.Option("--bordereau", metavar="CSV", help=_("The table that names and describes the dossiers.")),
        ] = None,
        ocr_lang: Annotated[
            str | None, typer.Option("--ocr-lang", metavar="LANG", help=_("Languages of the pages: fra, or fra+ara."))
        ] = None,
        split: Annotated[
            bool, typer.Option("--split-pages", help=_("Read double pages as two; originals stay as they are."))
        ] = False,
        again: Annotated[
            bool, typer.Option("--again", help=_("Read pages of PDFs though they have a text of their own."))
        ] = False,
        workers: Annotated[
            int | None, typer.Option("--workers", min=1, metavar="N", help=_("Pages read side by side."))
        ] = None,
        endpoint: Annotated[str | None, typer.Option("--endpoint", metavar="URL", help=_("S3 endpoint."))] = None,
        profile: Annotated[str | None, typer.Option("--profile", metavar="NAME", help=_("AWS profile."))] = None,
    ) -> int:
        from repatria.cli.context import current_settings
        from repatria.cli.ocr_part import refuse_without_ocr

        refuse_without_ocr()
        settings = current_settings()
        if to is None:
            _refuse_with_manifest(recipient=recipient, id=dataset, signer=signer, endpoint=endpoint, profile=profile)
            archive = _described(scans, settings, fonds, bordereau, ocr_lang)
        else:
            given = _Given(to, tuple(recipient or ()), dataset, signer, fonds, bordereau, ocr_lang, endpoint, profile)
            archive = _named(scans, settings, given)
        wishes = _wishes(out, archive, again=again, split=split, workers=workers)
        return _digitise(out, archive, wishes, settings)


@dataclass(frozen=True, slots=True)
class _Given:
    """The options of an archive without a manifest."""

    to: str
    recipients: tuple[str, ...]
    dataset: str | None
    signer: Path | None
    fonds: str | None
    bordereau: Path | None
    languages: str | None
    endpoint: str | None
    profile: str | None


@dataclass(frozen=True, slots=True)
class _Archive:
    """An archive to make or continue, however it was described."""

    facts: "DatasetFacts"
    sources: "Sequence[ObjectSource]"
    target: "Store"
    recipients: "Sequence[Recipient]"
    signer: Path | None
    volume_size: int
    fonds: str
    bordereau: Path | None
    languages: str


def _digitise(out: Output, archive: _Archive, wishes: "Wishes", settings: "Settings") -> int:
    """Digitise under the dataset's lock, and show what was done."""
    from repatria.cli.progress import shown_progress
    from repatria.cli.runs import audited, ending_soon, opened_run
    from repatria.migrate.facts import source_facts
    from repatria.ocr.digitise import Desk, digitise
    from repatria.work.lock import dataset_lock
    from repatria.work.patience import Patience
    from repatria.work.state import StateFolder
    from repatria.work.stop import StopSignal

    if not wishes.engine.in_memory:
        out.warn(_("This engine exchanges pages in files; they are kept in memory (/dev/shm), never on a disk."))
    state, dataset = StateFolder(settings.state), archive.facts.id
    began = time.monotonic()
    with audited(out, settings, "ocr", dataset, long=True) as facts, ExitStack() as stack:
        stop = stack.enter_context(ending_soon(StopSignal()))
        for source in archive.sources:
            stack.callback(source.close)
        stack.enter_context(dataset_lock(state, dataset))
        progress = stack.enter_context(shown_progress(out))
        patience = Patience(stop, progress=progress)
        run = stack.enter_context(
            opened_run(
                out,
                archive.facts,
                archive.target,
                recipients=archive.recipients,
                signer=archive.signer,
                state=state,
                sources=source_facts(archive.sources),
                volume_size=archive.volume_size,
                patience=patience,
            )
        )
        desk = Desk(state.dataset(dataset), state.key())
        result = digitise(run, archive.sources, wishes, desk, patience=patience, progress=progress)
        _show(out, dataset, result, run.latest_uri, time.monotonic() - began)
        facts.update(bundle=result.uri or "", documents=result.documents, pages=result.pages)
        facts["findings"] = len(result.findings)
        facts["code"] = code = worst(found.kind.exit_code for found in result.findings)
    return code


def _described(
    scans: Sequence[str], settings: "Settings", fonds: str | None, bordereau: Path | None, languages: str | None
) -> _Archive:
    """Return the archive of a manifest with an [archive] table."""
    from repatria.cli.context import find_manifest, open_target
    from repatria.crypt.recipient import load_recipients
    from repatria.migrate.facts import dataset_facts
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
    return _Archive(
        facts=dataset_facts(manifest),
        sources=open_sources(manifest),
        target=open_target(manifest),
        recipients=load_recipients(manifest.encryption.recipients, manifest.file.parent),
        signer=manifest.encryption.signer,
        volume_size=manifest.transfer.volume_size,
        fonds=fonds if fonds is not None else manifest.archive.fonds or manifest.title,
        bordereau=bordereau or manifest.archive.bordereau,
        languages=languages or manifest.archive.ocr_lang,
    )


def _named(scans: Sequence[str], settings: "Settings", given: _Given) -> _Archive:
    """Return the archive that the options describe, and remember where it lies."""
    from repatria.bundle.statement import DatasetFacts
    from repatria.cli.context import open_place, resolved_uri
    from repatria.cli.places import RememberedPlace, remember
    from repatria.crypt.recipient import load_recipients
    from repatria.manifest_values import DEFAULT_VOLUME_SIZE
    from repatria.ocr.intake import scan_folders

    words = given.recipients or settings.recipients
    if not words:
        raise UsageError(
            _("Nobody could open the archive: no recipient was given. Nothing was done."),
            advice=_("Add -r age1... or -r FILE.pub; `repatria keys new -o FILE` makes a key."),
        )
    recipients = load_recipients(words, Path.cwd())
    sources = scan_folders([Path(scan) for scan in scans])
    dataset = given.dataset or _id_of([source.folder for source in sources])
    if not _DATASET_ID.fullmatch(dataset):
        raise UsageError(
            _("{id} cannot be an archive's id.").format(id=dataset),
            advice=_("Use a-z, 0-9 and hyphens, at most 63, a letter or digit first: --id fonds-2024."),
        )
    target = open_place(given.to, settings, endpoint=given.endpoint, profile=given.profile)
    place = RememberedPlace(resolved_uri(given.to, settings), given.endpoint, given.profile, None)
    remember(settings.state, dataset, place)
    return _Archive(
        facts=DatasetFacts(
            id=dataset,
            title=given.fonds or dataset,
            owner="",
            hosted_in="",
            sensitivity="unknown",
            legal_basis="",
            regulator="",
        ),
        sources=sources,
        target=target,
        recipients=recipients,
        signer=given.signer or settings.signer,
        volume_size=DEFAULT_VOLUME_SIZE,
        fonds=given.fonds or "",
        bordereau=given.bordereau,
        languages=given.languages or DEFAULT_LANGUAGES,
    )


def _wishes(out: Output, archive: _Archive, *, again: bool, split: bool, workers: int | None) -> "Wishes":
    """Choose the engine and read the bordereau, before any work."""
    from repatria.ocr.batch import Wishes
    from repatria.ocr.engine import choose_engine, languages_of

    engine = choose_engine(languages_of(archive.languages))
    bordereau = read_bordereau(out, archive.bordereau) if archive.bordereau is not None else None
    wishes = Wishes(engine, archive.fonds, bordereau, again, split)
    return wishes if workers is None else replace(wishes, workers=workers)


def _id_of(folders: Sequence[Path]) -> str:
    """Make an id of the folder's name: `Boîte 12` is `boite-12`."""
    from repatria.ocr.folding import fold

    if len(folders) != 1:
        raise UsageError(
            _("Several folders were given, and no id for their archive. Nothing was done."),
            advice=_("Add --id ID, for example --id fonds-2024."),
        )
    return re.sub(r"[^a-z0-9]+", "-", fold(folders[0].name)).strip("-")[:63] or "archive"


def _refuse_with_manifest(**options: object) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(
            _("--{option} needs --to: where the archive goes.").format(option=given[0]),
            advice=_("Add --to URI; with a manifest, write it there instead."),
        )


def _show(out: Output, dataset: str, result: "DigitiseResult", latest_uri: str | None, seconds: float) -> None:
    for found in result.findings:
        out.finding(found, stored=False)
    uri = result.uri or latest_uri
    out.record(
        "digitised",
        dataset=dataset,
        bundle=result.uri,
        documents=result.documents,
        pages=result.pages,
        already=result.already,
        copies=result.copies,
        flagged=result.flagged,
        seconds=round(seconds, 1),
    )
    for sentence in _sentences(result, seconds):
        out.say(sentence)
    if result.findings and not out.names:
        out.say(_("Which scans these are is shown on a terminal, or with --json."))
    if uri is not None:
        out.text(uri)
    out.summary(bundle=uri, next=f"repatria verify {dataset}" if uri else None)


def _sentences(result: "DigitiseResult", seconds: float) -> Iterator[str]:
    """Yield what is said of a run."""
    from repatria.cli.quantity import number_text, quantity_text, rate_text
    from repatria.progress import Unit

    if result.pages:
        yield ngettext(
            "Read {pages} of {count} document ({rate}); every volume is proven at the target.",
            "Read {pages} of {count} documents ({rate}); every volume is proven at the target.",
            result.documents,
        ).format(
            pages=quantity_text(result.pages, Unit.PAGES),
            count=number_text(result.documents),
            rate=rate_text(result.pages / max(seconds, 0.001), Unit.PAGES),
        )
    else:
        yield _("Nothing new.")
    if result.already:
        yield ngettext(
            "{count} scan is in the archive already and was left out.",
            "{count} scans are in the archive already and were left out.",
            result.already,
        ).format(count=number_text(result.already))
    if result.copies:
        yield ngettext(
            "{count} scan has the same bytes as one in the archive, under another name, and was left out.",
            "{count} scans have the same bytes as others in the archive, under other names, and were left out.",
            result.copies,
        ).format(count=number_text(result.copies))
    if result.flagged:
        yield ngettext(
            "{count} page needs an eye: it was read with little confidence.",
            "{count} pages need an eye: they were read with little confidence.",
            result.flagged,
        ).format(count=number_text(result.flagged))
