"""`verify`: is a bundle, with the chain it builds on, what it was."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import BundleArgument, EndpointOption, OnlyOption, ProfileOption, trust_of
from repatria.cli.damage import Damage
from repatria.cli.frame import command
from repatria.cli.output import Column, Output
from repatria.cli.progress import shown_progress
from repatria.cli.runs import audited
from repatria.cli.verify_report import Tally, cells, fields
from repatria.errors import UsageError
from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.cli.context import OpenedBundle
    from repatria.settings import Settings
    from repatria.verify.dataset import DatasetCheck


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
            tally.damage = Damage(
                opened.dataset_id, tally.results, len(tally.verdicts), repaired, deep=deep, elsewhere=elsewhere
            )
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


def _run(out: Output, check: "DatasetCheck") -> Tally:
    from repatria.verify.report import BundleResult

    tally = Tally()
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
                table.add(cells(told), **fields(told))
            else:
                tally.verdicts.append(told)
                out.finding(told.finding)
    tally.is_being_rewrapped = bool(check.rewrapping.verdicts)
    tally.stranger = check.rewrapping.stranger
    return tally
