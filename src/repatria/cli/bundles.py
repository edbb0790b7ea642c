"""`bundles`: what lies at a target, as anyone can see without a key."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import EndpointOption, ProfileOption, trust_of
from repatria.cli.frame import command
from repatria.cli.output import Column, Output
from repatria.cli.quantity import number_text, size_text
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.bundle.catalogue import CatalogueEntry
    from repatria.settings import Settings
    from repatria.store.base import Store


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "bundles", help=_("List the bundles at a target, without any key."))
    def bundles(
        out: Output,
        place: Annotated[
            str | None, typer.Argument(metavar="DATASET|TARGET_URI", help=_("All known targets unless given."))
        ] = None,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        from repatria.cli.context import current_settings
        from repatria.verify.rewrapping import unfinished

        settings = current_settings()
        columns = (
            Column("dataset", _("Dataset")),
            Column("bundle", _("Bundle")),
            Column("finished", _("Finished")),
            Column("objects", _("Objects"), "right"),
            Column("bytes", _("Size"), "right"),
            Column("signer", _("Signed by")),
        )
        problems = found = 0
        changing: dict[str, None] = {}
        with out.table("bundle", columns) as table:
            for store, dataset_id in target_places(place, settings, endpoint, profile):
                for entry in _entries(store, dataset_id):
                    found += 1
                    if entry.is_being_rewrapped:
                        changing[entry.dataset_id] = None
                    problems += bool(entry.problem)
                    signer = _signer(entry, settings)
                    table.add(_bundle_cells(entry, signer), **_bundle_fields(entry, signer))
        for dataset in changing:
            out.finding(unfinished(dataset).finding)
        if not found:
            out.say(_("There is no bundle."))
        out.summary(bundles=found, problems=problems)
        return 6 if problems else 0


def target_places(
    place: str | None, settings: "Settings", endpoint: str | None, profile: str | None
) -> "Iterator[tuple[Store, str | None]]":
    """Yield the stores to look into, each with the one dataset that is meant, None for all."""
    from repatria.bundle import layout
    from repatria.cli.context import open_bundle, open_place, resolved_uri
    from repatria.cli.places import remembered_places

    if place is None:
        for uri in sorted({known.uri for known in remembered_places(settings.state)}):
            yield open_place(uri, settings), None
        return
    if layout.DATASET_ID.match(place) and not Path(place).is_dir():
        opened = open_bundle(place, settings, endpoint=endpoint, profile=profile)
        yield opened.store, opened.dataset_id
        return
    root, _slash, last = resolved_uri(place, settings).rstrip("/").rpartition("/")
    store = open_place(place, settings, endpoint=endpoint, profile=profile)
    inside = next((told.path.partition("/")[0] for told in store.list()), "")
    if layout.BUNDLE_ID.match(inside) and layout.DATASET_ID.match(last):
        yield open_place(root, settings, endpoint=endpoint, profile=profile), last
    else:
        yield store, None


def _entries(store: "Store", dataset_id: str | None) -> Iterator["CatalogueEntry"]:
    from repatria.bundle.catalogue import catalogue

    return catalogue(store, dataset_id)


def _signer(entry: "CatalogueEntry", settings: "Settings") -> str | None:
    """Return by whose word the signer is known, None if nobody vouches for it."""
    if entry.statement is None or entry.signing_key is None:
        return None
    return trust_of(entry.dataset_id, settings).voucher(entry.signing_key, entry.statement)


def _bundle_cells(entry: "CatalogueEntry", voucher: str | None) -> tuple[str, ...]:
    statement = entry.statement
    if statement is None:
        state = entry.problem if entry.is_finished else _("unfinished")
        return entry.dataset_id, entry.bundle_id, state, "", size_text(entry.stored), ""
    fingerprint = entry.signing_key.fingerprint if entry.signing_key else ""
    signer = voucher or _("{key} (nobody vouches for it)").format(key=fingerprint)
    objects, size = statement.objects.count, statement.objects.bytes
    return entry.dataset_id, entry.bundle_id, statement.finished, number_text(objects), size_text(size), signer


def _bundle_fields(entry: "CatalogueEntry", voucher: str | None) -> dict[str, object]:
    statement = entry.statement
    signer = entry.signing_key.fingerprint if entry.signing_key else None
    change = statement.replaces if statement else None
    return {
        "dataset": entry.dataset_id,
        "bundle": entry.bundle_id,
        "uri": entry.uri,
        "is_finished": entry.is_finished,
        "kind": statement.kind if statement else None,
        "started": statement.started if statement else None,
        "finished": statement.finished if statement else None,
        "objects": statement.objects.count if statement else None,
        "bytes": statement.objects.bytes if statement else None,
        "total_objects": statement.totals.objects if statement else None,
        "total_bytes": statement.totals.bytes if statement else None,
        "files": entry.files,
        "stored": entry.stored,
        "signer": signer,
        "vouched_by": voucher,
        "rewrapped": {"time": change.rewrapped, "signer": signer} if change else None,
        "statement_sha256": entry.statement_sha256 or None,
        "problem": entry.problem or None,
    }
