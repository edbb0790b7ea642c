"""A custodian's share of a private key, as one page to print and seal. Secret, like the words on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from repatria import i18n
from repatria.i18n import _, ngettext
from repatria.paper.sheet import Sheet

_COLUMNS = 3
_FOOT = 16.0
"""Room for the lines that are filled in by hand."""


@dataclass(frozen=True, slots=True)
class SharePage:
    """What stands on the page."""

    words: Sequence[str] = field(repr=False)
    number: int
    shares: int
    threshold: int
    set_number: int
    fingerprint: str
    """Of the recipient; tells which key the shares give back, and of which kind."""
    kind: str
    """Of the key, translated."""
    purpose: str
    """What the key opens, in the words of who split it; may be empty."""
    made: datetime
    """With time zone."""


def draw_share(page: SharePage) -> bytes:
    """Return the page as PDF, in the language spoken now."""
    title = _("Share {number} of {shares} of a private key").format(number=page.number, shares=page.shares)
    sheet = Sheet(title, i18n.language(), page.made)
    sheet.heading(title)
    sheet.text(
        _("Secret. Keep it in a sealed envelope, in a safe, on paper only. Enough shares together are the key."),
        bold=True,
    )
    sheet.skip(3)
    sheet.facts(_facts(page))
    sheet.skip(2)
    sheet.numbered(page.words, _COLUMNS)
    sheet.skip(4)
    sheet.fitting([*_how_to_join(page), *_what_never_to_do()], _FOOT)
    sheet.blanks([_("Custodian"), _("Date"), _("Signature"), _("Envelope number")])
    return sheet.pdf()


def _facts(page: SharePage) -> list[tuple[str, str]]:
    needed = _("any {threshold} of the {shares} shares of set {set}; fewer tell nothing about the key")
    facts = [
        (
            _("Needed"),
            needed.format(threshold=page.threshold, shares=page.shares, set=page.set_number),
        ),
        (_("Fingerprint"), page.fingerprint),
        (_("Kind of key"), page.kind),
        (_("Made"), _("{moment} UTC").format(moment=page.made.strftime("%Y-%m-%d %H:%M"))),
    ]
    return [(_("Opens"), page.purpose), *facts] if page.purpose else facts


def _how_to_join(page: SharePage) -> list[tuple[str, bool]]:
    others = ngettext(
        "1. Bring {count} other custodian with a page of set {set} and the same fingerprint.",
        "1. Bring {count} other custodians with pages of set {set} and the same fingerprint.",
        page.threshold - 1,
    )
    return [
        (_("To have the key again"), True),
        (others.format(count=page.threshold - 1, set=page.set_number), False),
        (
            _(
                "2. On a computer without network, run: repatria keys join -o KEY. Each custodian types the words of"
                " their own page, in order, and sees nobody else's. The first four letters of a word are enough."
            ),
            False,
        ),
        (
            _(
                "3. Type the fingerprint above when it is asked for. To prove only that the pages are right, run:"
                " repatria keys join --check; it writes nothing."
            ),
            False,
        ),
        (
            _(
                "Without Repatria: the words are a share of SLIP-0039, without passphrase. Any program of that standard"
                " gives back the 32 secret bytes of an age identity."
            ),
            False,
        ),
    ]


def _what_never_to_do() -> list[tuple[str, bool]]:
    return [
        (_("Never"), True),
        (_("- photograph, copy, scan or send this page, or read it out on the telephone;"), False),
        (_("- keep it with another share, or hand it over to one person alone, whoever asks;"), False),
        (_("- type it on a website or on a computer with a network;"), False),
        (
            _(
                "- throw it away when a new set is made: hand it back, and see it destroyed."
                " If it is lost or was seen, report it the same day."
            ),
            False,
        ),
    ]
