"""Changes who can open a whole chain: every header is written anew, no payload is touched.

The order is `rewrap_plan`'s. Whatever interrupts, the next run with the same recipients goes on from what lies at the
target, on any machine. It is no revocation: what was copied away before, or is kept as an older version, opens as ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from repatria.bundle import layout
from repatria.bundle.chain import Chain
from repatria.bundle.errors import BrokenChainError
from repatria.bundle.files import list_bundles
from repatria.bundle.reader import Bundle
from repatria.bundle.rewrap_record import BundleToRewrap, RewrapRecord, fetch_record, heads_path, parse_heads
from repatria.bundle.statement import MAX_DOCUMENT
from repatria.crypt.errors import HeadChangedError
from repatria.crypt.recipient import Recipient, check_recipients
from repatria.crypt.sshsig import Signer
from repatria.errors import NotFoundError, UnknownSignerError, UsageError
from repatria.i18n import _
from repatria.progress import SILENT, Progress, Unit
from repatria.store.base import Store
from repatria.work.patience import Patience
from repatria.work.rewrap_closing import Closing, Trusts
from repatria.work.rewrap_heads import HeadsCheck, Preparation
from repatria.work.rewrap_plan import Stage, removing_order, stage_of
from repatria.work.rewrap_site import RewrapSite, aside_folder
from repatria.work.rewrap_volumes import VolumeRewrapper
from repatria.work.stoppable import StoppableStore

_PROBE = f"{layout.REWRAP_FOLDER}probe"


@dataclass(slots=True)
class RewrapResult:
    """What one run did."""

    head: str
    """Bundle id of the chain's head, and the SHA-256 of its statement now."""
    statement_sha256: str
    bundles: int = 0
    """Bundles that this run brought to their end; 0 if there was nothing to do."""
    volumes: int = 0
    bytes: int = 0
    resumed: bool = False
    """Whether it went on with what an earlier run had begun."""


@dataclass(frozen=True, slots=True)
class _Todo:
    """A bundle that is not at its end."""

    entry: BundleToRewrap
    stage: Stage
    bundle: Bundle


