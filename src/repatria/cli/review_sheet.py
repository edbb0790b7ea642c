"""The sheet of `review --html`: what the archive knows of each page, put into the words of the sheet."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.bundle.reader import Bundle
    from repatria.cli.output_file import OutputFile
    from repatria.cli.review import Glimpsed
    from repatria.ocr.glimpse import Glimpse
    from repatria.ocr.review import PageReview, Review
    from repatria.paper.review_sheet import ReviewHeading, ShownPage


def written_sheet(
    file: "OutputFile", found: "Review", head: "Bundle", pages: "Iterator[Glimpsed]"
) -> "Iterator[Glimpsed]":
    """Pass the pages on, each once it is on the sheet; the sheet is whole when all were taken."""
    from repatria.paper.review_sheet import review_html

    passed: list[Glimpsed] = []

    def shown() -> "Iterator[tuple[str, ShownPage]]":
        for entry, glimpse in pages:
            passed.append((entry, glimpse))
            yield entry.document.row.dossier, _shown_page(entry, glimpse)

    for piece in review_html(_heading(found, head), shown()):
        file.write(piece.encode())
        yield from passed
        passed.clear()


def _heading(found: "Review", head: "Bundle") -> "ReviewHeading":
    from repatria.cli.concern_words import concern_word
    from repatria.cli.quantity import number_text
    from repatria.ocr.review import Concern
    from repatria.paper.review_sheet import ReviewHeading

    sure = "" if found.confidence is None else f"{round(found.confidence)} %"
    facts = [
        (_("Documents"), number_text(found.documents)),
        (_("Pages"), number_text(found.pages)),
        (_("Pages to look at"), number_text(len(found.entries))),
        (_("Mean confidence"), sure),
    ]
    counts = [(concern_word(concern), number_text(found.count(concern))) for concern in Concern]
    return ReviewHeading(head.dataset_id, head.bundle_id, facts, counts)


def _shown_page(entry: "PageReview", glimpse: "Glimpse | None") -> "ShownPage":
    from repatria.cli.concern_words import concern_texts
    from repatria.ocr.review import Concern
    from repatria.paper.review_sheet import ShownConcern, ShownPage

    document = entry.document.row
    scan = document.cote.rpartition("/")[2]
    name = _("{title}, page {page}").format(title=document.title or document.cote, page=entry.page)
    if document.title and document.title != scan:  # the title of a dossier, which has other scans too
        name = _("{title}, page {page} of {scan}").format(title=document.title, page=entry.page, scan=scan)
    grave = {Concern.UNREADABLE, Concern.MISSING} & set(entry.concerns)
    concerns = [ShownConcern(text, bool(grave) and not place) for place, text in enumerate(concern_texts(entry))]
    if glimpse is None:
        return ShownPage(entry.reference, name, concerns, entry.confidence)
    read = [[(word.text, word.confidence) for word in line.words] for line in glimpse.lines]
    size = glimpse.width, glimpse.height
    return ShownPage(entry.reference, name, concerns, entry.confidence, read, glimpse.thumbnail, size)
