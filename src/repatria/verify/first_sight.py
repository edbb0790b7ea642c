"""Whose signatures count when a chain is taken over: those that someone vouches for, else the one key seen first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from repatria.bundle import layout
from repatria.bundle.chain import Chain
from repatria.crypt.sshsig import SigningKey
from repatria.verify.reading import doubts
from repatria.verify.report import Verdict
from repatria.verify.trust import Trust
from repatria.work.state import Remembered


@dataclass(slots=True)
class FirstSight:
    """Judges keys in the order in which they are met.

    Where nothing at all is known of a dataset's signers, the first key is taken for the right one, as `ssh` does with a
    host; all that follows must be signed by it. A file of allowed signers, or what this machine remembers, comes first.
    """

    trust: Trust
    taken: SigningKey | None = None
    """The key that was taken at first sight, for someone to compare."""

    def knows(self, key: SigningKey) -> bool:
        """Return whether a key may sign what is unfinished: now, as far as its owner says."""
        if self.trust.voucher_at(key, layout.rfc3339(datetime.now(UTC))) is not None:
            return True
        if self.trust.allowed is not None or self.trust.remembered is not None:
            return False
        self._take(key, Remembered(key.fingerprint, "", ""))
        return True

    def judged(self, chain: Chain) -> Sequence[Verdict]:
        """Return what makes a chain doubtful; nothing if it may be taken over."""
        if self.taken is None:
            found = list(doubts(chain, self.trust, whole=True))
            if not found or self.trust.allowed is not None or self.trust.remembered is not None:
                return found
        head = chain.head
        key = self.taken or head.signing_key
        self._take(key, Remembered(key.fingerprint, head.bundle_id, head.statement_sha256))
        return list(doubts(chain, self.trust, whole=True))

    def _take(self, key: SigningKey, remembered: Remembered) -> None:
        self.taken = key
        self.trust = replace(self.trust, remembered=remembered, is_first_sight=True)
