"""What `doctor` looks at for one dataset: keys, sources, target."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from repatria.cli.checks import Check, State, failed, nearest_existing, recognition_check
from repatria.cli.quantity import size_text
from repatria.errors import AlreadyExistsError, NotFoundError, RepatriaError, Role, StoreError
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.manifest import Manifest, SourceTable
    from repatria.settings import Settings
    from repatria.store.base import Store

PROBE = ".repatria-probe"
PROBE_TEXT = b"Written by `repatria doctor` to see whether bundles can be stored here. It may be deleted.\n"


def key_checks(settings: "Settings") -> Iterator[Check]:
    """Look at the keys that repatria.toml and the environment name."""
    from repatria.crypt.allowed_signers import AllowedSigners
    from repatria.crypt.key_files import read_private

    if settings.identity:
        try:
            read_private(settings.identity)
        except RepatriaError as error:
            yield failed("identity", error)
        else:
            yield Check("identity", State.OK, _("Identity {file}").format(file=settings.identity))
    if settings.signers:
        try:
            AllowedSigners.parse(settings.signers.read_text(encoding="utf-8"))
        except RepatriaError as error:
            yield failed("signers", error)
        except (OSError, ValueError) as error:
            seen = _("The allowed signers {file} cannot be read: {reason}.").format(file=settings.signers, reason=error)
            yield Check("signers", State.PROBLEM, seen, _("Check the path in [defaults] signers."), 6)
        else:
            yield Check("signers", State.OK, _("Allowed signers {file}").format(file=settings.signers))


def dataset_checks(manifest: "Manifest", settings: "Settings") -> Iterator[Check]:
    """Look at everything that a run of this manifest needs."""
    seen = _("Manifest {file}").format(file=manifest.file)
    yield Check("manifest", State.OK, seen)
    yield _recipients(manifest)
    yield _signer(manifest, settings)
    for source in manifest.sources:
        yield _source(source)
    of_target = list(_target(manifest))
    yield from of_target
    if not any(check.state is State.PROBLEM for check in of_target):  # else the same would be told again
        yield from _chain(manifest, settings)
        yield from _space(manifest, settings)
    if manifest.archive:
        yield recognition_check(manifest.archive.ocr_lang, needed=True)


def _recipients(manifest: "Manifest") -> Check:
    from repatria.crypt.recipient import load_recipients

    try:
        recipients = load_recipients(manifest.encryption.recipients, manifest.file.parent)
    except RepatriaError as error:
        return failed("recipients", error)
    count = ngettext("{count} recipient", "{count} recipients", len(recipients)).format(count=len(recipients))
    kinds = {"hybrid": _("post-quantum hybrid"), "classic": _("classical")}
    seen = _("Bundles can be opened by: {count}, {kind}").format(count=count, kind=kinds.get(recipients[0].kind, ""))
    if len(recipients) == 1:
        advice = _("If that key is lost, all is lost: name a second recipient, kept by someone else.")
        return Check("recipients", State.WARNING, seen, advice)
    return Check("recipients", State.OK, seen)


def _signer(manifest: "Manifest", settings: "Settings") -> Check:
    from repatria.cli.context import ask_passphrase
    from repatria.crypt.sshsig import Signer
    from repatria.work.state import StateFolder

    state = StateFolder(settings.state)
    made_here = state.signer_path()
    file = manifest.encryption.signer or made_here
    aside = manifest.file.parent.parent / "keys" / "signer"
    is_begun = state.remembered(manifest.id) is not None  # then who signs is settled
    if manifest.encryption.signer is None and aside.is_file() and not is_begun:
        return Check(
            "signer",
            State.WARNING,
            _("The manifest names no signing key, so {file} is not used.").format(file=aside),
            _('Take the # away before `signer = "../keys/signer"` in its [encryption]; else another key signs.'),
        )
    if file == made_here and not made_here.exists():
        return Check("signer", State.OK, _("No signing key yet: the first run makes one in the state folder"))
    try:
        signer = Signer.load(file, ask_passphrase)
    except RepatriaError as error:
        return failed("signer", error)
    return Check("signer", State.OK, _("Signed with {fingerprint}").format(fingerprint=signer.fingerprint))


def _source(source: "SourceTable") -> Check:
    """Ask the source for its first object."""
    from repatria.store.registry import open_store, public_uri

    shown = public_uri(source.uri)
    try:
        store = open_store(source.uri, endpoint=source.endpoint, profile=source.profile, role=Role.SOURCE)
        with contextlib.closing(store):
            first = next(iter(store.list()), None)
    except RepatriaError as error:
        return failed("source", error)
    if first is None:
        advice = _("Check the path: bundles of nothing would be made.")
        return Check(
            "source", State.WARNING, _("Source {uri} can be read, but holds nothing").format(uri=shown), advice
        )
    return Check("source", State.OK, _("Source {uri} can be read").format(uri=shown))


def _target(manifest: "Manifest") -> Iterator[Check]:
    from repatria.cli.context import open_target
    from repatria.store.registry import public_uri

    shown = public_uri(manifest.target.uri)
    if manifest.target.uri.startswith("file://"):
        yield _local_target(Path(unquote(manifest.target.uri.removeprefix("file://"))), shown)
        return
    try:
        store = open_target(manifest)
        with contextlib.closing(store):
            yield from _remote_target(store, shown)
    except RepatriaError as error:
        yield failed("target", error)


def _chain(manifest: "Manifest", settings: "Settings") -> Iterator[Check]:
    from repatria.cli.chain_check import chain_check
    from repatria.cli.context import open_target
    from repatria.work.overview import standing_of
    from repatria.work.state import StateFolder

    with contextlib.suppress(RepatriaError):  # what fails here is told elsewhere
        standing = standing_of(StateFolder(settings.state), manifest.id)
        with contextlib.closing(open_target(manifest)) as target:
            check = chain_check(manifest, standing, target)
        if check is not None:
            yield check


def _local_target(folder: Path, shown: str) -> Check:
    existing = nearest_existing(folder)
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Check(
            "target",
            State.PROBLEM,
            _("The target {uri} cannot be written to.").format(uri=shown),
            _("Give this user rights to {folder}, or name another target.").format(folder=existing),
            5,
        )
    free = shutil.disk_usage(existing).free
    seen = _("Target {uri} can be written to, {free} free").format(uri=shown, free=size_text(free))
    return Check("target", State.OK, seen)


def _space(manifest: "Manifest", settings: "Settings") -> Iterator[Check]:
    """Compare what the next copy needs with what the target has left, where the sources are folders of this machine.

    Listing others may take an hour: there, `plan` compares.
    """
    from repatria.cli.context import open_target
    from repatria.migrate.survey import known_work, survey
    from repatria.source.objects import open_sources
    from repatria.store.room import room_at
    from repatria.work.state import StateFolder

    if manifest.archive or not all(source.uri.startswith("file://") for source in manifest.sources):
        return
    with contextlib.suppress(RepatriaError), contextlib.ExitStack() as stack:  # what fails here is told elsewhere
        free = room_at(stack.enter_context(contextlib.closing(open_target(manifest))))
        sources = [stack.enter_context(contextlib.closing(source)) for source in open_sources(manifest)]
        known = stack.enter_context(known_work(StateFolder(settings.state), manifest.id))
        needed = survey(sources, known, manifest.transfer.volume_size).estimate.target_bytes
        if free is not None and free < needed:
            yield Check(
                "space",
                State.WARNING,
                _("The next copy needs {needed} at the target, where {free} are free.").format(
                    needed=size_text(needed), free=size_text(free)
                ),
                _("Make room there: a copy stops when the disk is full, and goes on once there is room."),
            )


def _remote_target(store: "Store", shown: str) -> Iterator[Check]:
    """Store a small file of a fixed name, read it back, and take it away if these credentials may.

    Where they may not, as they need not, the one file stays for the next time: nothing piles up.
    """
    from repatria.store.room import room_at

    with contextlib.suppress(AlreadyExistsError):
        store.put(PROBE, [PROBE_TEXT], len(PROBE_TEXT))
    with store.read(PROBE) as reading:
        kept = b"".join(reading.chunks)
    if kept != PROBE_TEXT:
        yield Check(
            "target",
            State.PROBLEM,
            _("The target {uri} did not give back what was stored there.").format(uri=shown),
            _("Look at {file} there; do not use this target before the cause is known.").format(file=PROBE),
            5,
        )
        return
    seen = _("Target {uri} can be written to and read back").format(uri=shown)
    free = room_at(store)
    yield Check(
        "target", State.OK, seen if free is None else _("{seen}, {free} free").format(seen=seen, free=size_text(free))
    )
    try:
        store.delete(PROBE)
        store.stat(PROBE)
    except NotFoundError:
        if store.uri.startswith("s3://"):
            yield Check(
                "rights",
                State.WARNING,
                _("These credentials may also delete at the target; Repatria never needs that."),
                _("Take the right to delete away, or use Object Lock: then a thief of this machine destroys nothing."),
            )
    except StoreError:
        seen = _("These credentials may not delete at the target, as it should be; {file} stays there.")
        yield Check("rights", State.OK, seen.format(file=PROBE))
