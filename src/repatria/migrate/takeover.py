"""Taking over a dataset from a machine that is gone: what lies at the target, whose it is, what can be gone on with.

`Takeover.look` changes nothing but one thing: a bundle that is signed and lacks only its last file is given that file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from repatria.bundle import layout
from repatria.bundle.chain import Chain
from repatria.bundle.errors import NoBundleError
from repatria.bundle.files import BundleFolder
from repatria.crypt.identity import Identity
from repatria.errors import UsageError
from repatria.i18n import _
from repatria.progress import SILENT, Progress
from repatria.store.base import Store
from repatria.verify.first_sight import FirstSight
from repatria.verify.report import Verdict
from repatria.work.adopting import Adoption
from repatria.work.journal import Journal
from repatria.work.lying import LyingBundle, SignedCheckpoint, finish_signed, latest_checkpoint, lying_bundles
from repatria.work.settling import Head
from repatria.work.signed_indexes import DamagedFileError
from repatria.work.state import Remembered
from repatria.work.taken_over import NotTaken, Obstacle, TakenOver


@dataclass(slots=True)
class Takeover:
    """What lies at a target, for a machine that does not know it."""

    target: Store
    dataset_id: str
    sight: FirstSight
    identities: Sequence[Identity]
    """Empty: only the chain's head can be known again."""
    chain: Chain | None = None
    verdicts: Sequence[Verdict] = ()
    """What makes the chain doubtful: with any, nothing may be taken over."""
    unfinished: list[LyingBundle] = field(default_factory=list)
    """Bundles after the chain's head, the latest last."""
    signed: SignedCheckpoint | None = None
    """How far the latest of them can be believed."""

    @classmethod
    def look(cls, target: Store, dataset_id: str, sight: FirstSight, identities: Sequence[Identity]) -> Self:
        """Look at everything that lies there; UsageError (2) if nothing does, BundleError if the chain is broken."""
        found = cls(target, dataset_id, sight, identities)
        found._look()
        if found.chain is None and not found.unfinished:
            raise UsageError(
                _("There is no bundle of {dataset} at the target.").format(dataset=dataset_id),
                advice=_(
                    "Check the target's URI. If nothing was copied yet, begin with: repatria copy {dataset}"
                ).format(dataset=dataset_id),
            )
        return found

    @property
    def head(self) -> Head | None:
        """The latest finished bundle."""
        return Head(self.chain.head.bundle_id, self.chain.head.statement_sha256) if self.chain else None

    @property
    def latest(self) -> LyingBundle | None:
        """The unfinished bundle that may be gone on with."""
        return self.unfinished[-1] if self.unfinished else None

    @property
    def is_archive(self) -> bool:
        """Whether the chain holds documents: what is no longer in the scans' folder still belongs to it."""
        return self.chain is not None and self.chain.head.statement.documents.next > 1

    def is_known_to(self, journal: Journal) -> bool:
        """Return whether a journal already tells all this, and more."""
        head = self.head
        known = head is not None and (journal.fact("head_bundle"), journal.fact("head_statement")) == (
            head.bundle,
            head.statement_sha256,
        )
        if not known or journal.fact("catalogue_lost"):
            return False
        own = Adoption(journal).unfinished_bundle()
        return not self.unfinished or own in {bundle.bundle_id for bundle in self.unfinished}

    def fill(self, journal: Journal, progress: Progress = SILENT) -> TakenOver | NotTaken | None:
        """Make a journal know all this, whole or not at all; return what became of the unfinished bundle.

        None if there is none, or none that may be gone on with.
        """
        adoption = Adoption(journal, progress)
        if self.latest is not None and self.signed is not None and self.identities:
            try:
                with journal.transaction():
                    adoption.know_chain(self.chain, objects=True)
                    return adoption.take_over(self.target, self.latest, self.signed, self.identities)
            except DamagedFileError as error:
                result = NotTaken(self.latest.bundle_id, error.file, Obstacle.DAMAGED)
        else:
            result = None
        with journal.transaction():
            adoption.know_chain(self.chain, objects=bool(self.identities))
        return result

    def remembered(self) -> Remembered | None:
        """Return what the state folder is to remember of the chain."""
        if self.chain is None:
            return None
        head = self.chain.head
        return Remembered(head.signing_key.fingerprint, head.bundle_id, head.statement_sha256)

    def close(self) -> None:
        """Close the chain; the target stays open."""
        if self.chain is not None:
            self.chain.close()

    def _look(self) -> None:
        lying = lying_bundles(self.target, self.dataset_id)
        try:
            self.chain = Chain.load(self.target, self.dataset_id, identities=self.identities)
        except NoBundleError:
            self.chain = None
        if self.chain is not None:
            self.verdicts = self.sight.judged(self.chain)
            if self.verdicts:
                return
        after = self.head.bundle if self.head else ""
        self.unfinished = [bundle for bundle in lying if not bundle.is_finished and bundle.bundle_id > after]
        if self.latest is None:
            return
        folder = BundleFolder(self.target, self.dataset_id, self.latest.bundle_id)
        previous = self.head.statement_sha256 if self.head else None
        if finish_signed(folder, self.latest.files, previous, self.sight.knows):
            self.close()
            self._look()
        elif layout.STATEMENT not in self.latest.files:
            signed = latest_checkpoint(folder, self.sight.knows)
            follows = signed is not None and self._follows(signed)
            self.signed = signed if follows else None

    def _follows(self, signed: SignedCheckpoint) -> bool:
        previous = signed.checkpoint.previous
        if previous is None or self.chain is None:
            return previous is None and self.chain is None
        return previous.bundle == self.chain.head.bundle_id and self.chain.head.stands_for(previous.sha256)
