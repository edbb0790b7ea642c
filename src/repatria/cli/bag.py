"""`verify` of a bag that is no bundle: made elsewhere by other tools, and signed by nobody."""

from collections import Counter
from typing import TYPE_CHECKING

from repatria.cli.context import open_place, resolved_uri
from repatria.cli.finding_counts import counted
from repatria.cli.output import Output
from repatria.cli.places import remembered
from repatria.cli.progress import shown_progress
from repatria.cli.quantity import number_text, size_text
from repatria.errors import UnverifiableError, UsageError
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.settings import Settings
    from repatria.store.base import Store
    from repatria.verify.bag import BagResult


def foreign_bag(argument: str, settings: "Settings", endpoint: str | None, profile: str | None) -> "Store | None":
    """Return the store whose root is the bag from elsewhere that `argument` means, None if it means a bundle.

    A dataset or bundle of ours never passes for one, however little of it is left: else who removes its statement would
    be told that all is whole.
    """
    from repatria.verify.bag import is_foreign_bag

    uri = resolved_uri(argument, settings)
    if _is_ours(uri.rstrip("/").rpartition("/")[2], settings):
        return None
    store = open_place(uri, settings, endpoint=endpoint, profile=profile)
    return store if is_foreign_bag(store) else None


def _is_ours(name: str, settings: "Settings") -> bool:
    from repatria.bundle.layout import BUNDLE_ID, DATASET_ID
    from repatria.work.state import StateFolder

    if BUNDLE_ID.match(name):
        return True
    seen = remembered(settings.state, name) or StateFolder(settings.state).remembered(name)
    return bool(DATASET_ID.match(name) and seen)


def refuse_promises(*, opened: bool, signed: bool) -> None:
    """Raise for what a bag from elsewhere cannot give.

    `opened`: --deep or --sample was asked for; `signed`: a signer or a head.
    """
    if signed:
        raise UnverifiableError(
            _("This is a bag from elsewhere: nobody signed it, so no signer and no head can be verified."),
            advice=_(
                "Verify it without --signers and --expect-head; if it should be a bundle, its statement was removed."
            ),
        )
    if opened:
        raise UsageError(
            _("This is a bag from elsewhere: it is always read whole, and nothing in it is opened."),
            advice=_("Verify it without --deep and --sample."),
        )


def verify_bag(out: Output, store: "Store", argument: str) -> int:
    """Verify the bag at the store's root, which `argument` named, and tell what was found; return the exit code."""
    from repatria.store.registry import public_uri
    from repatria.verify.bag import BagCheck

    uri = public_uri(store.uri)
    with shown_progress(out) as progress:
        check = BagCheck(store, progress)
        for verdict in check.run():
            out.finding(verdict.finding)
    result = check.result
    kinds = Counter(str(each.finding.kind) for each in result.verdicts)
    out.record(
        "bag",
        bag=uri,
        version=result.version,
        encoding=result.encoding,
        algorithms=result.algorithms,
        files=result.files,
        bytes=result.bytes,
        files_read=result.files_read,
        weak=result.weak,
        signer=None,
        result=result.verdicts[0].finding.kind if result.verdicts else "intact",
        code=result.code,
    )
    out.text(_sentence(result, argument.rstrip("/").rpartition("/")[2], kinds))
    out.say(_("Nobody signed it: this finds accidents, not somebody who changes a file and its manifest."))
    if result.weak:
        out.say(
            ngettext(
                "Only MD5 or SHA-1 guards {count} file: who made it may have another with the same checksum.",
                "Only MD5 or SHA-1 guards {count} files: who made them may have others with the same checksums.",
                result.weak,
            ).format(count=number_text(result.weak))
        )
    if any(each.finding.path for each in result.verdicts) and not out.names:
        out.say(_("Names are shown on a terminal, and with --json."))
    advice = _("Do not erase anything at the source. Bring what is named back from a second copy, then verify again.")
    if result.code == 1:
        out.say(advice)
    out.summary(
        next=advice if result.code == 1 else None,
        bag=uri,
        files=result.files,
        bytes=result.bytes,
        weak=result.weak,
        findings=dict(kinds),
    )
    return result.code


def _sentence(result: "BagResult", name: str, kinds: "Counter[str]") -> str:
    counts = counted(kinds)
    if result.code == 3:
        return _("NOT VERIFIED: {bag}: {counts}; the rest is whole.").format(bag=name, counts=counts)
    if result.code != 0:
        return _("NOT INTACT: {dataset}: {counts}.").format(dataset=name, counts=counts)
    return ngettext(
        "Whole: {bag}, a BagIt {version} bag, {count} file, {size}, every one read and compared by {algorithms}.",
        "Whole: {bag}, a BagIt {version} bag, {count} files, {size}, every one read and compared by {algorithms}.",
        result.files,
    ).format(
        bag=name,
        version=result.version,
        count=number_text(result.files),
        size=size_text(result.bytes),
        algorithms=", ".join(result.algorithms),
    )
