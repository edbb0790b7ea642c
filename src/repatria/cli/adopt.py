"""`adopt`: taking over a dataset from a machine that is gone."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import EndpointOption, IdentityOption, ProfileOption, trust_of
from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.cli.quantity import number_text, quantity_text, size_text
from repatria.errors import UsageError
from repatria.i18n import _, ngettext
from repatria.progress import Unit

if TYPE_CHECKING:
    from repatria.crypt.identity import Identity
    from repatria.manifest import Manifest
    from repatria.migrate.takeover import Takeover
    from repatria.settings import Settings
    from repatria.store.base import Store
    from repatria.work.adopting import TakenOver


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "adopt", help=_("Take over a dataset whose machine, or state folder, is gone; say what that costs."))
    def adopt(
        out: Output,
        dataset: Annotated[
            str, typer.Argument(metavar="DATASET", help=_("A manifest, the id of a dataset, or TARGET/DATASET."))
        ],
        identity: IdentityOption = None,
        anew: Annotated[
            bool, typer.Option("--anew", help=_("Without a key: accept that the next copy sends everything again."))
        ] = False,
        signers: Annotated[
            Path | None, typer.Option("--signers", metavar="FILE", help=_("Allowed signers, as ssh-keygen has them."))
        ] = None,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        from repatria.cli.context import current_settings
        from repatria.cli.runs import audited

        settings = current_settings()
        keys = _identities(identity, settings, anew=anew)
        with (
            _opened_place(dataset, settings, endpoint, profile) as place,
            audited(out, settings, "adopt", place.dataset_id, long=True) as facts,
        ):
            facts["code"] = code = _adopt(out, place, settings, signers, keys, anew=anew)
        return code


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the dataset lies, and what describes it."""

    dataset_id: str
    target: "Store"
    manifest: "Manifest | None"


@contextmanager
def _opened_place(argument: str, settings: "Settings", endpoint: str | None, profile: str | None) -> "Iterator[_Place]":
    """Open the target of a manifest, of a dataset's id or at a URI, which is remembered for that dataset."""
    from repatria.cli.context import find_manifest, open_bundle, open_target
    from repatria.cli.places import RememberedPlace, remember, remembered

    if argument.endswith(".toml") or ("/" not in argument and ":" not in argument):
        manifest = find_manifest(argument, settings)
        place = _Place(manifest.id, open_target(manifest), manifest)
    else:
        opened = open_bundle(argument, settings, endpoint=endpoint, profile=profile)
        if opened.bundle_id is not None:
            raise UsageError(
                _("{argument} is one bundle; a dataset is adopted whole.").format(argument=argument),
                advice=_("Give TARGET/DATASET."),
            )
        if remembered(settings.state, opened.dataset_id) is None:
            remember(settings.state, opened.dataset_id, RememberedPlace(opened.store.uri, endpoint, profile, None))
        place = _Place(opened.dataset_id, opened.store, None)
    try:
        yield place
    finally:
        place.target.close()


def _identities(given: list[Path] | None, settings: "Settings", *, anew: bool) -> "tuple[Identity, ...]":
    """Return the keys that open the chain, none if none was named."""
    from repatria.cli.context import identities

    if anew and given:
        raise UsageError(
            _("--anew is for who has no key; with one, nothing is sent again."), advice=_("Leave one of them out.")
        )
    if anew or not (given or settings.identity):
        return ()
    return identities(given, settings)


