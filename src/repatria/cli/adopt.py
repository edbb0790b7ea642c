"""`adopt`: taking over a dataset from a machine that is gone."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.adoption_report import cost_sentences, show_adopted, tell_signer
from repatria.cli.chains import EndpointOption, IdentityOption, ProfileOption
from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.errors import UnknownSignerError, UsageError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.crypt.identity import Identity
    from repatria.manifest import Manifest
    from repatria.migrate.takeover import Takeover
    from repatria.settings import Settings
    from repatria.store.base import Store
    from repatria.verify.trust import Trust
    from repatria.work.stop import StopSignal


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
            bool,
            typer.Option(
                "--anew",
                help=_("Accept that the next copy sends everything again: no key is there, or an index is damaged."),
            ),
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

    known = remembered(settings.state, argument)
    is_id = "/" not in argument and ":" not in argument
    if argument.endswith(".toml") or (is_id and (known is None or known.manifest is not None)):
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
            _("--anew sends everything again and needs no key; -i is to spare that."),
            advice=_("Leave one of them out."),
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
    from repatria.cli.endings import LastWords, ending_soon
    from repatria.cli.progress import shown_progress
    from repatria.migrate.takeover import Takeover
    from repatria.ocr.keeping import SeenRows
    from repatria.verify.first_sight import FirstSight
    from repatria.verify.report import worst_code
    from repatria.work.journal import Journal
    from repatria.work.lease import Lease
    from repatria.work.lock import dataset_lock
    from repatria.work.named_signers import keep_signers_file
    from repatria.work.state import StateFolder
    from repatria.work.stop import StopSignal

    state = StateFolder(settings.state)
    with ExitStack() as stack:
        stop = stack.enter_context(ending_soon(LastWords(out, state, "adopt", place.dataset_id), StopSignal()))
        stack.enter_context(dataset_lock(state, place.dataset_id))
        stack.enter_context(Lease(place.target, place.dataset_id, state, stop))
        journal = Journal(state.dataset(place.dataset_id), state.key())
        stack.callback(journal.close)
        sight = FirstSight(_trust(place, settings, signers))
        found = Takeover.look(place.target, place.dataset_id, sight, keys)
        stack.callback(found.close)
        if found.verdicts:
            for verdict in found.verdicts:
                out.finding(verdict.finding)
            out.say(_("Nothing was adopted."))
            code = worst_code(found.verdicts)
            if code == UnknownSignerError.exit_code:
                out.say(
                    _(
                        "Get the lines of those who may sign from them, by another way; then run the same command again"
                        " with --signers FILE."
                    )
                )
            return code
        if not anew and found.is_known_to(journal):
            out.text(_("This machine knows {dataset} as it is at the target.").format(dataset=place.dataset_id))
            out.summary(next=f"repatria copy {place.dataset_id}")
            return 0
        if not keys:
            _accept(out, place, found, stop, anew=anew)
        SeenRows.forget(state.dataset(place.dataset_id))
        with shown_progress(out) as progress:
            taken = found.fill(journal, progress)
        remembered = found.remembered()
        if remembered is not None:
            state.remember(place.dataset_id, remembered)
            if signers is not None:
                keep_signers_file(state, place.dataset_id, signers)
        show_adopted(out, found, taken)
        tell_signer(out, found)
    return 0


def _trust(place: _Place, settings: "Settings", signers: Path | None) -> "Trust":
    """Return who may sign for the dataset; the key that the manifest names is this machine's own."""
    from repatria.verify.trust import load_trust
    from repatria.work.state import StateFolder

    named = place.manifest.encryption.signer if place.manifest else None
    own = [file for file in (named, settings.signer) if file is not None]
    state = StateFolder(settings.state)
    return load_trust(state, place.dataset_id, signers=signers or settings.signers, own=own, strict=signers is not None)


def _accept(out: Output, place: _Place, found: "Takeover", stop: "StopSignal", *, anew: bool) -> None:
    """Say what it costs to have no key, and go on only if that is accepted."""
    if found.is_archive or found.chain is None:
        raise UsageError(
            _("Without a key nothing of {dataset} can be taken over.").format(dataset=place.dataset_id),
            advice=_("Give the key that opens it: -i FILE.")
            if found.is_archive
            else _("Give the key that opens it: -i FILE. Without it, `repatria copy` begins again by itself."),
        )
    for sentence in cost_sentences(place.manifest, found):
        out.say(sentence)
    if anew:
        return
    if out.interactive:
        out.say(_("Go on? [y/N]"))
        with stop.asking():
            answer = sys.stdin.readline(64)
        if answer.strip().lower() in {"y", "yes", "o", "oui"}:
            return
        raise UsageError(_("Nothing was done."))
    raise UsageError(
        _("No key was given, and nobody is there to accept what that costs. Nothing was done."),
        advice=_("Give the key that opens the dataset with -i FILE; or accept the cost with --anew."),
    )
