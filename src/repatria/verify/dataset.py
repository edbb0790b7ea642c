"""Verifies a bundle with the chain it builds on: looks, judges, reads, and tells bundle by bundle."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from repatria.bundle import layout
from repatria.bundle.chain import Chain
from repatria.bundle.errors import NoBundleError
from repatria.bundle.files import BundleFolder
from repatria.bundle.reader import Bundle
from repatria.crypt.identity import Identity
from repatria.errors import RepatriaError, UsageError, worst
from repatria.i18n import _
from repatria.model import FindingKind
from repatria.progress import SILENT, Progress, Unit
from repatria.store.base import Store
from repatria.store.registry import public_uri
from repatria.verify.chain import bases_finished, check_head, check_links, check_name, check_signer, line_of
from repatria.verify.deep import DeepCheck
from repatria.verify.fixity import WORKERS, check_files, in_order
from repatria.verify.report import BundleResult, Verdict, altered, missing, unexpected, unverifiable
from repatria.verify.rewrapping import NONE, Rewrapping, look_for_rewrapping, unfinished
from repatria.verify.seen import Lying, Seen, examine, look
from repatria.verify.structure import Structure, check_structure, check_totals
from repatria.verify.trust import Trust


@dataclass(frozen=True, slots=True)
class Wish:
    """How far a verification goes."""

    upto: str | None = None
    """The bundle at the end of the chain; without one, the head."""
    only: bool = False
    """That bundle alone, without the chain below it."""
    deep: bool = False
    identities: Sequence[Identity] = ()
    sample: float | None = None
    """Percentage of the payload files to read; all without one."""
    expect_head: str | None = None
    """SHA-256 of a statement that must be in the chain, in hexadecimal."""
    workers: int = WORKERS

    @property
    def is_part(self) -> bool:
        """Whether files of the chain are left unread: that no damage is met then says nothing of them."""
        return self.sample is not None or self.only or self.upto is not None


@dataclass(slots=True)
class DatasetCheck:
    """One verification of one dataset; `run` may be called once."""

    store: Store
    dataset_id: str
    trust: Trust
    wish: Wish
    progress: Progress = SILENT
    rewrapping: Rewrapping = field(default=NONE, init=False)
    """The change of recipients that is under way, known once `run` has begun."""

    def run(self) -> Iterator[Verdict | BundleResult]:
        """Yield verdicts as they are found, and a result after each bundle, the oldest first.

        NoBundleError if there is no such bundle; StoreError if the store cannot be read; CryptError if the identities
        do not open a bundle that is to be opened.
        """
        lying = look(self.store, self.dataset_id)
        finished = self._finished(lying)
        latest = max((seen.genuine.finished for seen in finished if seen.genuine), default="")
        self.rewrapping = look_for_rewrapping(self.store, lying, self.dataset_id, self.trust, latest)
        finished = [replace(seen, verdicts=()) if self.rewrapping.touches(seen) else seen for seen in finished]
        line = line_of(finished, self.wish.upto, self.trust)
        of_chain = list(self._check_chain(lying, finished, line))
        yield from of_chain
        times = bases_finished(line)
        for seen in line[-1:] if self.wish.only else line:
            result = _blank_result(seen, lying.bundles[seen.bundle_id])
            if seen.statement is not None and seen.key is not None:
                result.voucher = self.trust.voucher(seen.key, seen.statement, times[seen.bundle_id])
            of_signer = check_signer(seen, self.trust, times[seen.bundle_id])
            result.verdicts += [each for each in of_chain if each.subject == seen.bundle_id]
            if self.rewrapping.touches(seen):
                yield from self._tell_pending(result)
            else:
                yield from self._check_bundle(seen, lying.bundles[seen.bundle_id], result, of_signer)
        if self.wish.deep and not self.wish.only and not of_chain:  # the totals of a broken chain say nothing new
            yield from self._check_standing(line)

    def _finished(self, lying: Lying) -> list[Seen]:
        ids = lying.finished()
        if not ids or (self.wish.upto is not None and self.wish.upto not in ids):
            raise NoBundleError(
                _("There is no finished bundle {wanted} in {store}.").format(
                    wanted="@".join(filter(None, (self.dataset_id, self.wish.upto))), store=public_uri(self.store.uri)
                ),
                advice=_("`repatria bundles` lists what is there; an unfinished bundle is finished by its next run."),
            )
        if self.wish.only:
            ids = [self.wish.upto or ids[-1]]

        def look_into(bundle_id: str) -> Seen:
            return examine(self._folder(bundle_id), lying.bundles[bundle_id])

        return list(in_order(look_into, ids, workers=self.wish.workers, window=2 * self.wish.workers))

    def _check_chain(self, lying: Lying, finished: Sequence[Seen], line: Sequence[Seen]) -> Iterator[Verdict]:
        yield from self.rewrapping.verdicts
        if self.wish.only:
            yield from check_name(line[-1])
            yield from check_head(line, Trust(), self.wish.expect_head, whole=False)
            return
        yield from check_links(line, finished, self.wish.upto, being_rewrapped=self.rewrapping.is_said)
        whole = line[-1].bundle_id == finished[-1].bundle_id or self.wish.upto is None
        yield from check_head(line, self.trust, self.wish.expect_head, whole=whole)
        for path in lying.stray:
            yield unexpected(path, _("It belongs to no bundle of this dataset."))
        for bundle_id in lying.unfinished():
            if layout.STATEMENT_SIGNATURE in lying.bundles[bundle_id]:
                yield missing(
                    f"{bundle_id}/{layout.TAGMANIFEST}",
                    _("The bundle is signed but lacks its last file: a run was stopped there, or it was removed."),
                )

    def _tell_pending(self, result: BundleResult) -> Iterator[Verdict | BundleResult]:
        """Judge nothing of a bundle in which old and new files lie side by side: `rewrap` proves each as it goes on."""
        verdict = unfinished(result.bundle_id)
        result.verdicts = [verdict]
        yield verdict
        yield result

    def _check_bundle(
        self, seen: Seen, files: dict[str, int], result: BundleResult, of_signer: Iterator[Verdict]
    ) -> Iterator[Verdict | BundleResult]:
        structure = check_structure(seen, files)
        chosen = self._choose(structure.digests)
        self.progress.start(
            _("Verifying {bundle}").format(bundle=seen.bundle_id), sum(files[path] for path in chosen), Unit.BYTES
        )
        checks = (
            seen.verdicts,
            structure.verdicts,
            of_signer,
            check_totals(seen, files) if len(chosen) < len(structure.digests) else (),
        )
        for verdict in self.rewrapping.softened(seen, chain.from_iterable(checks)):
            result.verdicts.append(verdict)
            yield verdict
        said = {each.subject: each.code for each in result.verdicts}
        for verdict in self.rewrapping.softened(seen, self._read(seen, structure, chosen, result)):
            earlier = said.get(verdict.subject)
            if earlier is None or worst((earlier, verdict.code)) != earlier:  # else as much was said of it already
                result.verdicts.append(verdict)
                yield verdict
        self.progress.finish()
        result.files_read = len(chosen)
        yield result

    def _read(
        self, seen: Seen, structure: Structure, chosen: frozenset[str], result: BundleResult
    ) -> Iterator[Verdict]:
        """Read the payload files that were chosen; deep where that was wished and the statement is authentic.

        Nothing is decrypted where a header may be new by a stranger's word: what is wrong looks the same there.
        """
        if self.wish.deep and seen.genuine is not None and not self.rewrapping.may_touch(seen):
            bundle = Bundle(self.store, self.dataset_id, seen.bundle_id, self.wish.identities)
            try:
                check = DeepCheck(bundle, structure.digests, chosen, self.progress)
                yield from check.run()
                result.objects_read = check.objects_read
            finally:
                bundle.close()
            return
        wanted = {path: structure.digests[path] for path in sorted(chosen)}
        folder = self._folder(seen.bundle_id)
        for verdict in check_files(folder, wanted, workers=self.wish.workers, progress=self.progress):
            if structure.digests_are_signed or verdict.finding.kind is not FindingKind.ALTERED:
                yield verdict
            else:
                yield unverifiable(verdict.subject, _("It is not what the manifest says, and nobody signed for that."))

    def _choose(self, digests: dict[str, bytes]) -> frozenset[str]:
        """Return the payload files to read: indexes always, volumes as far as the sample goes, at least one."""
        share = self.wish.sample
        volumes = [path for path in digests if layout.VOLUME.match(path)]
        if share is None or not volumes:
            return frozenset(digests)
        count = min(len(volumes), max(1, round(len(volumes) * share / 100)))
        drawn = secrets.SystemRandom().sample(volumes, count)
        return frozenset(drawn) | {path for path in digests if layout.INDEX.match(path)}

    def _check_standing(self, line: Sequence[Seen]) -> Iterator[Verdict]:
        """Compare the totals of the last statement with the dataset as its chain has it."""
        last = line[-1].genuine
        if last is None:
            return
        standing = Chain([Bundle(self.store, self.dataset_id, seen.bundle_id, self.wish.identities) for seen in line])
        objects = size = 0
        try:
            for _bundle, row in standing.objects():
                objects += 1
                size += row.size
        except RepatriaError:
            return  # what cannot be read was said bundle by bundle
        finally:
            standing.close()
        if (objects, size) != (last.totals.objects, last.totals.bytes):
            yield altered(
                f"{last.bundle}/{layout.STATEMENT}", _("Its totals are not those of the dataset as its chain has it.")
            )

    def _folder(self, bundle_id: str) -> BundleFolder:
        return BundleFolder(self.store, self.dataset_id, bundle_id)


def _blank_result(seen: Seen, files: dict[str, int]) -> BundleResult:
    payload = [size for path, size in files.items() if path.startswith(layout.PAYLOAD_FOLDER)]
    result = BundleResult(seen.bundle_id, files=len(payload), bytes=sum(payload))
    result.statement_sha256 = seen.statement_sha256
    if seen.key is not None:
        result.signer = seen.key.fingerprint
    if seen.genuine is not None:
        result.finished = seen.genuine.finished
        result.is_full = seen.genuine.kind == "full"
        result.not_copied = len(seen.genuine.findings)
        result.objects = seen.genuine.objects.count
        result.rewrapped = seen.genuine.replaces.rewrapped if seen.genuine.replaces else ""
    return result


def parse_head(text: str) -> str:
    """Return the hash after `--expect-head`; UsageError unless it is a SHA-256 in hexadecimal."""
    head = text.strip().lower()
    if len(head) != 64 or set(head) - set("0123456789abcdef"):
        raise UsageError(
            _("{text} is not the hash of a statement: 64 hexadecimal digits.").format(text=text),
            advice=_("`repatria verify` prints it; so does `sha256sum statement.json` of the latest bundle."),
        )
    return head
