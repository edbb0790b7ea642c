"""What a change of recipients means for those who can open a chain: said, and at a terminal asked, before it begins."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from repatria.cli.damage import found_damaged
from repatria.cli.output import Output
from repatria.errors import FindingsError, UsageError
from repatria.i18n import _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repatria.bundle.chain import Chain
    from repatria.cli.context import OpenedBundle
    from repatria.crypt.recipient import Recipient
    from repatria.work.signing import ChosenSigner
    from repatria.work.state import StateFolder
    from repatria.work.stop import StopSignal


@dataclass(frozen=True, slots=True)
class Change:
    """Who can open a chain no longer, and who newly; recipients as statements name them (`age1...`)."""

    removed: tuple[str, ...]
    """Those of any bundle who are not among the new ones."""
    added: tuple[str, ...]
    """Those of the new ones who cannot open every bundle yet."""

    @classmethod
    def of(cls, chain: "Chain", recipients: "Sequence[Recipient]") -> Self:
        """Compare the recipients of a chain's bundles, by their statements, with the new ones."""
        before = [bundle.statement.recipients for bundle in chain.bundles]
        after = dict.fromkeys(str(each) for each in recipients)
        return cls(
            tuple(text for text in dict.fromkeys(text for texts in before for text in texts) if text not in after),
            tuple(text for text in after if any(text not in texts for texts in before)),
        )

    @property
    def is_none(self) -> bool:
        """Whether everything is for these recipients already."""
        return not self.removed and not self.added

    def sentences(self) -> Iterator[str]:
        """Yield a line for each."""
        for text in self.removed:
            yield _("Will no longer open: {recipient}").format(recipient=_named(text))
        for text in self.added:
            yield _("Will newly open: {recipient}").format(recipient=_named(text))


def _named(text: str) -> str:
    """Return a recipient's fingerprint, and itself unless it fills a screen."""
    from repatria.crypt.recipient import shortened, text_fingerprint

    return f"{text_fingerprint(text)} ({text})" if shortened(text) == text else text_fingerprint(text)


def signing(chosen: "ChosenSigner") -> str:
    """Return the sentence that names the key that signs."""
    return _("It is signed with {file} ({key}).").format(file=chosen.file, key=chosen.signer.fingerprint)


def accept(out: Output, change: Change, chosen: "ChosenSigner", stop: "StopSignal") -> None:
    """Say who can no longer open the chain, and who signs; at a terminal, UsageError unless that is meant.

    Without a terminal it goes on: the command line names every recipient.
    """
    if change.is_none:
        return
    for sentence in (*change.sentences(), signing(chosen)):
        if out.json:
            out.warn(sentence)
        else:
            out.say(sentence, whole=True)
    if change.removed and out.interactive and not out.json:
        out.say(_("Go on? [y/N]"))
        out.release()
        with stop.asking():
            answer = sys.stdin.readline(64)
        if answer.strip().lower() not in {"y", "yes", "o", "oui"}:
            raise UsageError(_("Nothing was done."))


def refuse_damaged(state: "StateFolder", opened: "OpenedBundle") -> None:
    """Raise FindingsError if the last verification found a file damaged and no change is under way.

    The change would stop there half way, and copies would wait for its end: for ever, if there is no second copy.
    """
    from repatria.bundle.rewrap_record import fetch_record
    from repatria.work.overview import LastRuns, last_runs

    runs = last_runs(state).get(opened.dataset_id, LastRuns())
    if not runs.damaged or fetch_record(opened.store, opened.dataset_id) is not None:
        return
    raise FindingsError(
        _(
            "{found} A change of recipients would stop there half way, and copies would wait. Nothing was changed."
        ).format(found=found_damaged(runs.damaged, runs.damaged_objects)),
        advice=_(
            "Bring the files that `repatria verify {dataset}` names back from a second copy, verify again, then run"
            " this command again. Without a second copy the recipients stay as they are."
        ).format(dataset=opened.dataset_id),
    )
