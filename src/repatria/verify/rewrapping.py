"""What a change of recipients that is not finished means for a verification: nothing under way is called intact."""

from dataclasses import dataclass

from repatria.bundle import layout
from repatria.bundle.rewrap_record import fetch_record
from repatria.errors import CryptError
from repatria.i18n import _
from repatria.store.base import Store
from repatria.verify.report import SIGNATURE_FAILED, Verdict, altered, unverifiable
from repatria.verify.seen import Lying
from repatria.verify.trust import Trust


@dataclass(frozen=True, slots=True)
class Rewrapping:
    """A change of recipients that has not come to its end."""

    pending: frozenset[str] = frozenset()
    """Bundles of which old and new files may lie side by side; none if nobody vouches for who says so."""
    verdicts: tuple[Verdict, ...] = ()


NONE = Rewrapping()


def look_for_rewrapping(store: Store, lying: Lying, dataset_id: str, trust: Trust) -> Rewrapping:
    """Return what is under way at a target; who cannot be believed can hide nothing behind it."""
    if layout.signature_path(layout.REWRAP) not in lying.rewrapping:
        return NONE  # a preparation that was cut off before anything was touched
    try:
        signed = fetch_record(store, dataset_id)
    except CryptError as error:
        return Rewrapping(verdicts=(altered(layout.REWRAP, error.message, code=SIGNATURE_FAILED),))
    if signed is None:
        return NONE
    if trust.voucher_at(signed.key, signed.record.started) is None:
        detail = _("It says that recipients are being changed; nobody vouches for the key {key} that signed it.")
        return Rewrapping(verdicts=(unverifiable(layout.REWRAP, detail.format(key=signed.key.fingerprint)),))
    pending = frozenset(
        entry.bundle
        for entry in signed.record.bundles
        if any(path.startswith(f"{layout.REWRAP_FOLDER}{entry.bundle}/") for path in lying.rewrapping)
    )
    return Rewrapping(pending, (unfinished(dataset_id),))


def unfinished(subject: str) -> Verdict:
    """Return the verdict that a change of recipients has not come to its end."""
    return unverifiable(
        subject,
        _("Its recipients are being changed, and that is not finished: run the same `repatria rewrap` again."),
    )
