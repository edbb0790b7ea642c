"""`copy`: bringing a dataset home."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.copy_report import show_result, tell_damage
from repatria.cli.endings import LastWords, ending_soon
from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.cli.pace_options import ManifestArgument, WindowOption, rate
from repatria.cli.repair import Repair, forget_search, identities_for, take_damaged_again
from repatria.cli.runs import audited, opened_run
from repatria.cli.worker_options import Workers, workers_of
from repatria.errors import StoppedError, UsageError, worst
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.manifest import Manifest
    from repatria.migrate.copy import CopyResult
    from repatria.migrate.headway import Halt, Remainder
    from repatria.migrate.line import OpenWay
    from repatria.migrate.pacing import Pacing, Wishes
    from repatria.progress import Progress
    from repatria.settings import Settings
    from repatria.source.base import ObjectSource
    from repatria.work.bundling import BundleRun
    from repatria.work.patience import Patience
    from repatria.work.state import StateFolder
    from repatria.work.stop import StopSignal


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app, "copy", help=_("Copy what is new or changed into an encrypted, signed bundle; goes on where it ended.")
    )
    def copy(  # noqa: PLR0913, PLR0917 -- one parameter an option
        out: Output,
        manifest: ManifestArgument,
        bandwidth: Annotated[
            str | None, typer.Option("--bandwidth", metavar="RATE", help=_("At most this fast: 20mbit."))
        ] = None,
        window: WindowOption = None,
        until: Annotated[
            str | None, typer.Option("--until", metavar="HH:MM", help=_("Stop at this time, resumably."))
        ] = None,
        wait: Annotated[
            bool, typer.Option("--wait", help=_("Wait for the window to open, night after night."))
        ] = False,
        repair: Annotated[
            str | None,
            typer.Option("--repair", metavar="BUNDLE", help=_("Send again what lies in damaged volumes of it.")),
        ] = None,
        identity: Annotated[
            list[Path] | None,
            typer.Option("-i", "--identity", metavar="FILE", help=_("With --repair: tells what lies in them.")),
        ] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Say what would be done, and do nothing."))] = False,
        workers: Annotated[
            str | None,
            typer.Option(
                "--workers",
                metavar="N|URI",
                help=_("At most so many reads at once at the source; or a Dask cluster, dask://HOST:PORT."),
            ),
        ] = None,
    ) -> int:
        from repatria.cli.context import current_settings, find_manifest
        from repatria.migrate.pacing import Wishes, until_clock
        from repatria.work.state import StateFolder

        settings = current_settings()
        described = find_manifest(manifest, settings)
        _refuse_archive(described)
        wishes = Wishes(rate(bandwidth), window, until_clock(until, described))
        wishes.check(described)
        hands = workers_of(workers)
        if dry_run:
            return _show_survey(out, described, settings)
        mending = Repair(repair, identities_for(repair, identity))
        with audited(out, settings, "copy", described.id, long=True) as facts:
            result = _copy(out, described, settings, wishes, mending, wait=wait, workers=hands)
            facts.update(bundle=result.uri or "", objects=result.objects, bytes=result.bytes, gone=result.gone)
            findings = (*mending.unread, *result.findings)
            facts["findings"] = len(findings)
            if mending.found:
                facts.update(repaired=mending.found, repaired_volumes=mending.volumes)
            facts["code"] = code = worst(found.kind.exit_code for found in findings)
        tell_damage(out, StateFolder(settings.state), described.id)
        return code


def _copy(
    out: Output,
    manifest: "Manifest",
    settings: "Settings",
    wishes: "Wishes",
    repair: Repair,
    *,
    wait: bool,
    workers: Workers,
) -> "CopyResult":
    """Copy under the dataset's lock; with `wait`, in as many nights as it takes."""
    from repatria.cli.context import find_manifest
    from repatria.cli.progress import shown_progress
    from repatria.migrate.pacing import Pacing
    from repatria.work.lock import dataset_lock
    from repatria.work.state import StateFolder
    from repatria.work.stop import StopSignal

    state = StateFolder(settings.state)
    with ExitStack() as stack:
        stop, words = StopSignal(), LastWords(out, state, "copy", manifest.id)
        stack.enter_context(ending_soon(words, stop, goes_on=lambda: wait and _may_go_on(stop, wishes)))
        stack.enter_context(dataset_lock(state, manifest.id))
        progress = stack.enter_context(shown_progress(out))
        pacing = Pacing(manifest, wishes, stop, lambda: find_manifest(str(manifest.file), settings), progress)
        while True:
            _await_window(out, pacing, wait=wait)
            try:
                if repair.is_wanted:
                    take_damaged_again(out, manifest, settings, repair, progress, stop)
                result = _one_night(out, manifest, state, pacing, progress, workers)
                if repair.is_looked_for:
                    forget_search(state, manifest.id)
                return result
            except StoppedError as error:
                if not (wait and _may_go_on(stop, wishes)):
                    raise
                out.say(error.message)
                stop.renew()


