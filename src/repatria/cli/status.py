"""`status`: how every dataset stands, and what to do next."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.damage import found_damaged, mending_command
from repatria.cli.frame import command
from repatria.cli.output import Column, Output
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.work.overview import DatasetStanding, UnfinishedWork

SECONDS_BETWEEN_LOOKS = 5.0
"""How often `--follow` shows the standing anew."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "status", help=_("Say how every dataset stands, and what to do next."))
    def status(
        out: Output,
        manifests: Annotated[
            list[str] | None, typer.Argument(metavar="MANIFEST", help=_("Manifests, or ids of datasets."))
        ] = None,
        follow: Annotated[bool, typer.Option("--follow", help=_("Go on showing it, until Ctrl-C."))] = False,
    ) -> int:
        try:
            while True:
                _show(out, _standings(out, manifests or []))
                if not follow:
                    return 0
                time.sleep(SECONDS_BETWEEN_LOOKS)
        except KeyboardInterrupt:
            return 130  # nothing was under way here: there is nothing to say of it


def _standings(out: Output, arguments: Sequence[str]) -> "list[DatasetStanding]":
    """Return how datasets stand; of one that is named and of which nothing is known here, its target is asked."""
    from repatria.cli.context import current_settings, find_manifest
    from repatria.cli.places import remembered_datasets
    from repatria.work.overview import last_runs, standing_of
    from repatria.work.state import StateFolder

    settings = current_settings()
    state = StateFolder(settings.state)
    known, runs = {*state.datasets(), *remembered_datasets(settings.state)}, last_runs(state)
    if not arguments:
        return [standing_of(state, name, runs.get(name)) for name in sorted(known)]
    names = [each if each in known else find_manifest(each, settings).id for each in arguments]
    found = [standing_of(state, name, runs.get(name)) for name in dict.fromkeys(names)]
    return [each if each.has_journal or each.holder else _seen_at_target(out, each) for each in found]


def _seen_at_target(out: Output, standing: "DatasetStanding") -> "DatasetStanding":
    """Return the same with what lies at the target; a target that cannot be asked is told, and no error here."""
    from contextlib import closing
    from dataclasses import replace

    from repatria.bundle.files import list_bundles
    from repatria.cli.context import current_settings
    from repatria.cli.places import remembered
    from repatria.errors import StoreError
    from repatria.store.registry import open_store

    place = remembered(current_settings().state, standing.dataset)
    if place is None:
        return standing
    try:
        with closing(open_store(place.uri, endpoint=place.endpoint, profile=place.profile)) as target:
            bundles = list_bundles(target, standing.dataset)
    except StoreError as error:
        out.warn(error.message)
        return standing
    return replace(standing, at_target=len(bundles.finished) + len(bundles.unfinished))


def _show(out: Output, found: "Sequence[DatasetStanding]") -> None:
    from repatria.cli.quantity import number_text, size_text

    columns = (
        Column("dataset", _("Dataset")),
        Column("bundle", _("Last bundle")),
        Column("objects", _("Objects"), justify="right"),
        Column("bytes", _("Size"), justify="right"),
        Column("work", _("Work"), wraps=True),
        Column("next", _("Next")),
    )
    with out.table("status", columns) as table:
        for each in found:
            done = each.bundle is not None
            table.add(
                (
                    each.dataset,
                    each.finished or _("none yet"),
                    number_text(each.objects) if done else "",
                    size_text(each.bytes) if done else "",
                    _work(each),
                    _next(each) or "",
                ),
                **_fields(each),
            )
    out.text(_sentence(found))
    out.summary(next=next((_next(each) for each in found if each.is_stopped), None))


def _fields(standing: "DatasetStanding") -> dict[str, object]:
    unfinished, holder = standing.unfinished, standing.holder
    return {
        "dataset": standing.dataset,
        "bundle": standing.uri,
        "finished": standing.finished,
        "objects": standing.objects,
        "bytes": standing.bytes,
        "unfinished": unfinished
        and {
            "bundle": unfinished.bundle,
            "started": unfinished.started,
            "volumes": unfinished.proven,
            "bytes": unfinished.bytes,
            "unsettled": unfinished.sent,
            "bytes_unsettled": unfinished.sent_bytes,
        },
        "left_out": standing.left_out,
        "verified": standing.verified,
        "damaged": standing.runs.damaged,
        "damaged_objects": standing.runs.damaged_objects,
        "lost": standing.is_lost,
        "last_run": standing.runs.last and {"time": standing.runs.last.time, "code": standing.runs.last.code},
        "holder": holder and {"user": holder.user, "host": holder.host, "pid": holder.pid, "since": holder.since},
        "next": _next(standing),
    }


def _work(standing: "DatasetStanding") -> str:
    holder, unfinished = standing.holder, standing.unfinished
    if holder is not None:
        told = _("{user} on {host} (process {pid}) since {since}").format(
            user=holder.user, host=holder.host, pid=holder.pid, since=holder.since
        )
        return f"{told}, {_safe(unfinished)}" if unfinished else told
    if unfinished is not None:
        return _("interrupted, {safe}").format(safe=_safe(unfinished))
    if standing.is_lost:
        return _lost(standing)
    return "; ".join(part for part in (_left_out(standing), _health(standing), _failed(standing)) if part)


