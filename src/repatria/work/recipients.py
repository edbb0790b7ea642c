"""For whom a chain is, against for whom the next bundle would be: nobody is locked in or out without a word.

Recipients are changed in two ways: for every bundle that there is (`rewrap`), or in the manifest, for those to come. A
manifest that was forgotten after a rewrapping would bring the old recipients back, and with them a chain that no single
key opens. That is refused; what the manifest alone changes is done, and said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from repatria.bundle.statement import Statement
from repatria.crypt.recipient import text_fingerprint
from repatria.errors import UsageError
from repatria.i18n import _


@dataclass(frozen=True, slots=True)
class RecipientChange:
    """The next bundle would not be for those for whom the latest one is; recipients in full (`age1...`)."""

    dataset: str
    before: tuple[str, ...]
    """Of the latest bundle."""
    after: tuple[str, ...]
    """Of the next one."""
    rewrapped: str | None
    """When the latest bundle was brought to its recipients by `rewrap` (RFC 3339); None if it was made for them."""

    @classmethod
    def between(cls, latest: Statement, recipients: Sequence[str]) -> "RecipientChange | None":
        """Return what `recipients` change after the bundle of this statement; None if it is for the very same."""
        if set(latest.recipients) == set(recipients):
            return None
        rewrapped = latest.replaces.rewrapped if latest.replaces else None
        return cls(latest.dataset.id, latest.recipients, tuple(recipients), rewrapped)

    def refusal(self) -> "ForgottenRecipientsError":
        """Return the error for recipients that a rewrapping has taken away, or not yet given."""
        return ForgottenRecipientsError(self)

    def announcement(self) -> str:
        """Return who can open what from now on, as one message."""
        gained = [text for text in self.after if text not in self.before]
        lost = [text for text in self.before if text not in self.after]
        sentences = [_("The recipients of {dataset} change with this bundle.").format(dataset=self.dataset)]
        if gained:
            sentences.append(_("It opens for {recipients} too.").format(recipients=_named(gained)))
        if lost:
            sentences.append(_("It no longer opens for {recipients}.").format(recipients=_named(lost)))
        sentences.append(
            _(
                "Earlier bundles stay as they are, the latest for {recipients}: `repatria rewrap {dataset}` changes"
                " those."
            ).format(recipients=_named(self.before), dataset=self.dataset)
        )
        return " ".join(sentences)


class ForgottenRecipientsError(UsageError):
    """The chain was rewrapped to others than those whom the manifest, or the command, names."""

    def __init__(self, change: RecipientChange) -> None:
        super().__init__(
            _(
                "The chain of {dataset} was changed on {time} to the recipients {chain}; the manifest, or the command,"
                " names {named}. Nothing was sent."
            ).format(
                dataset=change.dataset,
                time=change.rewrapped,
                chain=_named(change.before),
                named=_named(change.after),
            ),
            advice=_(
                "Put the lines above in the place of `recipients` in the manifest's [encryption] (without a manifest:"
                " -r for each of them). If others are meant, change the chain first: repatria rewrap {dataset}"
                " -r RECIPIENT ..."
            ).format(dataset=change.dataset),
        )
        self.details = manifest_lines(change.before)


def manifest_lines(recipients: Sequence[str]) -> tuple[str, ...]:
    """Return `recipients` as a manifest holds it, line by line."""
    return ("recipients = [", *(f'  "{text}",' for text in recipients), "]")


def _named(recipients: Sequence[str]) -> str:
    return ", ".join(text_fingerprint(text) for text in recipients)
