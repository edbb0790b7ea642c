"""`rewrap`: who can open a whole chain changes; its encrypted payloads do not."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import BundleArgument, EndpointOption, IdentityOption, ProfileOption, trust_of
from repatria.cli.endings import LastWords, ending_soon
from repatria.cli.frame import command
from repatria.cli.output import Output
from repatria.cli.progress import shown_progress
from repatria.cli.quantity import number_text, size_text
from repatria.cli.rewrap_change import Change, accept, refuse_damaged, signing
from repatria.cli.runs import audited
from repatria.errors import FindingsError, UnknownSignerError, UsageError
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repatria.bundle.chain import Chain
    from repatria.cli.context import OpenedBundle
    from repatria.crypt.identity import Identity
    from repatria.crypt.recipient import Recipient
    from repatria.settings import Settings
    from repatria.verify.trust import Trust
    from repatria.work.rewrapping import RewrapResult
    from repatria.work.signing import ChosenSigner
    from repatria.work.state import StateFolder


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "rewrap", help=_("Change who can open a whole chain, from now on; goes on where it ended."))
    def rewrap(  # noqa: PLR0913 -- its options are the command's
        out: Output,
        bundle: BundleArgument,
        *,
        identity: IdentityOption = None,
        recipient: Annotated[
            list[str] | None,
            typer.Option(
                "-r",
                "--recipient",
                metavar="RECIPIENT",
                help=_("Recipient (age1...), or a file of recipients; may be repeated."),
            ),
        ] = None,
        signer: Annotated[
            Path | None, typer.Option("--signer", metavar="FILE", help=_("The key that signs the new statements."))
        ] = None,
        signers: Annotated[
            Path | None, typer.Option("--signers", metavar="FILE", help=_("Allowed signers: these keys and no others."))
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help=_("Say who can open it then and who no longer, and do nothing."))
        ] = False,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        from repatria.cli.context import current_settings, identities, open_bundle
        from repatria.crypt.recipient import load_recipients

        if not recipient:
            raise UsageError(
                _("No recipient was given: nobody could open the bundles."),
                advice=_("Name every recipient that is to open them: -r RECIPIENT, or -r FILE.pub."),
            )
        settings = current_settings()
        recipients = load_recipients(recipient, Path())
        keys = identities(identity, settings)
        opened = open_bundle(bundle, settings, endpoint=endpoint, profile=profile)
        wish = _Wish(opened, keys, recipients, _chosen(signer, opened.dataset_id, settings), signers)
        if dry_run:
            _show(out, settings, wish)
            return 0
        with audited(out, settings, "rewrap", opened.dataset_id, long=True) as facts:
            result = _rewrap(out, settings, wish)
            facts.update(code=0, bundle=result.head, bundles=result.bundles, volumes=result.volumes)
        _conclude(out, wish, result)
        return 0


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the command line asks for."""

    opened: "OpenedBundle"
    identities: "Sequence[Identity]"
    recipients: "Sequence[Recipient]"
    chosen: "ChosenSigner"
    signers: Path | None


def _chosen(signer: Path | None, dataset_id: str, settings: "Settings") -> "ChosenSigner":
    """Return the key that signs: the one given, else the manifest's, else that of the settings.

    Never one that was made in the state folder: which key vouches for the whole chain anew is for a person to say.
    """
    from repatria.cli.context import ask_passphrase, known_manifest
    from repatria.work.signing import choose_signer
    from repatria.work.state import StateFolder

    if signer is None:
        manifest = known_manifest(dataset_id, settings)
        signer = (manifest.encryption.signer if manifest else None) or settings.signer
    if signer is None:
        raise UsageError(
            _("No key was given to sign with."),
            advice=_("Name the one that signs for the dataset: --signer FILE. `repatria keys signer` makes one."),
        )
    return choose_signer(signer, StateFolder(settings.state), ask_passphrase)


def _show(out: Output, settings: "Settings", wish: _Wish) -> None:
    """Say what a run would change, and do nothing."""
    from repatria.work.state import StateFolder

    trust = trust_of(wish.opened.dataset_id, settings, wish.signers, own=wish.chosen.file)
    _refuse_unvouched(wish.chosen, trust)
    with ExitStack() as stack:
        stack.callback(wish.opened.store.close)
        refuse_damaged(StateFolder(settings.state), wish.opened)
        change = Change.of(stack.enter_context(_loaded(out, wish, trust)), wish.recipients)
    out.record(
        "rewrap_plan",
        dataset=wish.opened.dataset_id,
        removed=change.removed,
        added=change.added,
        signer=wish.chosen.signer.fingerprint,
    )
    for sentence in change.sentences():
        out.text(sentence, whole=True)
    if change.is_none:
        out.text(_nothing_to_do(wish.opened.dataset_id))
    out.text(signing(wish.chosen))
    out.say(_("This was a dry run: nothing was changed."))
    out.summary(removed=len(change.removed), added=len(change.added))


