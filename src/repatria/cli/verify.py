"""`verify`: is a bundle, with the chain it builds on, what it was."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import BundleArgument, EndpointOption, OnlyOption, ProfileOption, trust_of
from repatria.cli.damage import Damage
from repatria.cli.finding_counts import counted
from repatria.cli.frame import command
from repatria.cli.output import FINDING_WORDS, Column, Output
from repatria.cli.progress import shown_progress
from repatria.cli.quantity import number_text, size_text
from repatria.cli.runs import audited
from repatria.errors import UsageError
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.cli.context import OpenedBundle
    from repatria.settings import Settings
    from repatria.verify.dataset import DatasetCheck, Wish
    from repatria.verify.report import BundleResult, Verdict
    from repatria.verify.trust import Trust
    from repatria.work.state import StateFolder


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "verify", help=_("Check that a bundle, with those it builds on, is what it was; or any BagIt bag."))
    def verify(  # noqa: PLR0913 -- its options are the command's
        out: Output,
        bundle: BundleArgument,
        *,
        deep: Annotated[bool, typer.Option("--deep", help=_("Decrypt everything and compare every object."))] = False,
        identity: Annotated[
            list[Path] | None, typer.Option("-i", "--identity", metavar="FILE", help=_("Private key, for --deep."))
        ] = None,
        sample: Annotated[
            float | None,
            typer.Option("--sample", metavar="PERCENT", help=_("Read only so many of the volumes, at random.")),
        ] = None,
        signers: Annotated[
            Path | None, typer.Option("--signers", metavar="FILE", help=_("Allowed signers: these keys and no others."))
        ] = None,
        expect_head: Annotated[
            str | None,
            typer.Option("--expect-head", metavar="HASH", help=_("SHA-256 of a statement that must be in the chain.")),
        ] = None,
        only: OnlyOption = False,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        from repatria.cli.bag import foreign_bag, refuse_promises, verify_bag
        from repatria.cli.context import current_settings, identities, open_bundle
        from repatria.verify.dataset import DatasetCheck, Wish, parse_head
        from repatria.work.named_signers import keep_signers_file
        from repatria.work.overview import LastRuns, last_runs
        from repatria.work.state import StateFolder

        if sample is not None and not 0 < sample <= 100:
            raise UsageError(_("A sample is more than 0 and at most 100 percent."))
        settings = current_settings()
        foreign = foreign_bag(bundle, settings, endpoint, profile)
        if foreign is not None:
            refuse_promises(opened=deep or sample is not None, signed=bool(signers or expect_head))
            return verify_bag(out, foreign, bundle)
        opened = open_bundle(bundle, settings, endpoint=endpoint, profile=profile)
        wish = Wish(
            upto=opened.bundle_id,
            only=only,
            deep=deep,
            identities=identities(identity, settings) if deep else (),
            sample=sample,
            expect_head=None if expect_head is None else parse_head(expect_head),
        )
        state = StateFolder(settings.state)
        trust = trust_of(opened.dataset_id, settings, signers)
        with audited(out, settings, "verify", opened.dataset_id) as facts, shown_progress(out) as progress:
            tally = _run(out, DatasetCheck(opened.store, opened.dataset_id, trust, wish, progress))
            facts.update(code=tally.code, bundles=len(tally.results), findings=len(tally.verdicts), deep=int(deep))
            elsewhere = _is_elsewhere(settings, opened)
            facts.update(part=int(wish.is_part), elsewhere=int(elsewhere))
            repaired = last_runs(state).get(opened.dataset_id, LastRuns()).repaired
            tally.damage = Damage(opened.dataset_id, tally.results, len(tally.verdicts), repaired, elsewhere=elsewhere)
            facts.update(tally.damage.facts())
        tally.tell(out, opened.store.uri, opened.dataset_id, wish)
        if tally.code == 0 and not only:
            try:
                tally.remember(state, opened.dataset_id, trust)
                if signers is not None:
                    keep_signers_file(state, opened.dataset_id, signers)
            except UsageError as error:  # the verdict stands: only a bundle that is dropped later will not be noticed
                out.warn(error.message)
        return tally.code


def _is_elsewhere(settings: "Settings", opened: "OpenedBundle") -> bool:
    """Return whether what is verified lies elsewhere than where the dataset is copied to: a second copy of it."""
    from repatria.cli.places import remembered

    place = remembered(settings.state, opened.dataset_id)
    return place is not None and place.uri.rstrip("/") != opened.store.uri.rstrip("/")


def _run(out: Output, check: "DatasetCheck") -> "_Tally":
    from repatria.verify.report import BundleResult

    tally = _Tally()
    columns = (
        Column("bundle", _("Bundle")),
        Column("finished", _("Finished")),
        Column("files", _("Files"), "right"),
        Column("bytes", _("Size"), "right"),
        Column("signer", _("Signed by")),
        Column("result", _("Result"), wraps=True),
    )
    with out.table("bundle", columns) as table:
        for told in check.run():
            if isinstance(told, BundleResult):
                tally.results.append(told)
                table.add(_cells(told), **_fields(told))
            else:
                tally.verdicts.append(told)
                out.finding(told.finding)
    tally.is_being_rewrapped = bool(check.rewrapping.verdicts)
    tally.stranger = check.rewrapping.stranger
    return tally


def _cells(result: "BundleResult") -> tuple[str, ...]:
    return (
        result.bundle_id,
        result.finished,
        number_text(result.files),
        size_text(result.bytes),
        result.voucher or result.signer or "?",
        _word(result.verdicts),
    )


def _fields(result: "BundleResult") -> dict[str, object]:
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
    """Return the result of one bundle in words: `intact`, `2 altered, 1 missing`."""
    if not verdicts:
        return _(FINDING_WORDS["intact"])
    return counted(Counter(each.finding.kind for each in verdicts))


@dataclass(slots=True)
class _Tally:
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
            return _("NOT INTACT: {dataset}: {counts}.").format(dataset=dataset_id, counts=_word(self.verdicts))
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
        return ", ".join(dict.fromkeys(result.voucher or result.signer for result in self.results))

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
