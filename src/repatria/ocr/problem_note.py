"""The text beside a scan that needs a person: in French, as Notepad on any Windows opens it."""

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
    lines += ["", kept, ""]
    return "\r\n".join(lines).encode("utf-8-sig", "replace")
