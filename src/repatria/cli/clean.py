"""`clean`: what runs that were cut off left at a target, and nobody needs."""

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import EndpointOption, ProfileOption, trust_of
from repatria.cli.frame import command
from repatria.cli.output import Column, Output
from repatria.cli.quantity import number_text, size_text
from repatria.errors import RefusedError
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.settings import Settings
    from repatria.store.base import Store
    from repatria.work.cleaning import Litter, Vouch

_DAY = 86_400 * 1_000_000_000


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "clean", help=_("List abandoned unfinished bundles and other leavings at a target; remove them."))
    def clean(
        out: Output,
        target: Annotated[str, typer.Argument(metavar="TARGET_URI", help=_("A target, or one dataset at it."))],
        execute: Annotated[bool, typer.Option("--execute", help=_("Remove them; without it nothing is."))] = False,
        idle: Annotated[
            float,
            typer.Option("--idle", min=0.0, metavar="DAYS", help=_("Touch nothing that was written to since.")),
        ] = 7.0,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        from repatria.cli.bundles import target_places
        from repatria.cli.context import current_settings

        settings = current_settings()
        found: list[Litter] = []
        removed: list[Litter] = []
        for store, dataset_id in target_places(target, settings, endpoint, profile):
            try:
                there = _look(out, store, dataset_id, settings, idle)
                found += there
                if execute:
                    removed += _remove_all(out, store, [each for each in there if each.keep is None], settings, idle)
            finally:
                store.close()
        _conclude(out, found, removed, execute=execute)
        return 0


def _look(out: Output, store: "Store", dataset_id: str | None, settings: "Settings", idle: float) -> "list[Litter]":
    """List what lies there and show it."""
    from repatria.work.cleaning import litter_at
    from repatria.work.state import StateFolder

    found = list(litter_at(store, dataset_id, StateFolder(settings.state), _vouch(settings), idle))
    columns = (
        Column("kind", _("What")),
        Column("dataset", _("Dataset")),
        Column("name", _("Name")),
        Column("age", _("Age"), "right"),
        Column("bytes", _("Size"), "right"),
        Column("signer", _("Signed by")),
        Column("keep", _("Stays, because"), wraps=True),
    )
    with out.table("litter", columns) as table:
        for each in found:
            size = "" if each.leftover and each.leftover.upload else size_text(each.bytes)
            shown = (_kind(each), each.dataset, each.name, _age(each), size, each.signer, _reason(each))
            table.add(
                shown,
                kind=str(each.kind),
                dataset=each.dataset or None,
                name=each.name,
                files=len(each.paths) or 1,
                bytes=each.bytes,
                latest_ns=each.latest_ns,
                signer=each.signer or None,
                keep=str(each.keep) if each.keep else None,
            )
    return found


def _vouch(settings: "Settings") -> "Vouch":
    """Return by which statements a finished bundle's own files are known."""
    return lambda key, statement: trust_of(statement.dataset.id, settings).voucher(key, statement) is not None


def _remove_all(
    out: Output, store: "Store", unneeded: "list[Litter]", settings: "Settings", idle: float
) -> "list[Litter]":
    """Remove what nobody needs, dataset by dataset, each under its lock and a lease; return what is gone."""
    from repatria.work.cleaning import remove

    removed: list[Litter] = []
    for dataset in sorted({each.dataset for each in unneeded}):
        of_dataset = [each for each in unneeded if each.dataset == dataset]
        try:
            if dataset:
                removed += _remove_of_dataset(out, store, dataset, of_dataset, settings, idle)
                continue
            for each in of_dataset:
                remove(store, each)
                removed.append(each)
        except RefusedError as error:
            raise RefusedError(
                _("The target does not let this user remove anything. Nothing was lost by trying."),
                advice=_(
                    "That is as it should be for who writes (Object Lock, no right to delete). Run this as someone who"
                    " may delete; what lies there costs room and does no other harm."
                ),
                role=error.role,
            ) from error
    return removed


def _remove_of_dataset(
    out: Output, store: "Store", dataset: str, unneeded: "list[Litter]", settings: "Settings", idle: float
) -> "list[Litter]":
    from repatria.cli.endings import LastWords, ending_soon
    from repatria.cli.runs import audited
    from repatria.work.cleaning import litter_at, remove, still
    from repatria.work.lease import Lease
    from repatria.work.lock import dataset_lock
    from repatria.work.state import StateFolder
    from repatria.work.stop import StopSignal

    state, removed = StateFolder(settings.state), []
    with ExitStack() as stack:
        facts = stack.enter_context(audited(out, settings, "clean", dataset, long=True))
        stop = stack.enter_context(ending_soon(LastWords(out, state, "clean", dataset), StopSignal()))
        stack.enter_context(dataset_lock(state, dataset))
        lease = stack.enter_context(Lease(store, dataset, state, stop))
        now = list(litter_at(store, dataset, state, _vouch(settings), idle, lease.token))
        for each in unneeded:
            again = still(each, now)
            if again is not None:
                stop.raise_if_requested()
                remove(store, again)
                removed.append(again)
        facts.update(code=0, removed=len(removed), bytes=sum(each.bytes for each in removed))
    return removed


def _conclude(out: Output, found: "list[Litter]", removed: "list[Litter]", *, execute: bool) -> None:
    unneeded = [each for each in found if each.keep is None]
    gone = removed if execute else unneeded
    size = size_text(sum(each.bytes for each in gone))
    count = number_text(len(gone))
    if not found:
        out.text(_("There is nothing to clean."))
    elif execute:
        sentence = ngettext("Removed {count} of these ({size}).", "Removed {count} of these ({size}).", len(gone))
        out.text(sentence.format(count=count, size=size))
    elif unneeded:
        sentence = ngettext(
            "{count} of these ({size}) is of no use to anyone. Nothing was removed: add --execute.",
            "{count} of these ({size}) are of no use to anyone. Nothing was removed: add --execute.",
            len(gone),
        )
        out.text(sentence.format(count=count, size=size))
    else:
        out.text(_("All of it may still be needed."))
    out.summary(found=len(found), unneeded=len(unneeded), removed=len(removed), bytes=sum(each.bytes for each in gone))


def _kind(litter: "Litter") -> str:
    from repatria.work.cleaning import Kind

    return {
        Kind.BUNDLE: _("unfinished bundle"),
        Kind.STRAY: _("stray volume"),
        Kind.ASIDE: _("half-written file"),
        Kind.UPLOAD: _("unfinished upload"),
        Kind.LEASE: _("lease that is over"),
    }[litter.kind]


def _reason(litter: "Litter") -> str:
    from repatria.work.cleaning import Keep

    if litter.keep is None:
        return ""
    return {
        Keep.SIGNED: _("all of it is there; `repatria adopt` finishes it"),
        Keep.NAMED: _("a finished bundle builds on it, or may"),
        Keep.HELD: _("a run works on the dataset"),
        Keep.OURS: _("this machine goes on with it"),
        Keep.YOUNG: _("it is young; another machine may go on with it"),
    }[litter.keep]


def _age(litter: "Litter") -> str:
    if litter.latest_ns is None:
        return "?"
    days = max(0, time.time_ns() - litter.latest_ns) // _DAY
    return ngettext("{count} day", "{count} days", days).format(count=number_text(days))