def _rewrap(out: Output, settings: "Settings", wish: _Wish) -> "RewrapResult":
    from repatria.work.lease import Lease
    from repatria.work.lock import dataset_lock
    from repatria.work.patience import Patience
    from repatria.work.rewrap_site import FoundError
    from repatria.work.rewrapping import Rewrap
    from repatria.work.state import Remembered, StateFolder
    from repatria.work.stop import StopSignal

    state, store, dataset_id = StateFolder(settings.state), wish.opened.store, wish.opened.dataset_id
    trust = trust_of(dataset_id, settings, wish.signers, own=wish.chosen.file)
    _refuse_unvouched(wish.chosen, trust)
    with ExitStack() as stack:
        stack.callback(store.close)
        stop = stack.enter_context(ending_soon(LastWords(out, state, "rewrap", dataset_id), StopSignal()))
        stack.enter_context(dataset_lock(state, dataset_id))
        refuse_damaged(state, wish.opened)
        with _loaded(out, wish, trust) as chain:  # nothing is written for a dataset that is not there, or is in doubt
            accept(out, Change.of(chain, wish.recipients), wish.chosen, stop)
        if len(wish.recipients) == 1:
            out.warn(
                _("There is one recipient: if that key is lost, all is lost. Name a second, kept by someone else.")
            )
        _know_signers(state, dataset_id, wish)
        stack.enter_context(Lease(store, dataset_id, state, stop))
        progress = stack.enter_context(shown_progress(out))
        chain = stack.enter_context(_loaded(out, wish, trust))
        try:
            result = Rewrap(
                store,
                chain,
                recipients=wish.recipients,
                signer=wish.chosen.signer,
                trusts=lambda key, signed_at: trust.voucher_at(key, signed_at) is not None,
                patience=Patience(stop, progress=progress),
                progress=progress,
            ).run()
        except FoundError as error:
            for found in error.findings:
                out.finding(found)
            raise
        if result.bundles or result.resumed:
            signer = wish.chosen.signer.fingerprint
            state.remember(dataset_id, Remembered(signer, result.head, result.statement_sha256))
        return result


def _know_signers(state: "StateFolder", dataset_id: str, wish: _Wish) -> None:
    """Know from now on those who were named: if this run is cut off, `verify` tells its change from a stranger's."""
    from repatria.work.named_signers import keep_named_signers, keep_signers_file, named_signers

    if wish.signers is not None:
        keep_signers_file(state, dataset_id, wish.signers)
        return
    known, key = named_signers(state, dataset_id), wish.chosen.signer.key
    if known is None or all(signer.blob != key.blob for signer in known.signers):
        keep_named_signers(state, dataset_id, wish.chosen.allowed_line)


@contextmanager
def _loaded(out: Output, wish: _Wish, trust: "Trust") -> "Iterator[Chain]":
    """Load the whole chain; an error if somebody may have tampered with it, for what is signed anew is vouched for."""
    from repatria.bundle.chain import Chain
    from repatria.verify.reading import line_doubts

    chain = Chain.load(wish.opened.store, wish.opened.dataset_id, identities=wish.identities)
    try:
        if wish.opened.bundle_id not in {None, chain.head.bundle_id}:
            raise UsageError(
                _("A chain is rewrapped as a whole, and {bundle} is not its latest bundle. Nothing was done.").format(
                    bundle=wish.opened.bundle_id
                ),
                advice=_("Give the dataset: {dataset}").format(dataset=wish.opened.dataset_id),
            )
        doubts = list(line_doubts(chain, trust, whole=True))
        for verdict in doubts:
            out.finding(verdict.finding)
        if any(verdict.code != UnknownSignerError.exit_code for verdict in doubts):
            raise FindingsError(
                _("The chain is not what it was. Nothing was signed, and nothing changed."),
                advice=_("Run `repatria verify`; bring what is named back from a second copy."),
            )
        if doubts:
            raise UnknownSignerError(
                _("What nobody vouches for is not signed anew. Nothing was changed."),
                advice=_("Name those who may sign with --signers FILE, the key of --signer among them."),
            )
        yield chain
    finally:
        chain.close()


def _refuse_unvouched(chosen: "ChosenSigner", trust: "Trust") -> None:
    """Raise if nobody would believe what this run signs."""
    from repatria.bundle.layout import rfc3339

    if trust.voucher_at(chosen.signer.key, rfc3339(datetime.now(UTC))) is None:
        raise UnknownSignerError(
            _("The key {file} is not among those who may sign. Nothing was changed.").format(file=chosen.file),
            advice=_("Add its line to the file of --signers, or sign with another key."),
        )


def _conclude(out: Output, wish: _Wish, result: "RewrapResult") -> None:
    from repatria.store.registry import join, public_uri

    dataset_id = wish.opened.dataset_id
    uri = join(public_uri(wish.opened.store.uri), f"{dataset_id}/{result.head}")
    is_done = bool(result.bundles or result.resumed)
    out.record(
        "rewrapped",
        dataset=dataset_id,
        bundles=result.bundles,
        volumes=result.volumes,
        bytes=result.bytes,
        recipients=[str(each) for each in wish.recipients],
        resumed=result.resumed,
    )
    out.text(_sentence(dataset_id, wish, result) if is_done else _nothing_to_do(dataset_id))
    out.text(uri)
    if is_done:
        out.say(
            _(
                "This is no revocation: what was copied before, and older versions that the target keeps, still open"
                " with the old keys."
            )
        )
        out.say(_("Later copies encrypt to the recipients in the manifest: change them there too."))
    out.summary(bundle=uri, head=result.statement_sha256, next=f"repatria verify {dataset_id}")


def _sentence(dataset_id: str, wish: _Wish, result: "RewrapResult") -> str:
    recipients = ngettext("{count} recipient", "{count} recipients", len(wish.recipients)).format(
        count=number_text(len(wish.recipients))
    )
    return ngettext(
        "{dataset} opens for {recipients} now: {count} bundle rewrapped, {volumes}, {size}, no payload touched.",
        "{dataset} opens for {recipients} now: {count} bundles rewrapped, {volumes}, {size}, no payload touched.",
        result.bundles,
    ).format(
        dataset=dataset_id,
        recipients=recipients,
        count=number_text(result.bundles),
        volumes=ngettext("{count} volume", "{count} volumes", result.volumes).format(count=number_text(result.volumes)),
        size=size_text(result.bytes),
    )


def _nothing_to_do(dataset_id: str) -> str:
    return _("Nothing to do: every bundle of {dataset} is for these recipients already.").format(dataset=dataset_id)
