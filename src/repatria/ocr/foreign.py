"""What is no scan, told by its first bytes: a person is told what to do with it, rather than to scan it again."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

from repatria.i18n import _
from repatria.ocr.picture import UnreadablePageError


class Remedy(Enum):
    """What a person does about a scan that cannot be archived."""

    SCAN_AGAIN = auto()
    PRINT_TO_PDF = auto()
    """It is a document of an office program, or a message."""
    SAVE_AS_PICTURE = auto()
    """It is a picture in a form that is not read."""
    MOVE_AWAY = auto()
    """It is nothing that has pages, as far as it can be told."""
    UNLOCK = auto()
    """It is a PDF that asks for a password."""
    DIVIDE = auto()
    """It is too large."""


class ForeignFileError(UnreadablePageError):
    """A file is no scan."""

    remedy = Remedy.MOVE_AWAY

    @classmethod
    def of(cls, head: bytes) -> Self:
        """Return the error for a file by its first bytes: it names what it is, and the forms that are read."""
        found = foreign_form(head)
        error = cls(
            _("It is {kind}, and no scan, whatever its name says.").format(kind=found.name),
            advice=_("Scans are JPEG, PNG, TIFF, JPEG 2000 or PDF: save it in one of these forms, or take it away."),
        )
        error.remedy = found.remedy
        return error


class LockedFileError(UnreadablePageError):
    """A file asks for a password."""


@dataclass(frozen=True, slots=True)
class ForeignForm:
    """A form that is not read."""

    name: str
    """Translated, with its article."""
    remedy: Remedy


def foreign_form(head: bytes) -> ForeignForm:
    """Return what a file is that is no scan, by its first bytes."""
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")) and _is_office(head):
        return ForeignForm(_("a document of an office program (Word, Excel, LibreOffice ...)"), Remedy.PRINT_TO_PDF)
    if head.startswith(b"{\\rtf"):
        return ForeignForm(_("a document of an office program (Word, Excel, LibreOffice ...)"), Remedy.PRINT_TO_PDF)
    if head.startswith(_PICTURES) or head[8:12] == b"WEBP" or head[4:12] in _PHOTOGRAPHS:
        return ForeignForm(_("a picture of a form that is not read (HEIC, GIF, BMP, WebP ...)"), Remedy.SAVE_AS_PICTURE)
    if head.startswith(_PACKED):
        return ForeignForm(_("a packed file (ZIP, RAR, 7z ...)"), Remedy.MOVE_AWAY)
    if _is_text(head):
        return ForeignForm(_("a text file or a web page"), Remedy.PRINT_TO_PDF)
    return ForeignForm(_("a file of an unknown kind"), Remedy.MOVE_AWAY)


def remedy_of(error: Exception) -> Remedy:
    """Return what to do about a scan as a whole, by what went wrong with it."""
    if isinstance(error, LockedFileError):
        return Remedy.UNLOCK
    return error.remedy if isinstance(error, ForeignFileError) else Remedy.SCAN_AGAIN


_PICTURES = (b"GIF8", b"BM", b"AT&TFORM")
_PHOTOGRAPHS = frozenset({b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"})
_PACKED = (b"PK\x03\x04", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b")
_OFFICE_PARTS = (b"[Content_Types].xml", b"_rels/", b"word/", b"xl/", b"ppt/", b"mimetypeapplication/vnd.oasis")


def _is_office(head: bytes) -> bool:
    """Tell an office document from any other ZIP file, by the names of its first parts."""
    return not head.startswith(b"PK") or any(part in head for part in _OFFICE_PARTS)


def _is_text(head: bytes) -> bool:
    """Tell whether these bytes are text: none of them is a control character of no use in text."""
    return bool(head) and not any(byte < 0x20 and byte not in b"\t\n\r\f" for byte in head)
