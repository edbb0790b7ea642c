"""What `copy` says at its end: what is home, what is not, where it lies, and what an earlier look found damaged."""

from collections import Counter
from typing import TYPE_CHECKING

from repatria.cli.damage import bundle_to_repair, found_damaged, mending_command
from repatria.cli.output import FINDING_WORDS, Output
from repatria.cli.quantity import number_text, quantity_text, size_text
from repatria.i18n import _, ngettext
from repatria.progress import Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repatria.migrate.copy import CopyResult
    from repatria.model import Finding, FindingKind
    from repatria.work.arrived import Arrived
    from repatria.work.state import StateFolder


def show_result(out: Output, dataset: str, result: "CopyResult", latest_uri: str | None) -> None:
    """Show what was copied and what was not; the last line of stdout is the URI of the latest bundle."""
    _show_findings(out, dataset, result.findings)
    uri = result.uri or latest_uri
    out.record(
        "copied",
        dataset=dataset,
        bundle=result.uri,
        objects=result.objects,
        bytes=result.bytes,
        volumes=result.volumes,
        before={"objects": result.before.objects, "bytes": result.before.all_bytes, "volumes": result.before.volumes},
        gone=result.gone,
        unchanged=result.unchanged,
    )
    if result.uri is None:
        out.text(_nothing_new(result))
    else:
        out.say(_what_was_copied(result))
    if uri is not None:
        out.text(uri)
    out.summary(bundle=uri, next=f"repatria verify {dataset}" if uri else None)


def tell_damage(out: Output, state: "StateFolder", dataset: str) -> None:
    """Warn of what the last verification found damaged at the target, once the audit log has this copy's end.

    A copy that went well says nothing of what older bundles became.
    """
    from repatria.work.overview import LastRuns, last_runs

    runs = last_runs(state).get(dataset, LastRuns())
    mending = mending_command(dataset, runs)
    if not runs.is_damaged or mending is None:
        return
    if bundle_to_repair(runs):
        what = _("This sends again what the source still has of it: {command}").format(command=mending)
    else:
        what = _("This tells how the dataset stands now: {command}").format(command=f"repatria verify {dataset}")
    found = found_damaged(runs.damaged, runs.damaged_objects)
    out.warn(f"{found} {what}")


def _show_findings(out: Output, dataset: str, findings: "Sequence[Finding]") -> None:
    """Name what was not copied; where no names may stand, say how many objects for each reason, and what names them."""
    nameless: Counter[tuple[FindingKind, str]] = Counter()
    for found in findings:
        if found.path and not out.names:
            nameless[found.kind, found.detail] += 1
        else:
            out.finding(found, stored=False)
    for (kind, detail), count in nameless.items():
        out.say(
            ngettext(
                "{kind}: {count} object of the source. {detail}",
                "{kind}: {count} objects of the source. {detail}",
                count,
            )
            .format(kind=_(FINDING_WORDS[kind]), count=number_text(count), detail=detail)
            .rstrip()
        )
    if nameless:
        out.say(
            _(
                "Their names are not written here, as they may be patients' names. This tries them again and names each"
                " that fails: repatria copy {dataset} on a terminal, or with --json"
            ).format(dataset=dataset)
        )


def _nothing_new(result: "CopyResult") -> str:
    if not result.unchanged and result.findings:
        return _("Nothing was copied, and nothing is held as copied.")
    if not result.unchanged:
        return _("Nothing new: the source holds nothing that can be copied.")
    known = quantity_text(result.unchanged, Unit.OBJECTS)
    return _("Nothing new: {objects}, as the latest bundle has them.").format(objects=known)


def _what_was_copied(result: "CopyResult") -> str:
    whole, before = result.bundle, result.before
    sentence = ngettext(
        "Copied {objects} ({size}) in {count} volume, proven at the target.",
        "Copied {objects} ({size}) in {count} volumes, each proven at the target.",
        whole.volumes,
    ).format(
        objects=quantity_text(whole.objects, Unit.OBJECTS),
        size=size_text(whole.bytes),
        count=number_text(whole.volumes),
    )
    if before.volumes:
        sentence += " " + _what_had_arrived(before)
    if result.gone:
        gone = quantity_text(result.gone, Unit.OBJECTS)
        sentence += " " + _("Gone from the source since: {objects}.").format(objects=gone)
    return sentence


def _what_had_arrived(before: "Arrived") -> str:
    told = {
        "size": size_text(before.all_bytes),
        "count": number_text(before.volumes),
        "objects": quantity_text(before.objects, Unit.OBJECTS),
    }
    if before.in_parts:
        return ngettext(
            "Of that, {size} in {count} volume had arrived before: {objects} whole, and parts of larger ones.",
            "Of that, {size} in {count} volumes had arrived before: {objects} whole, and parts of larger ones.",
            before.volumes,
        ).format(**told)
    return ngettext(
        "Of that, {objects} ({size}) in {count} volume had arrived before.",
        "Of that, {objects} ({size}) in {count} volumes had arrived before.",
        before.volumes,
    ).format(**told)
