"""What a change of recipients that is not finished means for a verification: nothing under way is called intact."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from repatria.bundle import layout
from repatria.bundle.rewrap_record import SignedRecord, fetch_record
from repatria.errors import CryptError
from repatria.i18n import _
from repatria.store.base import Store
from repatria.verify.report import SIGNATURE_FAILED, Verdict, altered, unverifiable
from repatria.verify.seen import Lying, Seen
from repatria.verify.trust import Trust


@dataclass(frozen=True, slots=True)
class Rewrapping:
    """A change of recipients that has not come to its end."""

    pending: Mapping[str, str] = field(default_factory=dict)
    """Bundles for which files lie aside, with the statement replaced; none if nobody vouches for who says so."""
    verdicts: tuple[Verdict, ...] = ()
    is_believed: bool = False
    """Whether somebody vouches for who says that one is under way."""

    def touches(self, seen: Seen) -> bool:
        """Return whether old and new files of a bundle may lie side by side.

        An old record that somebody put back does not hide a bundle whose statement is neither the one nor the other.
        """
        replaced = self.pending.get(seen.bundle_id)
        statement = seen.genuine
        if replaced is None or statement is None:
            return replaced is not None
        return replaced in (seen.statement_sha256, statement.replaces.sha256 if statement.replaces else None)


NONE = Rewrapping()


def look_for_rewrapping(
    store: Store, lying: Lying, dataset_id: str, trust: Trust, latest_finished: str = ""
) -> Rewrapping:
    """Return what is under way at a target; who cannot be believed can hide nothing behind it.

    `latest_finished` is when the latest of its bundles was finished, by their statements (RFC 3339): a change of their
    recipients was begun after that, whatever its record says.
    """
    if layout.signature_path(layout.REWRAP) not in lying.rewrapping:
        return NONE  # a preparation that was cut off before anything was touched
    try:
        signed = fetch_record(store, dataset_id)
    except CryptError as error:
        return Rewrapping(verdicts=(altered(layout.REWRAP, error.message, code=SIGNATURE_FAILED),))
    if signed is None:
        return NONE
    if trust.voucher_at(signed.key, max(signed.record.started, latest_finished)) is None:
        detail = _("It says that recipients are being changed; nobody vouches for the key {key} that signed it.")
        return Rewrapping(verdicts=(unverifiable(layout.REWRAP, detail.format(key=signed.key.fingerprint)),))
    pending = {
        entry.bundle: entry.statement
        for entry in signed.record.bundles
        if any(path.startswith(f"{layout.REWRAP_FOLDER}{entry.bundle}/") for path in lying.rewrapping)
    }
    return Rewrapping(pending, (unfinished(dataset_id, signed),), is_believed=True)


def unfinished(subject: str, signed: SignedRecord | None = None) -> Verdict:
    """Return the verdict that a change of recipients has not come to its end; `signed` tells whose it is."""
    detail = _("Its recipients are being changed, and that is not finished: run the same `repatria rewrap` again.")
    return unverifiable(subject, f"{detail} {signed.told}" if signed else detail)
