"""A machine that copies learns that the recipients of its chain were changed, by whoever holds the identities."""

from collections.abc import Collection

from repatria.bundle.reader import Bundle
from repatria.errors import UnknownSignerError
from repatria.i18n import _
from repatria.store.base import Store
from repatria.work.chain_memory import ChainMemory
from repatria.work.settling import Head
from repatria.work.state import Remembered


def follow_rewrapping(
    target: Store,
    dataset_id: str,
    found: Head | None,
    memory: ChainMemory,
    *,
    signers: Collection[str],
    seen: Remembered | None,
) -> None:
    """Let the memory of the head follow, where a newer statement rightly took the place of the one remembered.

    It must be signed by one of `signers` (fingerprints), or be the head that a verification has `seen`:
    UnknownSignerError otherwise. Whatever else differs is for `require_head` to refuse.
    """
    known = memory.statement_of(found.bundle) if found else None
    if found is None or known is None or known == found.statement_sha256:
        return
    bundle = Bundle(target, dataset_id, found.bundle)
    if not bundle.stands_for(known):
        return
    verified = seen is not None and (seen.bundle, seen.statement_sha256) == (found.bundle, found.statement_sha256)
    if not verified and bundle.signing_key.fingerprint not in signers:
        raise UnknownSignerError(
            _("The recipients of {dataset} were changed by somebody whose key is not known here: {key}.").format(
                dataset=dataset_id, key=bundle.signing_key.fingerprint
            ),
            advice=_(
                "Verify the dataset first, with those who may sign: repatria verify {dataset} --signers FILE"
            ).format(dataset=dataset_id),
        )
    memory.follow(found)
