"""`restore`: objects of a bundle in the clear."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import (
    BundleArgument,
    EndpointOption,
    IdentityOption,
    OnlyOption,
    ProfileOption,
    opened_chain,
)
from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.cli.quantity import quantity_text, size_text
from repatria.cli.runs import audited
from repatria.errors import UsageError, worst
from repatria.i18n import _, ngettext
from repatria.model import Finding
from repatria.progress import Unit

if TYPE_CHECKING:
    from repatria.bundle.chain import Chain
    from repatria.migrate.restore import Restored
    from repatria.store.base import Store


@dataclass(slots=True)
class Tally:
    """What became of all objects."""

    written: int = 0
    bytes: int = 0
    kept: int = 0
    renamed: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def codes(self) -> list[int]:
        """The exit codes that the findings ask for."""
        return [found.kind.exit_code for found in self.findings]

    def count(self, restored: "Restored") -> None:
        """Count one object."""
        from repatria.migrate.restore import Fate

        if restored.fate is Fate.WRITTEN:
            self.written += 1
            self.bytes += restored.row.size
        self.kept += restored.fate is Fate.KEPT
        self.renamed += restored.renamed
        if restored.finding:
            self.findings.append(restored.finding)


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app, "restore", help=_("Write objects of a bundle in clear; goes on where it ended, and replaces nothing.")
    )
    def restore(  # noqa: PLR0913 -- its options are the command's
        out: Output,
        bundle: BundleArgument,
        destination: Annotated[
            str, typer.Argument(metavar="DEST", help=_("URI or folder to write to; outside the bundles' own."))
        ],
        patterns: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="PATTERN",
                help=_("As in .gitignore: scans, *.dcm; a/b from the top; **/a/b anywhere. All, without one."),
            ),
        ] = None,
        *,
        identity: IdentityOption = None,
        only: OnlyOption = False,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
        dest_endpoint: Annotated[
            str | None, typer.Option("--dest-endpoint", metavar="URL", help=_("S3 endpoint of DEST."))
        ] = None,
        dest_profile: Annotated[
            str | None, typer.Option("--dest-profile", metavar="NAME", help=_("AWS profile of DEST."))
        ] = None,
    ) -> int:
        from repatria.cli.context import current_settings

        with (
            opened_chain(out, bundle, identity, only=only, endpoint=endpoint, profile=profile) as (chain, code),
            _opened_destination(destination, dest_endpoint, dest_profile) as store,
        ):
            _refuse_among_bundles(store, chain, separate=dest_endpoint != endpoint)
            with audited(out, current_settings(), "restore", chain.head.dataset_id, long=True) as facts:
                tally = _restore(out, chain, store, patterns or ())
                facts.update(code=worst([code, *tally.codes]), bundle=chain.head.uri, objects=tally.written)
        _conclude(out, tally, store.uri, chain.head.uri)
        return worst([code, *tally.codes])


@contextmanager
def _opened_destination(argument: str, endpoint: str | None, profile: str | None) -> "Iterator[Store]":
    from repatria.cli.context import current_settings, open_place

    store = open_place(argument, current_settings(), endpoint=endpoint, profile=profile)
    try:
        yield store
    finally:
        store.close()


def _refuse_among_bundles(destination: "Store", chain: "Chain", *, separate: bool) -> None:
    """Raise UsageError if what is in clear would lie among what is encrypted; `separate`: they are other services."""
    from repatria import uri as uris
    from repatria.cli.places import RememberedPlace

    there = RememberedPlace(uri=destination.uri, endpoint=None, profile=None, manifest=None)
    vault = RememberedPlace(uri=chain.head.store.uri, endpoint=None, profile=None, manifest=None)
    if not separate and uris.location(there).overlaps(uris.location(vault)):
        raise UsageError(
            _("{destination} lies among the bundles, or they in it; nothing was restored.").format(
                destination=destination.uri
            ),
            advice=_("Give a place of its own to what is written in clear."),
        )


def _restore(out: Output, chain: "Chain", destination: "Store", patterns: Iterable[str]) -> Tally:
    from repatria.cli.progress import shown_progress
    from repatria.migrate.restore import restore_objects
    from repatria.work.stop import StopSignal

    tally = Tally()
    with StopSignal() as stop, shown_progress(out) as progress:
        try:
            outcomes = restore_objects(chain, destination, tuple(patterns), progress=progress, stop=stop)
            for restored in outcomes:
                tally.count(restored)
                _show(out, restored)
        except BaseException:
            # What lies there in clear must be known, however the command ends.
            if tally.written:
                out.say(_in_clear(tally, destination.uri))
            raise
        progress.finish()
    return tally


def _show(out: Output, restored: "Restored") -> None:
    row = restored.row
    out.record(
        "object",
        number=row.number,
        path=row.path,
        size=row.size,
        fate=restored.fate,
        stored=restored.stored or None,
    )
    if restored.finding:
        out.finding(restored.finding)


def _conclude(out: Output, tally: Tally, destination: str, bundle: str) -> None:
    out.text(_in_clear(tally, destination))
    if tally.kept:
        out.say(
            ngettext(
                "{count} object was there already, and identical.",
                "{count} objects were there already, and identical.",
                tally.kept,
            ).format(count=tally.kept)
        )
    if tally.renamed:
        out.say(
            ngettext(
                "{count} object could not be put under its own name; _names/table.tsv tells of it.",
                "{count} objects could not be put under their own names; _names/table.tsv tells of them.",
                tally.renamed,
            ).format(count=tally.renamed)
        )
    if not out.names and any(found.path for found in tally.findings):
        out.say(_("`repatria ls {bundle} --number N` names the object N.").format(bundle=bundle))
    out.summary(
        bundle=bundle,
        destination=destination,
        written=tally.written,
        bytes=tally.bytes,
        kept=tally.kept,
        renamed=tally.renamed,
        findings=len(tally.findings),
    )


def _in_clear(tally: Tally, destination: str) -> str:
    return _("Written in clear: {objects}, {size}, in {destination}. Who can read that place can read them.").format(
        objects=quantity_text(tally.written, Unit.OBJECTS), size=size_text(tally.bytes), destination=destination
    )
