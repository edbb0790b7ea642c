"""What this machine knows of a dataset's chain: its head, and the catalogue that the head left."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from repatria.bundle import layout
from repatria.bundle.statement import SourceFacts
from repatria.crypt.recipient import Recipient
from repatria.errors import UsageError
from repatria.i18n import _
from repatria.work.beginning import Beginning
from repatria.work.catalogue import Catalogue
from repatria.work.journal import Journal
from repatria.work.settling import Head
from repatria.work.unfinished import Unfinished


@dataclass(frozen=True, slots=True)
class ChainMemory:
    """The journal's facts on the finished chain."""

    journal: Journal
    catalogue: Catalogue
    unfinished: Unfinished

    def head(self) -> Head | None:
        """Return the last bundle that was finished from here."""
        bundle, statement = self.journal.fact("head_bundle"), self.journal.fact("head_statement")
        return Head(bundle, statement) if bundle and statement else None

    def statement_of(self, bundle: str) -> str | None:
        """Return the SHA-256 of the statement by which the head, or a bundle that is being finished, is known."""
        head, beginning = self.head(), self.unfinished.beginning()
        if head is not None and head.bundle == bundle:
            return head.statement_sha256
        return self.journal.fact("finishing") if beginning is not None and beginning.bundle == bundle else None

    def follow(self, found: Head) -> None:
        """Know a bundle by the statement that took the place of the one known: its recipients were changed."""
        head = self.head()
        with self.journal.transaction():
            if head is not None and head.bundle == found.bundle:
                self.journal.set_facts(head_statement=found.statement_sha256)
                # What was begun names the old statement and the old recipients, and nothing of it came to the target:
                # no bundle there was unfinished when they changed. It is begun again, and loses nothing that was sent.
                self.unfinished.clear()
            else:
                self.unfinished.outbox.clear()  # what waited is at the target, under newer bytes
                self.journal.set_facts(finishing=found.statement_sha256)

    def moved_sources(self, sources: Sequence[SourceFacts]) -> list[tuple[str, str]]:
        """Return (before, now) for each source that lay elsewhere when the head was finished."""
        before = dict(json.loads(self.journal.fact("head_sources") or "[]"))
        return [(uri, each.uri) for each in sources if (uri := before.get(each.name, each.uri)) != each.uri]

    def new_beginning(self, recipients: Sequence[Recipient]) -> Beginning:
        """Return the beginning of a bundle that follows the head."""
        head, now = self.head(), datetime.now(UTC)
        return Beginning(
            bundle=layout.new_bundle_id(now, after=head.bundle if head else None),
            started=layout.rfc3339(now),
            recipients=recipient_texts(recipients),
            previous_bundle=head.bundle if head else None,
            previous_sha256=head.statement_sha256 if head else None,
            anew=self.journal.fact("catalogue_lost") is not None,
        )

    def is_finishing(self) -> bool:
        """Return whether the files that finish the unfinished bundle are on their way already."""
        return self.journal.fact("finishing") is not None

    def require_finishing(self, dataset_id: str) -> None:
        """Refuse to go on with a bundle that is finished at the target, if this machine never came so far.

        So it is when an old copy of the state folder was brought back: nothing may be added to that bundle.
        """
        if not self.is_finishing():
            raise UsageError(
                _("A bundle of {dataset} is finished at the target, and has only begun by this state folder.").format(
                    dataset=dataset_id
                ),
                advice=_("This is an old copy of the state folder: bring back the latest one. Nothing was done."),
            )

    def finishing(self, files: dict[str, bytes], statement_sha256: str) -> None:
        """Send the files that finish the bundle on their way; nothing can be added to it from now on."""
        with self.journal.transaction():
            self.unfinished.outbox.post(files)
            self.journal.set_facts(finishing=statement_sha256)

    def commit(self, bundle: str, uri: str, sources: Sequence[SourceFacts]) -> Head:
        """Make the bundle, finished at the target, the head: the catalogue takes in what it holds."""
        head = Head(bundle, self.journal.fact("finishing") or "")
        with self.journal.transaction():
            self.catalogue.commit()
            standing = self.catalogue.finished()
            self.journal.set_facts(
                head_bundle=head.bundle,
                head_statement=head.statement_sha256,
                head_finished=layout.rfc3339(datetime.now(UTC)),
                head_objects=standing.objects,
                head_bytes=standing.bytes,
                head_uri=uri,
                head_sources=json.dumps([[each.name, each.uri] for each in sources]),
                catalogue_lost=None,
            )
            self.unfinished.clear()
        return head


def recipient_texts(recipients: Sequence[Recipient]) -> tuple[str, ...]:
    """Return recipients as statements name them."""
    return tuple(str(recipient) for recipient in recipients)
