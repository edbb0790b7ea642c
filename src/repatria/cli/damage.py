"""What `verify` says and remembers of damaged files: how many, in which bundles, and what may bring them back."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from repatria.i18n import _
from repatria.model import FindingKind

if TYPE_CHECKING:
    from repatria.verify.report import BundleResult


def damaged_files(results: "Iterable[BundleResult]") -> dict[str, int]:
    """Return how many files are altered or missing, by bundle; only bundles that have such files."""
    kinds = (FindingKind.ALTERED, FindingKind.MISSING)
    counts = {each.bundle_id: sum(one.finding.kind in kinds for one in each.verdicts) for each in results}
    return {bundle: count for bundle, count in counts.items() if count}


def damage_facts(results: "Iterable[BundleResult]") -> dict[str, str | int]:
    """Return what the audit log keeps of the damage: what `status` advises comes from there."""
    damaged = damaged_files(results)
    return {"damaged": sum(damaged.values()), "damaged_bundle": next(iter(damaged), "")}


def damage_advice(dataset_id: str, results: "Iterable[BundleResult]", repaired: Mapping[str, str]) -> str:
    """Return what to do, in one paragraph; `repaired` says which bundles were repaired from here, and when."""
    damaged = damaged_files(results)
    told = [_("Do not erase anything at the source. Bring what is named back from a second copy, then verify again.")]
    told += [
        _("What still stands of {bundle} was sent again on {time}: a later bundle holds it.").format(
            bundle=bundle, time=repaired[bundle]
        )
        for bundle in damaged
        if bundle in repaired
    ]
    mendable = next((bundle for bundle in damaged if bundle not in repaired), None)
    if mendable is not None:
        told.append(
            _(
                "Of what was copied, and while the source still has it: repatria copy {dataset} --repair {bundle}"
            ).format(dataset=dataset_id, bundle=f"{dataset_id}@{mendable}")
        )
    return " ".join(told)
