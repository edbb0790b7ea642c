"""What `adopt` says: what it costs to have no key, what was taken over, and what a new signing key means."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from repatria.cli.output import Output
from repatria.cli.quantity import number_text, quantity_text, size_text
from repatria.i18n import _, ngettext
from repatria.progress import Unit

if TYPE_CHECKING:
    from repatria.crypt.sshsig import SigningKey
    from repatria.manifest import Manifest
    from repatria.migrate.takeover import Takeover
    from repatria.verify.trust import Trust
    from repatria.work.taken_over import NotTaken, TakenOver


def cost_sentences(manifest: "Manifest | None", found: "Takeover") -> Iterator[str]:
    """Yield what the next copy will send again."""
    if found.chain is None:
        return
    totals = found.chain.head.statement.totals
    yield _(
        "Without a key nobody can tell which objects the chain holds. The next copy sends everything again, in a bundle"
        " that stands for itself: {objects}, {size} as of the last bundle. What earlier bundles hold stays there."
    ).format(objects=quantity_text(totals.objects, Unit.OBJECTS), size=size_text(totals.bytes))
    nights = _nights(manifest, totals.bytes)
    if nights:
        yield nights
    for bundle in found.unfinished:
        yield ngettext(
            "The unfinished bundle {bundle} is lost: {count} volume, {size}.",
            "The unfinished bundle {bundle} is lost: {count} volumes, {size}.",
            bundle.volumes,
        ).format(bundle=bundle.bundle_id, count=number_text(bundle.volumes), size=size_text(bundle.bytes))


def _nights(manifest: "Manifest | None", size: int) -> str:
    """Return how long bytes take at the bandwidth that the manifest allows; empty if it names none."""
    from zoneinfo import ZoneInfo

    from repatria.cli.quantity import duration_text
    from repatria.migrate.plan import schedule
    from repatria.work.pace import parse_window

    if manifest is None or manifest.transfer.bandwidth is None:
        return ""
    window = parse_window(manifest.transfer.window, ZoneInfo(manifest.timezone))
    planned = schedule(size, manifest.transfer.bandwidth, window, datetime.now(UTC))
    return ngettext(
        "At the bandwidth of the manifest that takes {time} of transfer, {count} night.",
        "At the bandwidth of the manifest that takes {time} of transfer, {count} nights.",
        planned.nights,
    ).format(time=duration_text(planned.transfer.total_seconds()), count=number_text(planned.nights))


def show_adopted(out: Output, found: "Takeover", result: "TakenOver | NotTaken | None") -> None:
    """Show what this machine knows now."""
    from repatria.work.taken_over import NotTaken

    taken, hindered = (None, result) if isinstance(result, NotTaken) else (result, None)
    dataset, head = found.dataset_id, found.head
    totals = found.chain.head.statement.totals if found.chain else None
    out.record(
        "adopted",
        dataset=dataset,
        bundle=found.chain.head.uri if found.chain else None,
        objects=totals.objects if totals and found.identities else 0,
        unfinished=taken
        and {
            "bundle": taken.bundle,
            "volumes": taken.volumes,
            "bytes": taken.bytes,
            "objects": taken.objects,
            "strays": taken.strays,
            "going_on": taken.going_on,
            "begun_again": taken.begun_again,
            "damaged": list(taken.damaged),
        },
        hindered=hindered and {"bundle": hindered.bundle, "file": hindered.file, "obstacle": hindered.obstacle},
    )
    if head is not None and totals is not None:
        known = (
            _("Adopted {dataset} up to {bundle}: {objects} are known again, and only what is new will be sent.")
            if found.identities
            else _("Adopted {dataset} up to {bundle}: the next copy sends everything again.")
        )
        objects = quantity_text(totals.objects, Unit.OBJECTS)
        out.text(known.format(dataset=dataset, bundle=head.bundle, objects=objects))
    if found.identities:
        for sentence in _of_taken(taken) if taken is not None else ():
            out.text(sentence)
        for sentence in _of_left(found, taken, hindered):
            out.text(sentence)
    again = "ocr" if found.is_archive else "copy"
    out.summary(bundle=found.chain.head.uri if found.chain else None, next=f"repatria {again} {dataset}")


def _of_taken(taken: "TakenOver") -> Iterator[str]:
    """Yield what became of the unfinished bundle that goes on."""
    yield ngettext(
        "The unfinished bundle {bundle} goes on: {count} volume ({size}), {objects}, is not sent again.",
        "The unfinished bundle {bundle} goes on: {count} volumes ({size}), {objects}, are not sent again.",
        taken.volumes,
    ).format(
        bundle=taken.bundle,
        count=number_text(taken.volumes),
        size=size_text(taken.bytes),
        objects=quantity_text(taken.objects, Unit.OBJECTS),
    )
    if taken.strays:
        yield ngettext(
            "{count} volume ({size}) came after the last signature: nothing vouches for it, and what it holds is"
            " sent again.",
            "{count} volumes ({size}) came after the last signature: nothing vouches for them, and what they hold"
            " is sent again.",
            taken.strays,
        ).format(count=number_text(taken.strays), size=size_text(taken.stray_bytes))
    if taken.going_on:
        yield ngettext(
            "{count} object of which only parts had arrived goes on after these.",
            "{count} objects of which only parts had arrived go on after these.",
            taken.going_on,
        ).format(count=number_text(taken.going_on))
    if taken.begun_again:
        yield ngettext(
            "{count} object of which only parts had arrived begins again.",
            "{count} objects of which only parts had arrived begin again.",
            taken.begun_again,
        ).format(count=number_text(taken.begun_again))
    for path in taken.damaged:
        yield _(
            "{path} is damaged at the target: what it holds parts of begins again. Once the bundle is finished,"
            " `repatria verify --deep` tells what else was in it."
        ).format(path=path)


def _of_left(found: "Takeover", taken: "TakenOver | None", hindered: "NotTaken | None") -> Iterator[str]:
    """Yield what hinders the unfinished bundles that do not go on."""
    for bundle in found.unfinished:
        if hindered is not None and bundle.bundle_id == hindered.bundle:
            yield _hindrance(hindered).format(bundle=bundle.bundle_id, size=size_text(bundle.bytes), path=hindered.file)
        elif taken is None or bundle.bundle_id != taken.bundle:
            yield _(
                "The unfinished bundle {bundle} ({size}) cannot be gone on with: no signature that is known reaches far"
                " enough. `repatria clean` removes it."
            ).format(bundle=bundle.bundle_id, size=size_text(bundle.bytes))


def _hindrance(hindered: "NotTaken") -> str:
    """Return the sentence, to be filled in, that says why a bundle does not go on."""
    from repatria.work.taken_over import Obstacle

    if hindered.obstacle is Obstacle.MISSING:
        return _(
            "The unfinished bundle {bundle} ({size}) cannot be gone on with: {path} is not there as it was signed."
            " `repatria clean` removes the bundle."
        )
    if hindered.obstacle is Obstacle.DAMAGED:
        return _(
            "The unfinished bundle {bundle} ({size}) cannot be gone on with: {path} is damaged. `repatria clean`"
            " removes the bundle."
        )
    return _(
        "The unfinished bundle {bundle} ({size}) cannot be gone on with: nobody signed {path}, and it cannot be"
        " removed. `repatria clean` removes the bundle where that is allowed."
    )


def tell_signer(out: Output, found: "Takeover") -> None:
    """Say whose word was taken, and what a new signing key means for those who verify."""
    if found.sight.taken is not None:
        out.warn(
            _(
                "Nobody vouched for the key {key} that signed it; it was seen here for the first time and is taken for"
                " the right one. Compare it with what `repatria keys signer` printed where the dataset was copied."
            ).format(key=found.sight.taken.fingerprint)
        )
    keys = _foreign_keys(found)
    if not keys:
        return
    out.say(
        ngettext(
            "This machine signs with a key of its own, unless `signer` in the manifest names the old one. Whoever"
            " verifies then needs both keys in the file of --signers, else one of them is unknown (3). The old one:",
            "This machine signs with a key of its own, unless `signer` in the manifest names an old one. Whoever"
            " verifies then needs all of these keys in the file of --signers, and the new one, else some are unknown"
            " (3). The old ones:",
            len(keys),
        )
    )
    for key in keys:
        out.say(key.allowed_line(_principal(key, found.sight.trust)), whole=True)


def _foreign_keys(found: "Takeover") -> "list[SigningKey]":
    """Return the keys that signed bundles of the chain, each once, the latest first; not those of this machine."""
    own = found.sight.trust.own
    keys = [bundle.signing_key for bundle in reversed(found.chain.bundles)] if found.chain else []
    if not keys and found.sight.taken is not None:
        keys = [found.sight.taken]
    distinct = {key.fingerprint: key for key in keys}.values()
    return [key for key in distinct if own is None or not own.principal_of(key)]


def _principal(key: "SigningKey", trust: "Trust") -> str:
    """Return the name that a key was given in a file of signers, withdrawn or not; else one to be filled in."""
    files = [file for file in (trust.allowed, trust.named) if file is not None]
    names = (signer.principals for file in files for signer in file.signers if signer.blob == key.blob)
    return next(names, "OLD-MACHINE")
