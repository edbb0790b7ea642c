"""`review`: the pages of an archive that need an eye."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repatria.cli.chains import BundleArgument, EndpointOption, IdentityOption, ProfileOption, opened_chain
from repatria.cli.frame import command
from repatria.cli.output import Column, Output
from repatria.errors import UsageError
from repatria.i18n import _, ngettext

if TYPE_CHECKING:
    from repatria.bundle.reader import Bundle
    from repatria.ocr.glimpse import Glimpse
    from repatria.ocr.isolation import Child
    from repatria.ocr.review import PageReview, Review

MOST_THUMBNAILS = 1000
"""On one sheet; a browser shows so many, and the pages beyond are listed without."""

Glimpsed = tuple["PageReview", "Glimpse | None"]
"""A page that needs an eye, with what is seen of it."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "review", help=_("List the pages that need an eye: blank, faint, askew, unreadable, missing ..."))
    def review(
        out: Output,
        bundle: BundleArgument,
        *,
        identity: IdentityOption = None,
        html: Annotated[
            Path | None,
            typer.Option("--html", metavar="FILE", help=_("Also write a sheet of thumbnails to this file, in clear.")),
        ] = None,
        lines: Annotated[
            bool,
            typer.Option("--lines", help=_("Show the lines of each page that were read with the least confidence.")),
        ] = False,
        endpoint: EndpointOption = None,
        profile: ProfileOption = None,
    ) -> int:
        from repatria.cli.output_file import output_file
        from repatria.cli.review_sheet import written_sheet
        from repatria.ocr.review import review as review_chain

        if html is not None:
            _refuse_taken(html)
        if html is not None or lines:
            from repatria.cli.ocr_part import refuse_without_ocr

            refuse_without_ocr()
        with opened_chain(out, bundle, identity, endpoint=endpoint, profile=profile, logged_as="review") as opened:
            found = review_chain(opened.chain)
            with ExitStack() as stack:
                pages: Iterator[Glimpsed] = ((entry, None) for entry in found.entries)
                if html is not None or lines:
                    pages = _glimpsed(found.entries, stack.enter_context(_child()), pictures=html is not None)
                if html is not None:
                    file = stack.enter_context(output_file(html, private=True))
                    pages = written_sheet(file, found, opened.chain.head, pages)
                _show(out, pages, lines=lines)
            _say(out, found, opened.chain.head, html)
        return opened.code


def _refuse_taken(file: Path) -> None:
    if file.exists():
        raise UsageError(
            _("{file} is there already; nothing was written over it.").format(file=file),
            advice=_("Choose another name, or remove it first."),
        )


def _show(out: Output, pages: "Iterator[Glimpsed]", *, lines: bool) -> None:
    from repatria.cli.concern_words import concern_texts

    columns = [
        Column("reference", _("Reference")),
        Column("confidence", _("Confidence"), justify="right"),
        Column("concerns", _("Why"), wraps=True),
    ]
    if lines:
        columns.append(Column("lines", _("Least sure lines"), wraps=True))
    with out.table("page", columns) as table:
        for entry, glimpse in pages:
            sure = "" if entry.confidence is None else f"{round(entry.confidence)} %"
            shown = [entry.reference, sure, ", ".join(concern_texts(entry))]
            if lines:
                read = glimpse.lines if glimpse else ()
                shown.append(" / ".join(f"{line.text} ({round(line.confidence)} %)" for line in read))
            table.add(shown, **_fields(entry, glimpse, lines=lines))


def _fields(entry: "PageReview", glimpse: "Glimpse | None", *, lines: bool) -> dict[str, object]:
    fields: dict[str, object] = {
        "reference": entry.reference,
        "cote": entry.document.row.cote,
        "dossier": entry.document.row.dossier,
        "title": entry.document.row.title,
        "page": entry.page,
        "words": entry.words,
        "confidence": _rounded(entry.confidence),
        "concerns": list(entry.concerns),
        "missing": [
            {"first": missing.first, "last": missing.last, "told_by": missing.told_by} for missing in entry.missing
        ],
    }
    if lines and glimpse:
        fields["lines"] = [
            {
                "text": line.text,
                "confidence": _rounded(line.confidence),
                "words": [{"text": word.text, "confidence": _rounded(word.confidence)} for word in line.words],
            }
            for line in glimpse.lines
        ]
    return fields


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 1)


def _say(out: Output, found: "Review", head: "Bundle", html: Path | None) -> None:
    from repatria.cli.quantity import quantity_text
    from repatria.ocr.review import Concern
    from repatria.progress import Unit

    count = len(found.entries)
    looked = quantity_text(found.pages, Unit.PAGES)
    if not count:
        out.say(_("Looked at {pages}: none needs an eye.").format(pages=looked))
    else:
        out.say(
            ngettext(
                "Looked at {pages}: {count} needs an eye.", "Looked at {pages}: {count} need an eye.", count
            ).format(pages=looked, count=count)
        )
    if html is not None:
        out.say(_("Written in clear: {file}. It shows pages; who can read it can read them.").format(file=html))
    out.summary(
        bundle=head.uri,
        dataset=head.dataset_id,
        documents=found.documents,
        pages=found.pages,
        to_look_at=count,
        confidence=_rounded(found.confidence),
        concerns={str(concern): found.count(concern) for concern in Concern},
        html=str(html) if html else None,
        next=f"repatria show '{found.entries[0].reference}'" if found.entries else None,
    )


@contextmanager
def _child() -> "Iterator[Child]":
    """Give a child process that opens documents, for as long as the block runs."""
    from repatria.ocr.glimpse import GLIMPSE_SECONDS
    from repatria.ocr.isolation import Child, Limits, preload

    preload()
    child = Child(Limits(GLIMPSE_SECONDS))
    try:
        yield child
    finally:
        child.stop()


def _glimpsed(entries: "Sequence[PageReview]", child: "Child", *, pictures: bool) -> "Iterator[Glimpsed]":
    """Yield the pages with what is seen of each; pages of a document that cannot be opened come without."""
    shown = 0
    for _cote, group in groupby(entries, key=lambda entry: entry.document.row.cote):
        together = list(group)
        wanted = pictures and shown < MOST_THUMBNAILS
        seen = _glimpses_of(together, child, pictures=wanted)
        shown += len(together) if wanted else 0
        for entry in together:
            yield entry, seen.get(entry.page)


def _glimpses_of(entries: "Sequence[PageReview]", child: "Child", *, pictures: bool) -> "dict[int, Glimpse]":
    from repatria.errors import FindingsError
    from repatria.ocr.glimpse import GlimpseTask, glimpses
    from repatria.ocr.isolation import IsolationError
    from repatria.ocr.memory import SharedBytes

    document = entries[0].document
    alto = _object(document.bundle, document.row.alto)
    pdf = _object(document.bundle, document.row.pdf) if pictures else None
    if alto is None:
        return {}
    shared = [SharedBytes.of(data) for data in (alto, pdf) if data is not None]
    try:
        task = GlimpseTask(shared[0], tuple(entry.page for entry in entries), shared[1] if pdf is not None else None)
        return {glimpse.page: glimpse for glimpse in child.call(glimpses, task)}
    except (IsolationError, FindingsError):
        return {}
    finally:
        for each in shared:
            each.close()


def _object(bundle: "Bundle", number: int | None) -> bytes | None:
    row = bundle.object(number) if number is not None else None
    return b"".join(bundle.read_object(row)) if row is not None else None
