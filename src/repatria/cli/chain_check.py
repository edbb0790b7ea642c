"""How the chain at the target stands to this machine and its manifest: what `copy` would refuse, said beforehand."""

from typing import TYPE_CHECKING

from repatria.cli.checks import Check, State, failed
from repatria.errors import RepatriaError, StoreError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.bundle.reader import Bundle
    from repatria.manifest import Manifest
    from repatria.store.base import Store
    from repatria.work.overview import DatasetStanding
    from repatria.work.settling import Head


def chain_check(manifest: "Manifest", standing: "DatasetStanding", target: "Store") -> Check | None:
    """Return whether a run of this manifest can go on with what the target holds.

    None if nothing is there and nothing should be, or if the target fails, which is told elsewhere.
    """
    from repatria.bundle.reader import Bundle
    from repatria.work.settling import head_at_target

    try:
        found = head_at_target(target, manifest.id)
        head = Bundle(target, manifest.id, found.bundle) if found is not None else None
        _require_known(found, head, standing)
        return _judged(head, manifest) if head is not None else None
    except StoreError:
        return None
    except RepatriaError as error:
        return failed("chain", error)


def _require_known(found: "Head | None", head: "Bundle | None", standing: "DatasetStanding") -> None:
    """Raise what a run would raise for a chain that does not end where this machine knows it to end."""
    from repatria.work.settling import Head, require_head

    known = Head(standing.bundle, standing.statement) if standing.bundle and standing.statement else None
    if found is not None and head is not None:
        if standing.unfinished is not None and standing.unfinished.bundle == found.bundle:
            return  # killed after its last file was put: the next run takes it in
        if known is not None and known.bundle == found.bundle and head.stands_for(known.statement_sha256):
            return
    require_head(found, known, standing.dataset)


def _judged(head: "Bundle", manifest: "Manifest") -> Check:
    """Compare the recipients of the chain's head with the manifest's."""
    from repatria.crypt.recipient import load_recipients
    from repatria.work.recipients import RecipientChange

    recipients = load_recipients(manifest.encryption.recipients, manifest.file.parent)
    change = RecipientChange.between(head.statement, [str(each) for each in recipients])
    if change is not None and change.rewrapped:
        error = change.refusal()
        return Check("chain", State.PROBLEM, error.message, "\n".join((*error.details, error.advice)), error.code)
    if change is not None:
        return Check("chain", State.WARNING, change.announcement())
    seen = _("The chain at the target ends with {bundle}, for the recipients of the manifest")
    return Check("chain", State.OK, seen.format(bundle=head.bundle_id))
