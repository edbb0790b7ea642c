"""What a change of recipients that is not finished means for a verification: nothing under way is called intact."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from repatria.bundle import layout
from repatria.bundle.rewrap_record import SignedRecord, fetch_record
from repatria.errors import CryptError
from repatria.i18n import _
from repatria.model import FindingKind
from repatria.store.base import Store
from repatria.verify.report import SIGNATURE_FAILED, Verdict, altered, unverifiable
from repatria.verify.seen import Lying, Seen
from repatria.verify.trust import Trust


@dataclass(frozen=True, slots=True)
class Rewrapping:
    """A change of recipients that has not come to its end."""

    pending: Mapping[str, str] = field(default_factory=dict)
    """Bundles for which files lie aside, with the statement replaced; the oldest first."""
    verdicts: tuple[Verdict, ...] = ()
    is_believed: bool = False
    """Whether somebody vouches for who says that one is under way."""
    stranger: str = ""
    """Fingerprint of who says so, if nobody vouches for that key."""

    @property
    def is_said(self) -> bool:
        """Whether somebody says that one is under way, known or not."""
        return self.is_believed or bool(self.stranger)

    def touches(self, seen: Seen) -> bool:
        """Return whether old and new files of a bundle lie side by side, by the word of somebody who may say so."""
        return self.is_believed and self._names(seen)

    def may_touch(self, seen: Seen) -> bool:
        """Return whether they may, by the word of somebody for whom nobody vouches.

        Bundle follows bundle: only of the oldest that is not at its end can anything be new.
        """
        return bool(self.stranger) and seen.bundle_id == next(iter(self.pending), "") and self._names(seen)

    def softened(self, seen: Seen, verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
        """Yield verdicts on a bundle: if a stranger's record names it, what is not as it was signed is unverifiable.

        It may be the new file of a change that the stranger rightly began. What is missing is missing all the same, and
        a signature that is not right stays so: no change of recipients leaves either.
        """
        for each in verdicts:
            kind = each.finding.kind
            kept = kind is FindingKind.UNEXPECTED and layout.KEPT.match(each.subject.partition("/")[2])
            if self.may_touch(seen) and (kept or (kind is FindingKind.ALTERED and each.code == kind.exit_code)):
                yield unverifiable(
                    each.subject,
                    _(
                        "It is not what was signed before. A record at the target says that recipients are being"
                        " changed; nobody vouches for the key {key} that signed that record."
                    ).format(key=self.stranger),
                )
            else:
                yield each

    def _names(self, seen: Seen) -> bool:
        """Return whether a bundle is one that the record tells of.

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
    """Return what is under way at a target; who cannot be believed makes nothing intact, and nothing altered.

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
    pending = {
        entry.bundle: entry.statement
        for entry in signed.record.bundles
        if any(path.startswith(f"{layout.REWRAP_FOLDER}{entry.bundle}/") for path in lying.rewrapping)
    }
    if trust.voucher_at(signed.key, max(signed.record.started, latest_finished)) is None:
        return Rewrapping(pending, (_strange(signed),), stranger=signed.key.fingerprint)
    return Rewrapping(pending, (unfinished(dataset_id, signed),), is_believed=True)


def _strange(signed: SignedRecord) -> Verdict:
    return unverifiable(
        layout.REWRAP,
        _(
            "It says that recipients are being changed, and that is not finished. {change} Nobody vouches for that key."
            " If you know it, name it with --signers, and run the same `repatria rewrap` again; else ask who has access"
            " to the store."
        ).format(change=signed.told),
    )


def unfinished(subject: str, signed: SignedRecord | None = None) -> Verdict:
    """Return the verdict that a change of recipients has not come to its end; `signed` tells whose it is."""
    detail = _("Its recipients are being changed, and that is not finished: run the same `repatria rewrap` again.")
    return unverifiable(subject, f"{detail} {signed.told}" if signed else detail)