def _left_out(standing: "DatasetStanding") -> str:
    """Return what the last copy could not bring."""
    count = standing.left_out
    if not count:
        return ""
    return ngettext(
        "{count} object that the last copy did not bring", "{count} objects that the last copy did not bring", count
    ).format(count=count)


def _health(standing: "DatasetStanding") -> str:
    runs = standing.runs
    if not runs.is_damaged:
        return _("verified on {date}").format(date=standing.verified[:10]) if standing.verified else ""
    damaged = [
        counted.format(count=count)
        for count, counted in (
            (runs.damaged, ngettext("{count} file damaged", "{count} files damaged", runs.damaged)),
            (
                runs.damaged_objects,
                ngettext("{count} object damaged", "{count} objects damaged", runs.damaged_objects),
            ),
        )
        if count
    ]
    if runs.damaged and (not runs.damaged_bundle or runs.damaged_bundle in runs.mended):
        damaged.append(_sent_again(runs.not_copied))
    return ", ".join(damaged)


def _sent_again(not_copied: int) -> str:
    if not not_copied:
        return _("what the source still had was sent again")
    return ngettext("sent again but for {count} object", "sent again but for {count} objects", not_copied).format(
        count=not_copied
    )


def _failed(standing: "DatasetStanding") -> str:
    """Return how a run ended that left nothing at the target."""
    failed = standing.failed
    if failed is None:
        return ""
    if failed.code is None:
        return _("cut off before anything new was safe; begun on {time}").format(time=failed.time)
    if standing.is_stopped:
        return _("stopped on {time}, before anything new was safe").format(time=failed.time)
    return _("failed on {time} with code {code}, before anything new was safe").format(
        time=failed.time, code=failed.code
    )


def _lost(standing: "DatasetStanding") -> str:
    if standing.at_target is None:
        return _("copied before, and nothing is known of it here any more")
    return ngettext(
        "{count} bundle at the target, of which nothing is known here",
        "{count} bundles at the target, of which nothing is known here",
        standing.at_target,
    ).format(count=standing.at_target)


def _safe(work: "UnfinishedWork") -> str:
    from repatria.cli.quantity import number_text, size_text

    safe = ngettext(
        "{count} volume safe at the target ({size})", "{count} volumes safe at the target ({size})", work.proven
    ).format(count=number_text(work.proven), size=size_text(work.bytes))
    if not work.sent:
        return safe
    on_their_way = ngettext(
        "{count} on its way (at most {size} once more)", "{count} on their way (at most {size} once more)", work.sent
    ).format(count=number_text(work.sent), size=size_text(work.sent_bytes))
    return f"{safe}, {on_their_way}"


def _next(standing: "DatasetStanding") -> str | None:
    """Return the command to run next; None if all is done that can be done from here."""
    if standing.holder is not None:
        return "repatria status --follow"
    if standing.bundle is not None and standing.unfinished is None and standing.failed is None:
        if not standing.verified:
            return mending_command(standing.dataset, standing.runs)
        return _command_again(standing) if standing.left_out else None
    if standing.is_lost:
        return f"repatria adopt {standing.dataset}"
    return _command_again(standing)


def _command_again(standing: "DatasetStanding") -> str:
    """Return the command that makes, or goes on with, the bundle."""
    from repatria.cli.context import current_settings
    from repatria.cli.places import remembered

    place = remembered(current_settings().state, standing.dataset)
    if place is not None and place.manifest is None:  # an archive that its command line describes
        return f"repatria ocr SCANS --to {place.uri} --id {standing.dataset}"
    return f"repatria {standing.runs.made_by or 'copy'} {standing.dataset}"


def _sentence(found: "Sequence[DatasetStanding]") -> str:
    """Return the one sentence for the director."""
    from repatria.cli.quantity import size_text

    if not found:
        return _("No dataset was worked on from here yet.")
    home = [each for each in found if each.bundle is not None]
    parts = [
        ngettext("{count} dataset", "{count} datasets", len(found)).format(count=len(found)),
        ngettext("{count} home and signed for ({size})", "{count} home and signed for ({size})", len(home)).format(
            count=len(home), size=size_text(sum(each.bytes for each in home))
        ),
    ]
    running = sum(each.holder is not None for each in found)
    waiting = sum(each.is_stopped for each in found)
    if running:
        parts.append(_("{count} under way").format(count=running))
    if waiting:
        parts.append(
            ngettext(
                "{count} interrupted, and goes on when its command is run again",
                "{count} interrupted, and go on when their commands are run again",
                waiting,
            ).format(count=waiting)
        )
    lost = sum(each.is_lost for each in found)
    if lost:
        parts.append(
            ngettext(
                "{count} that this machine no longer knows, and takes over with `repatria adopt`",
                "{count} that this machine no longer knows, and takes over with `repatria adopt`",
                lost,
            ).format(count=lost)
        )
    return ", ".join(parts) + ". " + _safety(found)


def _safety(found: "Sequence[DatasetStanding]") -> str:
    damaged = found_damaged(sum(each.runs.damaged for each in found), sum(each.runs.damaged_objects for each in found))
    return damaged or _("Nothing is lost.")
