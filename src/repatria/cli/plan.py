"""`plan`: what bringing a dataset home takes; also what `copy --dry-run` shows."""

from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from repatria.cli.frame import command
from repatria.cli.output import Column, Output
from repatria.cli.pace_options import ManifestArgument, WindowOption, rate
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.manifest import Manifest
    from repatria.migrate.plan import Schedule
    from repatria.migrate.survey import Survey
    from repatria.settings import Settings

_OF_UNFINISHED = {"arrived", "bytes_arrived"}
"""Rows of a plan that stand there only when a bundle was interrupted."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "plan", help=_("Say how many volumes, bytes and nights the next copy takes."))
    def plan(
        out: Output,
        manifest: ManifestArgument,
        link: Annotated[
            str | None, typer.Option("--link", metavar="RATE", help=_("How fast the link is: 20mbit."))
        ] = None,
        window: WindowOption = None,
    ) -> None:
        from repatria.cli.context import current_settings, find_manifest
        from repatria.migrate.plan import schedule
        from repatria.work.pace import parse_window

        settings = current_settings()
        described = find_manifest(manifest, settings)
        speed = rate(link) or described.transfer.bandwidth
        hours = parse_window(window or described.transfer.window, ZoneInfo(described.timezone))
        found = surveyed(out, described, settings)
        scheduled = schedule(found.estimate.bytes, speed, hours, datetime.now(UTC)) if speed else None
        show_plan(out, described, found, scheduled)
        out.summary(next=f"repatria copy {described.id}")


def surveyed(out: Output, manifest: "Manifest", settings: "Settings") -> "Survey":
    """List a dataset's sources and plan the next copy."""
    from repatria.cli.context import opened_sources
    from repatria.cli.progress import shown_progress
    from repatria.migrate.survey import known_work, survey
    from repatria.work.state import StateFolder
    from repatria.work.stop import StopSignal

    with ExitStack() as stack:
        sources = stack.enter_context(opened_sources(manifest))
        known = stack.enter_context(known_work(StateFolder(settings.state), manifest.id))
        stop = stack.enter_context(StopSignal())
        progress = stack.enter_context(shown_progress(out))
        return survey(sources, known, manifest.transfer.volume_size, progress=progress, stop=stop)


def show_plan(out: Output, manifest: "Manifest", found: "Survey", scheduled: "Schedule | None" = None) -> None:
    """Show what the next copy would do."""
    from repatria.cli.quantity import duration_text, number_text, size_text

    total = found.estimate
    rows: list[tuple[str, str, str, object]] = [
        ("objects", _("Objects to copy"), number_text(total.objects), total.objects),
        ("unchanged", _("Unchanged since the last bundle"), number_text(found.unchanged), found.unchanged),
        ("arrived", _("Arrived before, in the unfinished bundle"), number_text(found.arrived), found.arrived),
        ("bytes_arrived", _("Their size, with parts of others"), size_text(found.bytes_arrived), found.bytes_arrived),
        ("bytes", _("To read at the source"), size_text(total.bytes), total.bytes),
        ("volumes", _("Volumes"), number_text(total.volumes), total.volumes),
        ("target_bytes", _("Space needed at the target"), size_text(total.target_bytes), total.target_bytes),
    ]
    if scheduled is not None:
        seconds = scheduled.transfer.total_seconds()
        ends = scheduled.ends.astimezone(ZoneInfo(manifest.timezone))
        rows += [
            ("seconds", _("Time on the link"), duration_text(seconds), round(seconds)),
            ("nights", _("Nights"), number_text(scheduled.nights), scheduled.nights),
            ("ends", _("Ends, if begun now"), f"{ends:%Y-%m-%d %H:%M}", ends.isoformat(timespec="minutes")),
        ]
    out.record("plan", dataset=manifest.id, **{key: value for key, _title, _shown, value in rows})
    if not out.json:
        with out.table("plan", (Column("what", manifest.id), Column("value", "", justify="right"))) as table:
            for key, title, shown, _value in rows:
                if found.bytes_arrived or found.arrived or key not in _OF_UNFINISHED:
                    table.add((title, shown))
    if found.unsettled:
        out.say(
            ngettext(
                "{count} volume of that (at most {size}) may not have arrived: the copy looks, and sends it again if"
                " need be.",
                "{count} volumes of that (at most {size}) may not have arrived: the copy looks, and sends them again if"
                " need be.",
                found.unsettled,
            ).format(count=number_text(found.unsettled), size=size_text(found.bytes_unsettled))
        )
    _warn_of_room(out, manifest, total.target_bytes)
    if found.never_copied:
        out.warn(_("Devices, sockets and pipes are never copied: {count}.").format(count=found.never_copied))


def _warn_of_room(out: Output, manifest: "Manifest", needed: int) -> None:
    """Warn if the target can tell how much room it has left, and that is too little."""
    from repatria.cli.context import open_target
    from repatria.cli.quantity import size_text
    from repatria.store.room import room_at

    with closing(open_target(manifest)) as target:
        free = room_at(target)
    if free is not None and free < needed:
        out.warn(
            _("The target has {free} free, and the copy needs {needed}: make room there first.").format(
                free=size_text(free), needed=size_text(needed)
            )
        )
