"""What concerns about pages are called, in the user's language."""

from typing import TYPE_CHECKING

from repatria.i18n import _

if TYPE_CHECKING:
    from repatria.ocr.review import Concern, Missing, PageReview


def concern_word(concern: "Concern") -> str:
    """Return how a concern is called."""
    return {
        "unreadable": _("unreadable"),
        "missing-before": _("pages missing before it? (suspected)"),
        "unsure": _("read with little confidence"),
        "handwriting": _("handwriting? (suspected)"),
        "sideways": _("lies on its side? (suspected)"),
        "turned": _("was turned upright"),
        "faint": _("faint ink"),
        "askew": _("laid askew"),
        "blank": _("blank"),
    }[str(concern)]


def concern_texts(entry: "PageReview") -> list[str]:
    """Return a page's concerns as people read them, the worst first."""
    from repatria.ocr.review import Concern

    texts: list[str] = []
    for concern in entry.concerns:
        told = [missing_text(missing) for missing in entry.missing] if concern is Concern.MISSING else []
        texts += told or [concern_word(concern)]
    return texts


def missing_text(missing: "Missing") -> str:
    """Return which numbers are suspected to be missing, and what says so."""
    numbers = str(missing.first) if missing.first == missing.last else f"{missing.first}-{missing.last}"
    if missing.told_by == "names":
        return _("missing before it? (suspected) {numbers}, by the scans' names").format(numbers=numbers)
    return _("missing before it? (suspected) {numbers}, by the printed numbers").format(numbers=numbers)
