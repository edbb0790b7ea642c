"""What a run finds as it opens: the chain's head at the target, and the bundle that it goes on with."""

from collections.abc import Sequence
from dataclasses import dataclass

from repatria.bundle.reader import Bundle
from repatria.bundle.writer import BundleWriter
from repatria.crypt.recipient import Recipient
from repatria.progress import Progress
from repatria.store.base import Store
from repatria.work.beginning import Beginning
from repatria.work.chain_memory import ChainMemory, recipient_texts
from repatria.work.following import follow_rewrapping
from repatria.work.patience import Patience
from repatria.work.recipients import RecipientChange
from repatria.work.settling import (
    Head,
    head_at_target,
    is_lost,
    list_payload,
    missing_volumes,
    require_head,
    settle_sent,
)
from repatria.work.state import Remembered
from repatria.work.unfinished import Unfinished


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a run begins."""

    head: Head | None
    """Of the chain at the target."""
    beginning: Beginning | None
    """Of the unfinished bundle, None if there is none."""
    is_finished: bool
    """Whether that bundle is the head already: killed after the very last file was put, only the journal is behind."""


def look_at_chain(
    target: Store, dataset_id: str, unfinished: Unfinished, memory: ChainMemory, seen: Remembered | None, signer: str
) -> Opening:
    """Return where to begin; UsageError or UnverifiableError if the chain is not the one that this machine knows.

    `seen` is what the state folder remembers of the chain, `signer` the fingerprint of the key that signs here.
    """
    head = head_at_target(target, dataset_id)
    signers = {signer, *([seen.signer] if seen else [])}
    follow_rewrapping(target, dataset_id, head, memory, signers=signers, seen=seen)
    beginning = unfinished.beginning()
    is_finished = beginning is not None and head is not None and head.bundle == beginning.bundle
    if is_finished:
        memory.require_finishing(dataset_id)
    else:
        require_head(head, memory.head(), dataset_id)
    return Opening(head, beginning, is_finished)


def judge_recipients(
    target: Store, dataset_id: str, head: Head | None, recipients: Sequence[Recipient], progress: Progress
) -> None:
    """Refuse recipients that a rewrapping has left behind; say what those of the manifest change."""
    if head is None:
        return
    latest = Bundle(target, dataset_id, head.bundle).statement
    change = RecipientChange.between(latest, recipient_texts(recipients))
    if change is not None and change.rewrapped:
        raise change.refusal()
    if change is not None:
        progress.say(change.announcement())


def is_there_still(unfinished: Unfinished, target: Store, writer: BundleWriter, patience: Patience) -> bool:
    """Tell whether the unfinished bundle can be gone on with; then each of its volumes is proven, or given up."""
    listed = list_payload(target, writer.dataset_id, writer.bundle_id)
    if is_lost(unfinished, listed):
        return False
    for volume in missing_volumes(unfinished, listed):
        unfinished.give_up(volume.number)
    settle_sent(unfinished, writer, patience)
    return True
