"""What `verify` says: a row for each bundle, and the sentence at the end."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from repatria.cli.damage import Damage
from repatria.cli.finding_counts import counted
from repatria.cli.output import FINDING_WORDS, Output
from repatria.cli.quantity import number_text, size_text
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.verify.dataset import Wish
    from repatria.verify.report import BundleResult, Verdict
    from repatria.verify.trust import Trust
    from repatria.work.state import StateFolder


def cells(result: "BundleResult") -> tuple[str, ...]:
    """Return the row of a bundle."""
    return (
        result.bundle_id,
        result.finished,
        number_text(result.files),
        size_text(result.bytes),
        result.voucher or result.signer or "?",
        _word(result.verdicts),
    )


def fields(result: "BundleResult") -> dict[str, object]:
    """Return the same for `--json`."""
    return {
        "bundle": result.bundle_id,
        "finished": result.finished or None,
        "files": result.files,
        "bytes": result.bytes,
        "files_read": result.files_read,
        "objects": result.objects,
        "objects_read": result.objects_read,
        "signer": result.signer or None,
        "vouched_by": result.voucher,
        "rewrapped": {"time": result.rewrapped, "signer": result.signer} if result.rewrapped else None,
        "statement_sha256": result.statement_sha256 or None,
        "result": result.verdicts[0].finding.kind if result.verdicts else "intact",
        "code": result.code,
    }


def _word(verdicts: "list[Verdict]") -> str:
    """Return a result in words: `intact`, `2 altered, 1 missing`; objects are told apart from files."""
    if not verdicts:
        return _(FINDING_WORDS["intact"])
    files, objects = _kinds(verdicts, of_objects=False), _kinds(verdicts, of_objects=True)
    if not objects:
        return counted(files)
    if not files:
        return _("objects: {objects}").format(objects=counted(objects))
    return _("files: {files}; objects: {objects}").format(files=counted(files), objects=counted(objects))


def _kinds(verdicts: "list[Verdict]", *, of_objects: bool) -> Counter[str]:
    return Counter(str(each.finding.kind) for each in verdicts if (each.object is not None) == of_objects)


@dataclass(slots=True)
class Tally:
    """What one verification found."""

    results: "list[BundleResult]" = field(default_factory=list)
    verdicts: "list[Verdict]" = field(default_factory=list)
    damage: Damage = field(init=False)
    """Known once all was looked at."""
    is_being_rewrapped: bool = False
    """Its recipients are being changed: what is under way was not judged."""
    stranger: str = ""
    """Fingerprint of who changes them, if nobody vouches for that key."""

    @property
    def code(self) -> int:
        """The exit code."""
        from repatria.verify.report import worst_code

        return worst_code(self.verdicts)

    def tell(self, out: Output, store_uri: str, dataset_id: str, wish: "Wish") -> None:
        """Write the one sentence at the end, and the summary."""
        from repatria.store.registry import join, public_uri

        head = self.results[-1]
        uri = join(public_uri(store_uri), f"{dataset_id}/{head.bundle_id}")
        for sentence in self._changes():
            out.text(sentence)
        out.text(self._sentence(dataset_id, wish))
        kinds = Counter(str(each.finding.kind) for each in self.verdicts)
        out.summary(
            bundle=uri,
            next=None if self.code == 0 else self._advice(),
            head=head.statement_sha256 or None,
            bundles=len(self.results),
            files=sum(result.files for result in self.results),
            files_read=sum(result.files_read for result in self.results),
            bytes=sum(result.bytes for result in self.results),
            objects=sum(result.objects for result in self.results),
            objects_read=sum(result.objects_read for result in self.results),
            findings=dict(kinds),
            findings_of_objects=dict(_kinds(self.verdicts, of_objects=True)),
        )
        if self.code == 0:
            out.say(_("Head: {hash}").format(hash=head.statement_sha256))
        else:
            out.say(self._advice())

    def _changes(self) -> Iterator[str]:
        """Yield who changed recipients, and of how many bundles: as a rule one key, all of the chain at once."""
        latest: dict[str, str] = {}
        for result in self.results:
            if result.rewrapped:
                latest[result.signer] = max(result.rewrapped, latest.get(result.signer, ""))
        for signer, time in latest.items():
            count = sum(bool(result.rewrapped) and result.signer == signer for result in self.results)
            yield ngettext(
                "Recipients changed on {time} by {signer}: {count} bundle.",
                "Recipients changed on {time} by {signer}: {count} bundles.",
                count,
            ).format(time=time, signer=signer, count=number_text(count))

    def _sentence(self, dataset_id: str, wish: "Wish") -> str:
        if self.code == 3:
            return self._unverifiable()
        if self.code != 0:
            sentence = _("NOT INTACT: {dataset}: {counts}.").format(dataset=dataset_id, counts=_word(self.verdicts))
            return f"{sentence} {self._objects_intact()}" if wish.deep else sentence
        files, read = sum(each.files for each in self.results), sum(each.files_read for each in self.results)
        size = size_text(sum(each.bytes for each in self.results))
        if read < files:
            return _(
                "Sample only: {read} of {files} files of {dataset}, drawn at random, were read and are intact; "
                "the others are there. Signed by {signer}."
            ).format(read=number_text(read), files=number_text(files), dataset=dataset_id, signer=self._signer())
        sentence = ngettext(
            "Intact: {dataset}, {count} bundle, {files} files, {size}, every file read. Signed by {signer}.",
            "Intact: {dataset}, {count} bundles, {files} files, {size}, every file read. Signed by {signer}.",
            len(self.results),
        ).format(
            dataset=dataset_id,
            count=number_text(len(self.results)),
            files=number_text(files),
            size=size,
            signer=self._signer(),
        )
        if not wish.deep:
            return sentence
        objects = sum(each.objects_read for each in self.results)
        return f"{sentence} {_('Every object decrypted and compared: {count}.').format(count=number_text(objects))}"

    def _objects_intact(self) -> str:
        count = sum(each.objects for each in self.results)
        return ngettext(
            "Decrypted, compared and intact: {read} of {count} object.",
            "Decrypted, compared and intact: {read} of {count} objects.",
            count,
        ).format(read=number_text(sum(each.objects_read for each in self.results)), count=number_text(count))

    def _unverifiable(self) -> str:
        if self.stranger:
            return _(
                "Recipients are being changed with the key {key}, for which nobody vouches: what does not match may be"
                " new or altered, and this is not called intact."
            ).format(key=self.stranger)
        if self.is_being_rewrapped:
            return _("The recipients are being changed: until that has come to its end, this is not called intact.")
        return _("What was signed is unchanged, but not everything could be verified: this is not called intact.")

    def _signer(self) -> str:
        """Return who signed, and by which key: its fingerprint as `ssh-keygen -l` shows it."""
        signers = dict.fromkeys((result.voucher, result.signer) for result in self.results)
        return ", ".join(f"{voucher} ({signer})" if voucher else signer for voucher, signer in signers)

    def _advice(self) -> str:
        if self.code == 3 and self.stranger:
            return _(
                "If you know that key, verify again with --signers FILE that names it, and run the same `repatria"
                " rewrap` again, to its end. Else ask who has access to the store; bring nothing back before."
            )
        if self.code == 3 and self.is_being_rewrapped:
            return _("Run the same `repatria rewrap` again, to its end, then verify again.")
        if self.code == 3:
            return _("Get the signer's line from the signer, by another way, and verify again with --signers FILE.")
        return self.damage.advice()

    def remember(self, state: "StateFolder", dataset_id: str, trust: "Trust") -> None:
        """Keep the head and signer of a chain that was verified whole, so that a dropped bundle is noticed later."""
        from repatria.work.state import Remembered

        head, known = self.results[-1], trust.remembered
        if known is None or known.bundle <= head.bundle_id:
            state.remember(dataset_id, Remembered(head.signer, head.bundle_id, head.statement_sha256))
