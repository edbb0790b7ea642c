"""What `ocr` says of a bundle that it made."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from repatria.cli.output import Output
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.ocr.digitise import DigitiseResult

_COPIES_NAMED = 20
"""Of the scans that have another's bytes; with --json all are."""


def show_result(out: Output, dataset: str, result: "DigitiseResult", latest_uri: str | None, seconds: float) -> None:
    """Show what a run did, its bundle's URI last."""
    record_result(out, dataset, result, seconds)
    uri = result.uri or latest_uri
    for sentence in _sentences(result, seconds):
        out.say(sentence)
    if out.names:
        for path, twin in [pair for pair in result.twins if pair[1]][:_COPIES_NAMED]:
            out.say(_("{path} has the same bytes as {twin}.").format(path=path, twin=twin))
    if result.findings and not out.names:
        out.say(_("Which scans these are is shown on a terminal, or with --json."))
    if uri is not None:
        out.text(uri)
    out.summary(bundle=uri, next=f"repatria verify {dataset}" if uri else None)


def record_result(out: Output, dataset: str, result: "DigitiseResult", seconds: float, **moved: int) -> None:
    """Show what is wrong with scans, and write the record of a bundle; `moved` are the counts that a watch adds."""
    for found in result.findings:
        out.finding(found, stored=False)
    for path, twin in result.twins:
        out.record("copy", path=path, of=twin or None)
    out.record(
        "digitised",
        dataset=dataset,
        bundle=result.uri,
        documents=result.documents,
        pages=result.pages,
        already=result.already,
        copies=result.copies,
        flagged=result.flagged,
        separators=result.separators,
        described=result.described,
        left_out=result.left_out,
        **({"compared": result.compared.counts()} if result.compared else {}),
        **moved,
        seconds=round(seconds, 1),
    )


def _sentences(result: "DigitiseResult", seconds: float) -> Iterator[str]:
    """Yield what is said of a run."""
    from repatria.cli.quantity import number_text, quantity_text, rate_text
    from repatria.progress import Unit

    if result.pages:
        yield ngettext(
            "Read {pages} of {count} document ({rate}); every volume is proven at the target.",
            "Read {pages} of {count} documents ({rate}); every volume is proven at the target.",
            result.documents,
        ).format(
            pages=quantity_text(result.pages, Unit.PAGES),
            count=number_text(result.documents),
            rate=rate_text(result.pages / max(seconds, 0.001), Unit.PAGES),
        )
    elif not result.described:
        yield _("Nothing new.")
    if result.described:
        yield ngettext(
            "{count} row of the bordereau is new to the archive, or corrected; it describes its documents from now on.",
            "{count} rows of the bordereau are new to the archive, or corrected; they describe their documents from now"
            " on.",
            result.described,
        ).format(count=number_text(result.described))
    if result.left_out:
        yield ngettext(
            "{count} row that this bordereau had before is no longer in it. It still describes its documents; to take"
            " back what it said, give its cote with the other cells empty.",
            "{count} rows that this bordereau had before are no longer in it. They still describe their documents; to"
            " take back what they said, give their cotes with the other cells empty.",
            result.left_out,
        ).format(count=number_text(result.left_out))
    if result.compared is not None:
        yield _(
            "The bordereau against the scans: {rows} rows with a cote; with scans: {scanned}; without: {bare}; levels"
            " above dossiers, without: {context}; rows without a cote: {unnamed}; scans without a row: {orphans}."
        ).format_map({name: number_text(count) for name, count in result.compared.counts().items()})
    if result.already:
        yield ngettext(
            "{count} scan is in the archive already and was left out.",
            "{count} scans are in the archive already and were left out.",
            result.already,
        ).format(count=number_text(result.already))
    if result.copies:
        yield ngettext(
            "{count} scan has the same bytes as one in the archive, under another name, and was left out.",
            "{count} scans have the same bytes as others in the archive, under other names, and were left out.",
            result.copies,
        ).format(count=number_text(result.copies))
    if result.separators:
        yield ngettext(
            "{count} separator sheet parted them; it is kept in the originals.",
            "{count} separator sheets parted them; they are kept in the originals.",
            result.separators,
        ).format(count=number_text(result.separators))
    if result.flagged:
        yield ngettext(
            "{count} page needs an eye: it was read with little confidence.",
            "{count} pages need an eye: they were read with little confidence.",
            result.flagged,
        ).format(count=number_text(result.flagged))
