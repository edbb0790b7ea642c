"""`inventory`: what is abroad, of which kinds, and how sensitive."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.frame import command
from repatria.cli.output import Column, Output
from repatria.errors import UsageError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.manifest import Manifest
    from repatria.migrate.inventory import Inventory, Kind
    from repatria.migrate.object_table import ObjectTable


def register(app: typer.Typer) -> None:
    """Add the command."""

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


def _inventories(
    out: Output, manifest: "Manifest", table: "ObjectTable | None", listing: Path | None
) -> "Iterator[Inventory]":
    from repatria.cli.context import opened_sources
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
        Column("signs", _("Seen in the sample"), wraps=True),
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
    out.text(_of_sample([kind for _manifest, found in taken for kind in found.kinds.values()]))


def _of_sample(kinds: "Sequence[Kind]") -> str:
    """Return what the sample was that signs were seen in."""
    from repatria.cli.quantity import number_text

    sampled, objects = sum(kind.sampled for kind in kinds), sum(kind.objects for kind in kinds)
    if not sampled:
        return _("Nothing was read: kinds and sensitivity are told by names alone.")
    return _(
        "The sample: the beginnings of {sampled} of {objects} files. What was seen is counted in these alone, objects"
        " and sizes in all."
    ).format(sampled=number_text(sampled), objects=number_text(objects))


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
