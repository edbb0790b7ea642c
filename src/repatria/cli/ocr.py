"""`ocr`: digitising paper archives."""

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.bordereau_lines import read_bordereau
from repatria.cli.frame import command
from repatria.cli.ocr_archive import Archive, Given, described, named, refuse_with_manifest
from repatria.cli.ocr_report import show_result
from repatria.cli.ocr_watch import rhythm_of, watch
from repatria.cli.output import Output
from repatria.cli.worker_options import workers_of
from repatria.errors import worst
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.ocr.batch import Wishes
    from repatria.settings import Settings


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
        watched: Annotated[
            bool,
            typer.Option("--watch", help=_("Go on reading what is dropped into inbox of this folder, until SIGTERM.")),
        ] = False,
        pages: Annotated[
            int | None, typer.Option("--pages", min=1, metavar="N", help=_("With --watch: a bundle every N pages."))
        ] = None,
        idle: Annotated[
            str | None,
            typer.Option("--idle", metavar="TIME", help=_("With --watch: and once nothing came for so long: 15m.")),
        ] = None,
        settle: Annotated[
            str | None,
            typer.Option(
                "--settle", metavar="TIME", help=_("With --watch: a file unchanged for so long is whole: 5s.")
            ),
        ] = None,
        workers: Annotated[
            str | None,
            typer.Option(
                "--workers", metavar="N|URI", help=_("Pages read side by side; or a Dask cluster, dask://HOST:PORT.")
            ),
        ] = None,
        endpoint: Annotated[str | None, typer.Option("--endpoint", metavar="URL", help=_("S3 endpoint."))] = None,
        profile: Annotated[str | None, typer.Option("--profile", metavar="NAME", help=_("AWS profile."))] = None,
    ) -> int:
        from repatria.cli.context import current_settings
        from repatria.cli.ocr_part import refuse_without_ocr
        from repatria.ocr.isolation import preload

        preload()  # it loads its libraries while this process loads its own
        refuse_without_ocr()
        settings = current_settings()
        rhythm = rhythm_of(watched=watched, pages=pages, idle=idle, settle=settle)
        given = Given(tuple(recipient or ()), dataset, signer, fonds, bordereau, ocr_lang, endpoint, profile)
        if to is None:
            refuse_with_manifest(given)
            archive = described(scans, settings, given, watched=watched)
        else:
            archive = named(scans, settings, given, to, watched=watched)
        wishes = _wishes(out, archive, again=again, split=split, workers=workers)
        if archive.share is not None:
            return watch(out, archive, archive.share, wishes, rhythm, settings)
        return _digitise(out, archive, wishes, settings)


def _digitise(out: Output, archive: Archive, wishes: "Wishes", settings: "Settings") -> int:
    """Digitise under the dataset's lock, and show what was done."""
    from repatria.cli.endings import LastWords, ending_soon
    from repatria.cli.progress import shown_progress
    from repatria.cli.runs import audited, opened_run
    from repatria.migrate.facts import source_facts
    from repatria.ocr.digitise import Desk, digitise
    from repatria.work.lock import dataset_lock
    from repatria.work.patience import Patience
    from repatria.work.state import StateFolder
    from repatria.work.stop import StopSignal

    state, dataset = StateFolder(settings.state), archive.facts.id
    began = time.monotonic()
    target = archive.open_target()
    with audited(out, settings, "ocr", dataset, long=True) as facts, ExitStack() as stack:
        stop = stack.enter_context(ending_soon(LastWords(out, state, "ocr", dataset), StopSignal()))
        for source in archive.sources:
            stack.callback(source.close)
        stack.enter_context(dataset_lock(state, dataset))
        progress = stack.enter_context(shown_progress(out))
        patience = Patience(stop, archive.patience, progress)
        run = stack.enter_context(
            opened_run(
                out,
                archive.facts,
                target,
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
        show_result(out, dataset, result, run.latest_uri, time.monotonic() - began)
        facts.update(bundle=result.uri or "", documents=result.documents, pages=result.pages)
        facts["findings"] = len(result.findings)
        facts["code"] = code = worst(found.kind.exit_code for found in result.findings)
    return code


def _wishes(out: Output, archive: Archive, *, again: bool, split: bool, workers: str | None) -> "Wishes":
    """Choose the engine and read the bordereau, before any work."""
    from repatria.ocr.batch import Wishes
    from repatria.ocr.engine import choose_engine, languages_of

    asked = workers_of(workers)
    engine = choose_engine(languages_of(archive.languages))
    bordereau = read_bordereau(out, archive.bordereau) if archive.bordereau is not None else None
    wishes = Wishes(engine, archive.fonds, bordereau, again, split, cluster=asked.cluster)
    if not engine.in_memory:
        out.warn(_("This engine exchanges pages in files; they are kept in memory (/dev/shm), never on a disk."))
    return wishes if asked.side_by_side is None else replace(wishes, workers=asked.side_by_side)
