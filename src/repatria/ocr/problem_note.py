"""The text beside a scan that a person should know something about: in French, as Notepad on any Windows opens it."""

from collections.abc import Sequence

from repatria.i18n import speaker
from repatria.ocr.reading import Trouble


def problem_note(name: str, troubles: Sequence[Trouble]) -> bytes:
    """Return the note: what cannot be read and what to do, then what was seen; UTF-8 with its mark, CRLF."""
    _ = speaker("fr")
    pages = [trouble.page for trouble in troubles if trouble.page is not None]
    if not pages:
        first = _("Scan unreadable: scan again, drop it in inbox under the same name.")
    elif len(pages) == 1:
        first = _("Page {page} unreadable: scan again, drop it in inbox under the same name.").format(page=pages[0])
    else:
        first = _("Pages {pages} unreadable: scan again, drop them in inbox under the same name.").format(
            pages=", ".join(map(str, pages))
        )
    lines = [first, "", _("File: {name}").format(name=name), "", _("What was seen:")]
    for trouble in troubles:
        where = _("page {page}: ").format(page=trouble.page) if trouble.page is not None else ""
        lines.append(f"- {where}{trouble.detail}")
    kept = (
        _("The other pages are in the archive. The scan that you drop takes the place of this one; nothing is deleted.")
        if pages
        else _("This file is not in the archive. The scan that you drop takes its place; nothing is deleted.")
    )
    return _text([*lines, "", kept])


def copy_note(name: str) -> bytes:
    """Return the note beside a scan in `done` whose very bytes are in the archive under another name."""
    _ = speaker("fr")
    return _text(
        [
            _("In the archive already, under another name: nothing to do."),
            "",
            _("File: {name}").format(name=name),
            "",
            _("It is, to the last byte, a scan that was archived before; it was not archived a second time."),
            _("If it should be another page: scan that page again, drop it in inbox under this name."),
        ]
    )


def _text(lines: Sequence[str]) -> bytes:
    return "\r\n".join([*lines, ""]).encode("utf-8-sig", "replace")