def _adopt(
    out: Output,
    place: _Place,
    settings: "Settings",
    signers: Path | None,
    keys: "Sequence[Identity]",
    *,
    anew: bool,
) -> int:
    """Adopt under the dataset's lock and a lease at its target; return the code."""
    from repatria.cli.runs import ending_soon
    from repatria.migrate.takeover import Takeover
    from repatria.verify.first_sight import FirstSight
    from repatria.verify.report import worst_code
    from repatria.work.journal import Journal
    from repatria.work.lease import Lease
    from repatria.work.lock import dataset_lock
    from repatria.work.state import StateFolder
    from repatria.work.stop import StopSignal

    state = StateFolder(settings.state)
    with ExitStack() as stack:
        stop = stack.enter_context(ending_soon(StopSignal()))
        stack.enter_context(dataset_lock(state, place.dataset_id))
        stack.enter_context(Lease(place.target, place.dataset_id, state, stop))
        journal = Journal(state.dataset(place.dataset_id), state.key())
        stack.callback(journal.close)
        sight = FirstSight(trust_of(place.dataset_id, settings, signers))
        found = Takeover.look(place.target, place.dataset_id, sight, keys)
        stack.callback(found.close)
        if found.verdicts:
            for verdict in found.verdicts:
                out.finding(verdict.finding)
            out.say(_("Nothing was adopted."))
            return worst_code(found.verdicts)
        if found.is_known_to(journal):
            out.text(_("This machine knows {dataset} as it is at the target.").format(dataset=place.dataset_id))
            out.summary(next=f"repatria copy {place.dataset_id}")
            return 0
        if not keys:
            _accept(out, place, found, anew=anew)
        taken = found.fill(journal)
        remembered = found.remembered()
        if remembered is not None:
            state.remember(place.dataset_id, remembered)
        _show(out, place, found, taken)
        _tell_signer(out, found)
    return 0


def _accept(out: Output, place: _Place, found: "Takeover", *, anew: bool) -> None:
    """Say what it costs to have no key, and go on only if that is accepted."""
    if found.is_archive or found.chain is None:
        raise UsageError(
            _("Without a key nothing of {dataset} can be taken over.").format(dataset=place.dataset_id),
            advice=_("Give the key that opens it: -i FILE.")
            if found.is_archive
            else _("Give the key that opens it: -i FILE. Without it, `repatria copy` begins again by itself."),
        )
    for sentence in _cost(place, found):
        out.say(sentence)
    if anew:
        return
    if out.interactive:
        out.say(_("Go on? [y/N]"))
        if sys.stdin.readline(64).strip().lower() in {"y", "yes", "o", "oui"}:
            return
        raise UsageError(_("Nothing was done."))
    raise UsageError(
        _("No key was given, and nobody is there to accept what that costs. Nothing was done."),
        advice=_("Give the key that opens the dataset with -i FILE; or accept the cost with --anew."),
    )


def _cost(place: _Place, found: "Takeover") -> "Iterator[str]":
    """Yield what the next copy will send again."""
    if found.chain is None:
        return
    totals = found.chain.head.statement.totals
    yield _(
        "Without a key nobody can tell which objects the chain holds. The next copy sends everything again, in a bundle"
        " that stands for itself: {objects}, {size} as of the last bundle. What earlier bundles hold stays there."
    ).format(objects=quantity_text(totals.objects, Unit.OBJECTS), size=size_text(totals.bytes))
    nights = _nights(place.manifest, totals.bytes)
    if nights:
        yield nights
    for bundle in found.unfinished:
        yield ngettext(
            "The unfinished bundle {bundle} is lost: {count} volume, {size}.",
            "The unfinished bundle {bundle} is lost: {count} volumes, {size}.",
            bundle.volumes,
        ).format(bundle=bundle.bundle_id, count=number_text(bundle.volumes), size=size_text(bundle.bytes))


def _nights(manifest: "Manifest | None", size: int) -> str:
    """Return how long bytes take at the bandwidth that the manifest allows; empty if it names none."""
    from zoneinfo import ZoneInfo

    from repatria.cli.quantity import duration_text
    from repatria.migrate.plan import schedule
    from repatria.work.pace import parse_window

    if manifest is None or manifest.transfer.bandwidth is None:
        return ""
    window = parse_window(manifest.transfer.window, ZoneInfo(manifest.timezone))
    planned = schedule(size, manifest.transfer.bandwidth, window, datetime.now(UTC))
    return ngettext(
        "At the bandwidth of the manifest that takes {time} of transfer, {count} night.",
        "At the bandwidth of the manifest that takes {time} of transfer, {count} nights.",
        planned.nights,
    ).format(time=duration_text(planned.transfer.total_seconds()), count=number_text(planned.nights))