def _one_night(
    out: Output,
    manifest: "Manifest",
    state: "StateFolder",
    pacing: "Pacing",
    progress: "Progress",
    workers: Workers,
) -> "CopyResult":
    """Copy until all is done or the window closes, and show what was done."""
    from repatria.cli.context import opened_sources
    from repatria.migrate.copy import copy_dataset
    from repatria.migrate.line import Line

    with ExitStack() as stack:
        way: OpenWay = Line
        if workers.cluster is not None:
            from repatria.migrate.cluster_line import cluster_way

            way = stack.enter_context(cluster_way(workers.cluster, manifest, pacing.patience))
        sources = stack.enter_context(opened_sources(manifest))
        run = stack.enter_context(_opened_run(out, manifest, state, sources, pacing.patience))
        result = copy_dataset(
            run,
            sources,
            throttle=pacing.throttle,
            patience=pacing.patience,
            progress=progress,
            reads=workers.side_by_side,
            glance=pacing.look,
            outlook=lambda halt: _outlook(pacing, halt),
            open_way=way,
        )
        progress.finish()
        show_result(out, manifest.id, result, run.latest_uri)
    return result


@contextmanager
def _opened_run(
    out: Output,
    manifest: "Manifest",
    state: "StateFolder",
    sources: "Sequence[ObjectSource]",
    patience: "Patience",
) -> "Iterator[BundleRun]":
    """Open the dataset's bundle in the making, with the keys that its manifest names."""
    from repatria.cli.context import open_target
    from repatria.crypt.recipient import load_recipients
    from repatria.migrate.facts import dataset_facts, source_facts

    recipients = load_recipients(manifest.encryption.recipients, manifest.file.parent)
    with opened_run(
        out,
        dataset_facts(manifest),
        open_target(manifest),
        recipients=recipients,
        signer=manifest.encryption.signer,
        state=state,
        sources=source_facts(sources),
        volume_size=manifest.transfer.volume_size,
        patience=patience,
        first_contact=lambda: _first_contact(sources),
    ) as run:
        yield run


def _first_contact(sources: "Sequence[ObjectSource]") -> None:
    """Raise what is lastingly wrong with a source: its credentials, its place; a link that is down may come back."""
    from repatria.work.patience import TRANSIENT

    for source in sources:
        with suppress(*TRANSIENT):
            next(iter(source.list()), None)


def _await_window(out: Output, pacing: "Pacing", *, wait: bool) -> None:
    now = datetime.now(UTC)
    opens = pacing.opens(now)
    if wait and opens > now:
        out.say(pacing.announcement(opens))
        pacing.stop.wait((opens - now).total_seconds())
        now = max(opens, datetime.now(UTC))
    pacing.begin(now)
    ending = pacing.ending(now)
    if ending:
        out.say(ending)


def _outlook(pacing: "Pacing", halt: "Halt") -> str:
    """Return what is said of a stop: what is sent once more, and how long the rest takes where time was up."""
    from repatria.cli.quantity import size_text

    told = []
    if halt.unproven:
        size = size_text(halt.unproven)
        told.append(_("What was under way without proof is read and sent again: {size} at most.").format(size=size))
    if halt.left is not None:
        told.append(_rest(pacing, halt.left))
    return " ".join(told)


def _rest(pacing: "Pacing", left: "Remainder") -> str:
    """Return the sentence that says how long the rest takes at the speed of this run."""
    from repatria.cli.quantity import duration_text, number_text, size_text

    now = datetime.now(UTC)
    rest = pacing.rest(left, now)
    told = {"size": size_text(left.bytes), "time": duration_text(rest.transfer.total_seconds())}
    if pacing.window.always_open(now):
        return _("{size} are left: {time} at the speed of this run.").format(**told)
    return ngettext(
        "{size} are left: {time} at the speed of this run, {count} more night.",
        "{size} are left: {time} at the speed of this run, {count} more nights.",
        rest.nights,
    ).format(count=number_text(rest.nights), **told)


def _may_go_on(stop: "StopSignal", wishes: "Wishes") -> bool:
    """Return whether a run that stopped goes on when the window opens next."""
    from repatria.work.stop import Reason

    return stop.reason is Reason.WINDOW and (wishes.until is None or datetime.now(UTC) < wishes.until)


def _show_survey(out: Output, manifest: "Manifest", settings: "Settings") -> int:
    from repatria.cli.plan import show_plan, surveyed

    show_plan(out, manifest, surveyed(out, manifest, settings))
    out.say(_("Nothing was written."))
    return 0


def _refuse_archive(manifest: "Manifest") -> None:
    if manifest.archive is not None:
        raise UsageError(
            _("{dataset} is an archive of scans.").format(dataset=manifest.id),
            advice=_("Read it with: repatria ocr {dataset}").format(dataset=manifest.id),
        )