class Rewrap:
    """One change of recipients; the dataset's lock is held, and the signers of the chain are known to the caller."""

    def __init__(
        self,
        target: Store,
        chain: Chain,
        *,
        recipients: Sequence[Recipient],
        signer: Signer,
        trusts: Trusts,
        patience: Patience,
        progress: Progress = SILENT,
    ) -> None:
        check_recipients(recipients)
        self._chain = chain
        self._recipients = tuple(recipients)
        self._signer = signer
        latest = max(bundle.statement.finished for bundle in chain.bundles)
        self._trusts: Trusts = lambda key, signed_at: trusts(key, max(signed_at, latest))  # no change came before it
        self._patience = patience
        self._progress = progress
        self._site = RewrapSite(StoppableStore(target, patience.stop), chain.head.dataset_id, patience)
        self._result = RewrapResult(chain.head.bundle_id, chain.head.statement_sha256)

    def run(self) -> RewrapResult:
        """Bring the whole chain to the recipients, from wherever an earlier run left it.

        Before anything is touched: UsageError (2) for an unfinished bundle at the end, or another change under way;
        NoMatchError (6) if the identities do not open everything; StoreError (5) if the target cannot replace files.
        Later: FoundError (1) for files that are not what was signed, StoppedError (8) if it was stopped.
        """
        self._refuse_unfinished()
        record = self._record_under_way()
        if record is None:
            self._remove_what_lies_aside()
            if self._is_done_already():
                return self._result
            self._try_target()
            record = self._preparation.run()
        todo = self._todo(record)
        self._progress.start(_("Rewrapping"), sum(each.bundle.statement.volumes.bytes for each in todo), Unit.BYTES)
        base_sha256: str | None = None
        for entry, bundle in zip(record.bundles, self._chain.bundles, strict=True):
            unfinished = next((each for each in todo if each.entry is entry), None)
            base_sha256 = self._finish(unfinished, record, base_sha256) if unfinished else bundle.statement_sha256
        self._result.statement_sha256 = base_sha256 or ""
        self._site.remove(layout.signature_path(layout.REWRAP))
        self._site.remove(layout.REWRAP)
        self._site.remove_empty_folders()
        self._progress.finish()
        return self._result

    def _refuse_unfinished(self) -> None:
        """Raise UsageError if a bundle is being made after the head: it names the head as it is now."""
        listed = list_bundles(self._site.store, self._site.dataset_id)
        later = [bundle for bundle in listed.unfinished if bundle > self._chain.head.bundle_id]
        if later:
            raise UsageError(
                _("The bundle {bundle} of {dataset} is unfinished. Nothing was done.").format(
                    bundle=later[-1], dataset=self._site.dataset_id
                ),
                advice=_("Finish it first: run its `repatria copy` or `repatria ocr` again, then this command."),
            )

    def _record_under_way(self) -> RewrapRecord | None:
        """Return the record of the change under way, None if there is none; it must be this very change."""
        found = fetch_record(self._site.store, self._site.dataset_id)
        if found is None:
            return None
        record = found.record
        if not self._trusts(found.key, record.started):
            raise UnknownSignerError(
                _("Recipients are being changed by somebody whose key nobody vouches for: {key}.").format(
                    key=found.key.fingerprint
                ),
                advice=_("Name those who may sign with --signers FILE, or ask who has access to the store."),
            )
        if set(record.recipients) != {str(each) for each in self._recipients}:
            raise UsageError(
                _("A change to other recipients is not finished. {change} Nothing was done.").format(change=found.told),
                advice=_(
                    "If you know them and that key, finish it first: the same command with those recipients. Else ask"
                    " who has access to the store."
                ),
            )
        if [entry.bundle for entry in record.bundles] != [bundle.bundle_id for bundle in self._chain.bundles]:
            raise BrokenChainError(
                _("The chain of {dataset} is not the one whose recipients were being changed.").format(
                    dataset=self._site.dataset_id
                ),
                advice=_("Bundles were added or removed meanwhile: `repatria verify` names them."),
            )
        self._result.resumed = True
        self._progress.say(_("Going on with a change of recipients. {change}").format(change=found.told))
        return record

    def _is_done_already(self) -> bool:
        wanted = {str(each) for each in self._recipients}
        return all(set(bundle.statement.recipients) == wanted for bundle in self._chain.bundles)

    def _remove_what_lies_aside(self) -> None:
        """Remove what is left of a preparation that was cut off, or of the very end of an earlier change.

        Where files were touched, the record's signature was lost, and with what lies aside the change can still be
        brought to its end: FoundError, and nothing is removed.
        """
        aside = self._site.all_aside()
        if aside:
            self._preparation.require_untouched()
        for path in [*aside, layout.REWRAP]:
            self._site.remove(path)

    @property
    def _preparation(self) -> Preparation:
        return Preparation(self._site, self._chain.bundles, self._recipients, self._signer, self._progress)

    def _try_target(self) -> None:
        """Replace and remove a file of our own: RefusedError where rights are missing or a lock is in the way."""
        self._site.put(_PROBE, b"1\n")
        try:
            self._site.replace(_PROBE, [b"2\n"], 2, sha256(b"2\n").digest())
        finally:
            self._site.remove(_PROBE)

    def _todo(self, record: RewrapRecord) -> list[_Todo]:
        """Return the bundles that are not at their end; NoMatchError unless the identities open what must be opened."""
        todo = []
        for entry, bundle in zip(record.bundles, self._chain.bundles, strict=True):
            replaces = bundle.statement.replaces
            stage = stage_of(
                entry,
                bundle.statement_sha256,
                replaces.sha256 if replaces else None,
                self._site.aside(entry.bundle),
            )
            if stage is Stage.COMMITTED and self._is_as_it_was(entry, bundle):
                stage = Stage.VOLUMES  # nothing of what lies aside is needed: who put it there need not be believed
            elif stage is Stage.VOLUMES and self._result.resumed:
                bundle.indexes()
                bundle.close()
            if stage is not Stage.DONE:
                todo.append(_Todo(entry, stage, bundle))
        return todo

    def _is_as_it_was(self, entry: BundleToRewrap, bundle: Bundle) -> bool:
        """Return whether no file of a committed bundle was replaced yet, indexes being the first."""
        if bundle.statement_sha256 != entry.statement:
            return False
        try:
            bundle.indexes()
        except (HeadChangedError, NotFoundError):
            return False
        finally:
            bundle.close()
        return True

    def _finish(self, todo: _Todo, record: RewrapRecord, base_sha256: str | None) -> str:
        """Bring one bundle to its end and return the SHA-256 of its statement now."""
        entry, bundle = todo.entry, todo.bundle
        closing = Closing(self._site, record, self._recipients, self._signer, self._trusts)
        statement_sha256 = bundle.statement_sha256
        if todo.stage is Stage.VOLUMES:
            self._replace_volumes(entry, bundle, closing, base_sha256)
            statement_sha256 = closing.install(entry, bundle, base_sha256)
        elif todo.stage is Stage.COMMITTED:
            bring = partial(self._bring_volumes, entry)
            statement_sha256 = closing.install(entry, bundle, base_sha256, bring)
        for path in removing_order(self._site.aside(entry.bundle)):
            self._site.remove(aside_folder(entry.bundle) + path)
        self._result.bundles += 1
        return statement_sha256

    def _bring_volumes(self, entry: BundleToRewrap, manifest: Mapping[str, bytes]) -> None:
        """Make volumes what the new manifest says, where old ones were brought back from a second copy meanwhile."""
        rewrapper = VolumeRewrapper(self._site, entry.bundle, self._progress, manifest)
        for number in range(1, len(entry.heads) + 1):
            data = bytes(self._site.read(heads_path(entry.bundle, number), MAX_DOCUMENT))
            rewrapper.run(parse_heads(data, self._site.dataset_id, entry, number))

    def _replace_volumes(
        self, entry: BundleToRewrap, bundle: Bundle, closing: Closing, base_sha256: str | None
    ) -> None:
        check = HeadsCheck(bundle)
        rewrapper = VolumeRewrapper(self._site, entry.bundle, self._progress)
        volumes = {}
        for number in range(1, len(entry.heads) + 1):
            path = heads_path(entry.bundle, number)
            data = bytes(self._site.read(path, MAX_DOCUMENT))
            heads = parse_heads(data, self._site.dataset_id, entry, number)
            check.take(heads)
            volumes.update({made.number: made for made in rewrapper.run(heads)})
            self._result.bytes += sum(each.size for each in heads)
        check.finish()
        self._result.volumes += len(volumes)
        closing.stage(bundle, volumes, base_sha256)