def _show(out: Output, place: _Place, found: "Takeover", taken: "TakenOver | None") -> None:
    dataset, head = place.dataset_id, found.head
    totals = found.chain.head.statement.totals if found.chain else None
    out.record(
        "adopted",
        dataset=dataset,
        bundle=found.chain.head.uri if found.chain else None,
        objects=totals.objects if totals and found.identities else 0,
        unfinished=taken
        and {
            "bundle": taken.bundle,
            "volumes": taken.volumes,
            "bytes": taken.bytes,
            "objects": taken.objects,
            "strays": taken.strays,
            "begun_again": taken.begun_again,
        },
    )
    if head is not None and totals is not None:
        known = (
            _("Adopted {dataset} up to {bundle}: {objects} are known again, and only what is new will be sent.")
            if found.identities
            else _("Adopted {dataset} up to {bundle}: the next copy sends everything again.")
        )
        objects = quantity_text(totals.objects, Unit.OBJECTS)
        out.text(known.format(dataset=dataset, bundle=head.bundle, objects=objects))
    for sentence in _of_unfinished(found, taken) if found.identities else ():
        out.text(sentence)
    out.summary(bundle=found.chain.head.uri if found.chain else None, next=f"repatria copy {dataset}")


def _of_unfinished(found: "Takeover", taken: "TakenOver | None") -> "Iterator[str]":
    """Yield what became of unfinished bundles."""
    if taken is not None:
        yield ngettext(
            "The unfinished bundle {bundle} goes on: {count} volume ({size}), {objects}, is not sent again.",
            "The unfinished bundle {bundle} goes on: {count} volumes ({size}), {objects}, are not sent again.",
            taken.volumes,
        ).format(
            bundle=taken.bundle,
            count=number_text(taken.volumes),
            size=size_text(taken.bytes),
            objects=quantity_text(taken.objects, Unit.OBJECTS),
        )
        if taken.strays:
            yield ngettext(
                "{count} volume ({size}) came after the last signature: nothing vouches for it, and what it holds is"
                " sent again.",
                "{count} volumes ({size}) came after the last signature: nothing vouches for them, and what they hold"
                " is sent again.",
                taken.strays,
            ).format(count=number_text(taken.strays), size=size_text(taken.stray_bytes))
        if taken.begun_again:
            yield ngettext(
                "{count} object of which only parts had arrived begins again.",
                "{count} objects of which only parts had arrived begin again.",
                taken.begun_again,
            ).format(count=number_text(taken.begun_again))
    for bundle in found.unfinished:
        if taken is None or bundle.bundle_id != taken.bundle:
            yield _(
                "The unfinished bundle {bundle} ({size}) cannot be gone on with: no signature that is known reaches far"
                " enough. `repatria clean` removes it."
            ).format(bundle=bundle.bundle_id, size=size_text(bundle.bytes))


def _tell_signer(out: Output, found: "Takeover") -> None:
    """Say whose word was taken, and what a new signing key means for those who verify."""
    if found.sight.taken is not None:
        out.warn(
            _(
                "Nobody vouched for the key {key} that signed it; it was seen here for the first time and is taken for"
                " the right one. Compare it with what `repatria keys signer` printed where the dataset was copied."
            ).format(key=found.sight.taken.fingerprint)
        )
    key = found.chain.head.signing_key if found.chain else found.sight.taken
    own = found.sight.trust.own
    if key is None or (own is not None and own.principal_of(key)):
        return
    out.say(
        _(
            "This machine signs with a key of its own, unless `signer` in the manifest names the old one. Whoever"
            " verifies then needs both keys in the file of --signers, else one of them is unknown (3). The old one:"
        )
    )
    out.say(key.allowed_line("OLD-MACHINE"), whole=True)
