"""`inventory` and `plan`: what is abroad, and what bringing it home takes."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from repatria.cli.frame import command
from repatria.cli.output import Column, Output
from repatria.cli.pace_options import ManifestArgument, WindowOption, rate
from repatria.errors import UsageError
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.manifest import Manifest
    from repatria.migrate.inventory import Inventory, Kind
    from repatria.migrate.object_table import ObjectTable
    from repatria.migrate.plan import Schedule
    from repatria.migrate.survey import Survey
    from repatria.settings import Settings
    from repatria.source.base import ObjectSource


_OF_UNFINISHED = {"arrived", "bytes_arrived"}
"""Rows of a plan that stand there only when a bundle was interrupted."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _register_inventory(app)
    _register_plan(app)


def _register_inventory(app: typer.Typer) -> None:
    @command(app, "inventory", help=_("Count what is at the source, and recognise what is sensitive."))
    def inventory(
        out: Output,
        manifests: Annotated[list[str], typer.Argument(metavar="MANIFEST", help=_("Manifests, or ids of datasets."))],
        listing: Annotated[
            Path | None,
            typer.Option(
                "--from",
                metavar="LIST",
                help=_(
                    "Count what this listing names, without asking the source: an exported CSV, or `rclone lsjson`."
                ),
            ),
        ] = None,
        export_csv: Annotated[
            Path | None,
            typer.Option("--export-csv", metavar="FILE", help=_("Write every object, with its name, to a new file.")),
        ] = None,
    ) -> None:
        from repatria.cli.context import current_settings, find_manifest
        from repatria.migrate.object_table import object_table

        settings = current_settings()
        described = [find_manifest(argument, settings) for argument in manifests]
        if listing is not None and len(described) > 1:
            raise UsageError(_("--from counts the objects of one dataset: name one manifest."))
        with object_table(export_csv) as table:
            taken = [
                (manifest, found) for manifest in described for found in _inventories(out, manifest, table, listing)
            ]
        _show_inventories(out, taken)
        for manifest, found in taken:
            _warn(out, manifest, found)
        if export_csv is not None:
            out.warn(
                _("{file} holds every object's name in clear: keep it as safe as they are.").format(file=export_csv)
            )
        out.summary(next=f"repatria plan {described[0].id}")


def _register_plan(app: typer.Typer) -> None:
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


@contextmanager
def opened_sources(manifest: "Manifest") -> "Iterator[Sequence[ObjectSource]]":
    """Open the sources of a manifest, and close them in the end."""
    from repatria.source.objects import open_sources

    with ExitStack() as stack:
        sources = open_sources(manifest)
        for source in sources:
            stack.callback(source.close)
        yield sources


def surveyed(out: Output, manifest: "Manifest", settings: "Settings") -> "Survey":
    """List a dataset's sources and plan the next copy."""
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
                "{count} volume of that may not have arrived: the copy looks, and sends it again if need be.",
                "{count} volumes of that may not have arrived: the copy looks, and sends them again if need be.",
                found.unsettled,
            ).format(count=number_text(found.unsettled))
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


def _inventories(
    out: Output, manifest: "Manifest", table: "ObjectTable | None", listing: Path | None
) -> "Iterator[Inventory]":
    from repatria.cli.progress import shown_progress
    from repatria.migrate.inventory import take_inventory
    from repatria.migrate.listed import listed_sources
    from repatria.work.stop import StopSignal

    with ExitStack() as stack:
        listed = listed_sources(manifest, listing) if listing else None
        sources = listed or stack.enter_context(opened_sources(manifest))
        stop = stack.enter_context(StopSignal())
        progress = stack.enter_context(shown_progress(out))
        for source in sources:
            each = table.adder(manifest.id, source.name) if table else None
            yield take_inventory(source, progress=progress, stop=stop, each=each, names_only=listed is not None)


def _show_inventories(out: Output, taken: "Sequence[tuple[Manifest, Inventory]]") -> None:
    from repatria.cli.kind_words import kind_word
    from repatria.cli.quantity import number_text, size_text

    columns = (
        Column("source", _("Source")),
        Column("kind", _("Kind"), wraps=True),
        Column("objects", _("Objects"), justify="right"),
        Column("bytes", _("Size"), justify="right"),
        Column("sensitivity", _("Sensitivity"), wraps=True),
        Column("signs", _("Seen"), wraps=True),
    )
    with out.table("inventory", columns) as table:
        for manifest, found in taken:
            if out.json:
                table.add((), **_fields(manifest, found))
                continue
            name = f"{manifest.id}/{found.source}" if found.source else manifest.id
            for kind, each in sorted(found.kinds.items(), key=lambda item: -item[1].bytes):
                seen = _seen(each)
                table.add(
                    (
                        name,
                        kind_word(kind),
                        number_text(each.objects),
                        size_text(each.bytes),
                        _sensitivity(each.sensitivity),
                        seen,
                    )
                )
            total = number_text(found.objects)
            if found.symlinks or found.empty_folders:
                total = _("{count} with links and folders").format(count=total)
            table.add((name, _("in all"), total, size_text(found.bytes), _sensitivity(found.sensitivity), ""))


def _fields(manifest: "Manifest", found: "Inventory") -> dict[str, object]:
    kinds = {
        kind: {
            "objects": each.objects,
            "bytes": each.bytes,
            "sampled": each.sampled,
            "sensitivity": each.sensitivity,
            "signs": dict(each.signs),
            "shapes": sorted(each.shapes),
        }
        for kind, each in sorted(found.kinds.items())
    }
    return {
        "dataset": manifest.id,
        "source": found.source,
        "uri": found.uri,
        "objects": found.objects,
        "bytes": found.bytes,
        "largest": found.largest,
        "symlinks": found.symlinks,
        "empty_folders": found.empty_folders,
        "never_copied": found.never_copied,
        "sensitivity": found.sensitivity,
        "kinds": kinds,
        "warnings": list(found.warnings()),
    }


def _seen(kind: "Kind") -> str:
    """Return what speaks for a kind's sensitivity: signs with their counts, and masked shapes."""
    from repatria.cli.kind_words import signs_text

    signs = signs_text(kind.signs)
    shapes = " ".join(sorted(kind.shapes))
    return f"{signs} ({shapes})" if shapes else signs


def _sensitivity(level: str) -> str:
    return {
        "public": _("public"),
        "internal": _("internal"),
        "unknown": _("unknown: counts as sensitive"),
        "personal": _("personal"),
        "health": _("health"),
    }[level]


def _warn(out: Output, manifest: "Manifest", found: "Inventory") -> None:
    from repatria.migrate.signs import Sensitivity, worst_of

    for warning in found.warnings():
        out.warn(warning)
    told, seen = Sensitivity(manifest.sensitivity), found.sensitivity
    if worst_of((told, seen)) is not told and seen is not Sensitivity.UNKNOWN:
        out.warn(
            _("The manifest says that {dataset} is {told}, but what was seen is {seen}.").format(
                dataset=manifest.id, told=_sensitivity(told), seen=_sensitivity(seen)
            )
        )
