"""Going on with an unfinished bundle: what the journal says is compared with what is at the target."""

from collections.abc import Mapping
from dataclasses import dataclass

from repatria.bundle import layout
from repatria.bundle.chain import Chain
from repatria.bundle.rewrap_record import fetch_record
from repatria.bundle.rows import VolumeRow
from repatria.bundle.writer import BundleWriter
from repatria.errors import NotFoundError, RefusedError, UnverifiableError, UsageError
from repatria.i18n import _
from repatria.model import Finding, FindingKind
from repatria.store.base import Store
from repatria.work.patience import Patience
from repatria.work.unfinished import Unfinished, VolumeState


@dataclass(frozen=True, slots=True)
class Head:
    """The latest finished bundle of a dataset."""

    bundle: str
    statement_sha256: str


def head_at_target(target: Store, dataset_id: str) -> Head | None:
    """Return the head of the chain as the target tells it now, None if no bundle is finished."""
    try:
        chain = Chain.load(target, dataset_id)
    except NotFoundError:
        return None
    if chain.is_being_rewrapped:
        raise _being_rewrapped(target, dataset_id)
    try:
        return Head(chain.head.bundle_id, chain.head.statement_sha256)
    finally:
        chain.close()


def _being_rewrapped(target: Store, dataset_id: str) -> UsageError:
    """Return that recipients are being changed, and whose change it is; CryptError for a record that says nothing."""
    signed = fetch_record(target, dataset_id)
    return UsageError(
        _("The recipients of {dataset} are being changed, and that is not finished. {change} Nothing was done.").format(
            dataset=dataset_id, change=signed.told if signed else ""
        ),
        advice=_(
            "If you know them and that key, run the same `repatria rewrap` again, to its end; then this command. Else"
            " ask who has access to the store."
        ),
    )


def require_head(found: Head | None, remembered: Head | None, dataset_id: str) -> None:
    """Refuse to go on unless the target's chain ends where this machine knows it to end: never a fork, silently."""
    if found == remembered:
        return
    if remembered is None:
        raise UsageError(
            _("The target holds bundles of {dataset} that this machine knows nothing of, up to {bundle}.").format(
                dataset=dataset_id, bundle=found.bundle if found else ""
            ),
            advice=_(
                "Run this where the dataset was copied before, or with that machine's state folder (REPATRIA_STATE)."
                " If that machine is gone, take over from it: repatria adopt {dataset}. Nothing was done."
            ).format(dataset=dataset_id),
        )
    if found is not None and found.bundle == remembered.bundle:
        raise UnverifiableError(
            _("The bundle {bundle} of {dataset} at the target is not the one that this machine knows.").format(
                dataset=dataset_id, bundle=found.bundle
            ),
            advice=_("Somebody replaced it, or put an older form of it back: run `repatria verify`. Nothing was done."),
        )
    if found is None or found.bundle < remembered.bundle:
        raise UnverifiableError(
            _("The target does not hold the bundle {bundle} of {dataset}, which this machine finished last.").format(
                dataset=dataset_id, bundle=remembered.bundle
            ),
            advice=_("Check that the target's URI is right, or restore that bundle there. Nothing was done."),
        )
    raise UsageError(
        _("Another machine has written {bundle} of {dataset} since the last run here.").format(
            dataset=dataset_id, bundle=found.bundle
        ),
        advice=_(
            "Go on where that bundle was made: two machines must not write one dataset. If that machine is gone, take"
            " over from it: repatria adopt {dataset}. Nothing was done."
        ).format(dataset=dataset_id),
    )


def list_payload(target: Store, dataset_id: str, bundle_id: str) -> dict[str, int]:
    """Return the files under a bundle's `data/`: path within the bundle -> size."""
    folder = f"{dataset_id}/{bundle_id}/"
    listed = target.list(folder + layout.PAYLOAD_FOLDER)
    return {item.path.removeprefix(folder): item.size for item in listed}


