"""The text beside a scan that a person should know something about: in French, as Notepad on any Windows opens it."""

from collections.abc import Sequence

from repatria.i18n import speaker
from repatria.ocr.cotes import SCAN_ENDING
from repatria.ocr.foreign import Remedy
from repatria.ocr.reading import Trouble

_NO_SCAN = frozenset({Remedy.PRINT_TO_PDF, Remedy.SAVE_AS_PICTURE, Remedy.MOVE_AWAY})


def problem_note(name: str, troubles: Sequence[Trouble]) -> bytes:
    """Return the note: what cannot be read and what to do, then what was seen; UTF-8 with its mark, CRLF."""
    _ = speaker("fr")
    pages = [trouble.page for trouble in troubles if trouble.page is not None]
    remedy = _remedy(name, troubles)
    lines = [_first(pages, remedy), "", _("File: {name}").format(name=name), "", _("What was seen:")]
    for trouble in troubles:
        where = _("page {page}: ").format(page=trouble.page) if trouble.page is not None else ""
        lines.append(f"- {where}{trouble.detail}")
    if remedy in _NO_SCAN:
        lines += ["", _("Scans that are read: JPEG, PNG, TIFF (several pages, too), JPEG 2000, PDF.")]
    return _text([*lines, "", _kept(pages, remedy)])


def _remedy(name: str, troubles: Sequence[Trouble]) -> Remedy:
    """Return what to do: a file that is no scan though its name says so was damaged on its way."""
    found = troubles[0].remedy if troubles else Remedy.SCAN_AGAIN
    return Remedy.SCAN_AGAIN if found in _NO_SCAN and SCAN_ENDING.search(name) else found


def _first(pages: Sequence[int], remedy: Remedy) -> str:
    """Return the first line: what it is, and what to do."""
    _ = speaker("fr")
    if len(pages) == 1:
        return _("Page {page} unreadable: scan again, drop it in inbox under the same name.").format(page=pages[0])
    if pages:
        return _("Pages {pages} unreadable: scan again, drop them in inbox under the same name.").format(
            pages=", ".join(map(str, pages))
        )
    return {
        Remedy.SCAN_AGAIN: _("Scan unreadable: scan again, drop it in inbox under the same name."),
        Remedy.PRINT_TO_PDF: _("Not a scan: print it or save it as PDF, drop the PDF in inbox, move this file away."),
        Remedy.SAVE_AS_PICTURE: _(
            "Picture of a form that is not read: save it as TIFF, PNG or JPEG, drop that in inbox, move this file away."
        ),
        Remedy.MOVE_AWAY: _("Not a scan: move this file away."),
        Remedy.UNLOCK: _("PDF with a password: save it without one, drop it in inbox under the same name."),
        Remedy.DIVIDE: _("File too large: cut it into several, drop these in inbox, move this file away."),
    }[remedy]


def _kept(pages: Sequence[int], remedy: Remedy) -> str:
    """Return the last line: what the archive holds."""
    _ = speaker("fr")
    if pages:
        return _(
            "The other pages are in the archive. The scan that you drop takes the place of this one;"
            " nothing is deleted."
        )
    if remedy in {Remedy.SCAN_AGAIN, Remedy.UNLOCK}:
        return _("This file is not in the archive. The scan that you drop takes its place; nothing is deleted.")
    return _("This file is not in the archive; nothing is deleted.")


def copy_note(name: str, twin: str = "") -> bytes:
    """Return the note beside a scan in `done` whose very bytes are in the archive under another name.

    `twin` is where in the shared folder the scan of that name lies; empty if it is no longer there.
    """
    _ = speaker("fr")
    where = (
        _("It has the same bytes as: {twin}").format(twin=twin.replace("/", "\\"))
        if twin
        else _("The scan of that name is no longer in done; a search for its words tells it.")
    )
    return _text(
        [
            _("In the archive already, under another name: nothing to do."),
            "",
            _("File: {name}").format(name=name),
            where,
            "",
            _("It is, to the last byte, a scan that was archived before; it was not archived a second time."),
            _("If it should be another page: scan that page again, drop it in inbox under this name."),
        ]
    )


def _text(lines: Sequence[str]) -> bytes:
    return "\r\n".join([*lines, ""]).encode("utf-8-sig", "replace")
