"""`copy --repair`: sending again what lies in damaged volumes."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repatria.cli.output import Output
from repatria.cli.quantity import number_text, quantity_text, size_text
from repatria.errors import UsageError
from repatria.i18n import _, ngettext
from repatria.progress import Unit

if TYPE_CHECKING:
    from collections.abc import Container

    from repatria.crypt.identity import Identity
    from repatria.manifest import Manifest
    from repatria.migrate.repair import Damage
    from repatria.model import Finding
    from repatria.progress import Progress
    from repatria.settings import Settings
    from repatria.work.state import StateFolder
    from repatria.work.stop import StopSignal


@dataclass(slots=True)
class Repair:
    """What a copy is to repair."""

    bundle: str | None
    """As it was given on the command line; None for nothing."""
    identities: "tuple[Identity, ...]"
    """Empty: which objects lie in a volume is not known, and all of the bundle count."""
    found: str = ""
    """The id of the damaged bundle, once its objects are to be taken again."""
    volumes: str = ""
    """Which of its volumes these are in, as the audit log holds it."""
    unread: "tuple[Finding, ...]" = ()
    """Of files of the bundle that could not be read."""
    is_looked_for: bool = False
    """Whether the bundle was read already."""

    @property
    def is_wanted(self) -> bool:
        """Whether what is damaged is still to be found."""
        return self.bundle is not None and not self.is_looked_for


def identities_for(repair: str | None, given: "Sequence[Path] | None") -> "tuple[Identity, ...]":
    """Return the keys named for a repair; without any, all objects of the damaged bundle count as damaged."""
    from repatria.cli.context import ask_passphrase
    from repatria.crypt.identity import load_identities

    if given and repair is None:
        raise UsageError(_("A copy needs no private key; -i goes with --repair."), advice=_("Leave it out."))
    return tuple(identity for file in given or () for identity in load_identities(file, ask_passphrase))


def take_damaged_again(
    out: Output,
    manifest: "Manifest",
    settings: "Settings",
    repair: Repair,
    progress: "Progress",
    stop: "StopSignal",
) -> None:
    """Find what is damaged in a bundle, and have the copy that follows take its objects again; say what that is.

    A search that is stopped goes on where it ended, until a copy has come to its end (`forget_search`).
    """
    from repatria.bundle.chain import Chain
    from repatria.cli.context import open_bundle
    from repatria.migrate.repair import find_damage
    from repatria.work.repairing import volumes_text
    from repatria.work.searched import Searched
    from repatria.work.state import StateFolder
    from repatria.work.stoppable import StoppableStore

    opened = open_bundle(repair.bundle or manifest.id, settings)
    try:
        if opened.dataset_id != manifest.id:
            raise UsageError(
                _("{bundle} is no bundle of {dataset}.").format(bundle=repair.bundle, dataset=manifest.id),
                advice=_("`repatria bundles {dataset}` lists them.").format(dataset=manifest.id),
            )
        store = StoppableStore(opened.store, stop, grace=0.0)
        with closing(Chain.load(store, opened.dataset_id, opened.bundle_id)) as chain:
            bundle_id = chain.head.bundle_id
        state = StateFolder(settings.state)
        searched = Searched(state.dataset(manifest.id))
        damage = find_damage(store, manifest.id, bundle_id, searched, repair.identities, progress)
        repair.unread = damage.unread
        _show(out, bundle_id, damage)
        if damage.files:
            _take_again(out, state, manifest.id, damage.objects())
        repair.is_looked_for = True
        if not damage.files:
            return
        repair.found, repair.volumes = bundle_id, volumes_text(damage.volumes)
    finally:
        opened.store.close()
    if not repair.identities:
        out.say(_("Which objects lie there only a key can tell (-i FILE); without one, the whole bundle counts."))


def forget_search(state: "StateFolder", dataset_id: str) -> None:
    """Have the next repair read its bundle anew."""
    from repatria.work.searched import Searched

    Searched(state.dataset(dataset_id)).forget()


def _show(out: Output, bundle_id: str, damage: "Damage") -> None:
    if damage.remembered:
        out.say(
            ngettext(
                "{count} file of {bundle} was read before, by a repair that was stopped; it was not read again.",
                "{count} files of {bundle} were read before, by a repair that was stopped; they were not read again.",
                damage.remembered,
            ).format(count=number_text(damage.remembered), bundle=bundle_id)
        )
    for path in damage.files:
        out.say(_("Damaged: {file}").format(file=f"{bundle_id}/{path}"))
    for finding in damage.unread:
        out.finding(finding)
    if damage.unread and not damage.files:
        out.say(_("Nothing that could be read of {bundle} is damaged.").format(bundle=bundle_id))
    elif not damage.files:
        out.say(_("Nothing of {bundle} is damaged.").format(bundle=bundle_id))


def _take_again(out: Output, state: "StateFolder", dataset_id: str, numbers: "Container[int]") -> None:
    from repatria.work.journal import Journal
    from repatria.work.repairing import take_again

    journal = Journal(state.dataset(dataset_id), state.key())
    try:
        again = take_again(journal, numbers)
    finally:
        journal.close()
    out.record("repair", dataset=dataset_id, objects=again.objects, bytes=again.bytes)
    out.say(
        ngettext(
            "{objects} ({size}) of it still stands in the dataset, and is sent again.",
            "{objects} ({size}) of it still stand in the dataset, and are sent again.",
            again.objects,
        ).format(objects=quantity_text(again.objects, Unit.OBJECTS), size=size_text(again.bytes))
    )