def settle_sent(unfinished: Unfinished, writer: BundleWriter, patience: Patience) -> int:
    """Read every volume back that was sent and not proven: it is proven, or given up; return how many were given up."""
    given_up = 0
    for volume in unfinished.volumes(VolumeState.SENT):
        if _is_there(volume, writer, patience):
            unfinished.proven(volume.number)
        else:
            unfinished.give_up(volume.number)
            given_up += 1
    return given_up


def missing_volumes(unfinished: Unfinished, listed: Mapping[str, int]) -> list[VolumeRow]:
    """Return the proven volumes that are no longer at the target, or have another size there."""
    proven = unfinished.volumes(VolumeState.PROVEN)
    return [volume for volume in proven if listed.get(layout.volume_path(volume.number)) != volume.size]


def look_over(
    unfinished: Unfinished, target: Store, writer: BundleWriter, patience: Patience
) -> tuple[list[VolumeRow], list[Finding]]:
    """Return what `stray_volumes` tells of a bundle that is about to be signed.

    RefusedError (5) if the target no longer holds all that it proved to hold.
    """
    listed = patience.insist(lambda: list_payload(target, writer.dataset_id, writer.bundle_id))
    if missing_volumes(unfinished, listed):
        raise RefusedError(
            _("Volumes of {bundle} that were proven are no longer at the target.").format(bundle=writer.bundle_id),
            advice=_("Find out who removed them, then run the same command again: what is missing is sent again."),
        )
    return stray_volumes(unfinished, listed, writer, patience)


def require_seen(writer: BundleWriter, number: int, size: int, patience: Patience) -> None:
    """Refuse what another machine has put and read back, if it did so at another place than this one's target."""
    path = layout.volume_path(number)
    if patience.insist(lambda: writer.size_of(path)) != size:
        raise RefusedError(
            _("What the workers put at the target, {path}, is not there for this machine.").format(path=path),
            advice=_(
                "The same URI must lead to the same place from every machine: check endpoint, profile, AWS and SSH"
                " configuration of the workers. What was proven before is safe."
            ),
        )


def is_lost(unfinished: Unfinished, listed: Mapping[str, int]) -> bool:
    """Return whether something is gone from the target that an index which is published already tells of.

    Such a bundle cannot be mended, because files are written once; it is left, and another one begun.
    """
    published = unfinished.published_up_to()
    if any(volume.number <= published for volume in missing_volumes(unfinished, listed)):
        return True
    waiting = unfinished.outbox.waiting()
    return any(listed.get(entry.name) != entry.size for entry in unfinished.indexes() if entry.name not in waiting)


def stray_volumes(
    unfinished: Unfinished, listed: Mapping[str, int], writer: BundleWriter, patience: Patience
) -> tuple[list[VolumeRow], list[Finding]]:
    """Look at every file under `data/` that the bundle does not count on.

    A volume that was given up and came late, with the very bytes that were sent, is returned as a row for the manifest;
    anything else as a finding.
    """
    expected = {layout.volume_path(volume.number) for volume in unfinished.volumes(VolumeState.PROVEN)}
    expected |= {entry.name for entry in unfinished.indexes()}
    given_up = {layout.volume_path(row.number): row for row in unfinished.volumes(VolumeState.GIVEN_UP)}
    rows, findings = [], []
    for path in sorted(set(listed) - expected):
        row = given_up.get(path)
        if row is not None and _is_there(row, writer, patience):
            rows.append(row)
        else:
            findings.append(Finding(FindingKind.UNEXPECTED, path, _stray_advice()))
    return rows, findings


def _is_there(volume: VolumeRow, writer: BundleWriter, patience: Patience) -> bool:
    path = layout.volume_path(volume.number)
    return patience.insist(lambda: writer.read_back(path, volume.sha256, volume.size))


def _stray_advice() -> str:
    return _(
        "A file that is no part of the bundle lies in its folder at the target: it was never written, or not kept as it"
        " was sent. What it should have held was sent again; it can be removed."
    )
