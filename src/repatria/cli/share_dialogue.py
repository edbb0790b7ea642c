"""Asking custodians for their shares at a terminal, one after another, none seeing the words of another."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from repatria.cli.output import Output
from repatria.crypt.errors import ShareError, ShareSetError, ShareWordError
from repatria.crypt.share_words import WORDS, Share, full_word, read_share
from repatria.crypt.shares import Joining
from repatria.errors import UsageError
from repatria.i18n import _, ngettext

_NUMBER = re.compile(r"(\d{1,9})[.):]?")
_ENTER_ALTERNATE = "\x1b[?1049h\x1b[2J\x1b[H"
_LEAVE_ALTERNATE = "\x1b[2J\x1b[H\x1b[?1049l"


class ShareEntry:
    """A share as it is typed: words in order, or each with its number to go back to it."""

    def __init__(self) -> None:
        self._words: list[str | None] = [None] * WORDS

    @property
    def next(self) -> int | None:
        """The first word that is missing, counted from 1; None if none is."""
        return next((place for place, word in enumerate(self._words, 1) if word is None), None)

    def take(self, line: str) -> list[int]:
        """Put in the words of a line; return the positions, and numbers, at which something could not be taken.

        What follows a refused word is dropped, so that nothing slides into another's place.
        """
        position = self.next
        for token in line.split():
            number = _NUMBER.fullmatch(token)
            if number:
                position = int(number[1])
                continue
            position = self.next if position is None else position
            if position is None or not 1 <= position <= WORDS or full_word(token) is None:
                return [WORDS + 1 if position is None else position]
            self._words[position - 1] = token
            position += 1
        return []

    def share(self) -> Share:
        """Return the share; ShareError says what is wrong with it."""
        return read_share([word for word in self._words if word is not None])


def ask_for_shares(out: Output) -> Joining:
    """Ask until there are enough shares, or the input ends."""
    joining = Joining()
    out.stderr.write(
        _("Each custodian types the words of their own page; the screen is cleared after each share.") + "\n"
    )
    while joining.wanted != 0:
        with _own_screen(out):
            share = _ask_for_share(out, len(joining.shares) + 1)
        if share is None:
            return joining
        out.stderr.write(_taken(joining, share) + "\n")
    return joining


def _taken(joining: Joining, share: Share) -> str:
    try:
        new = joining.add(share)
    except ShareSetError as error:
        return f"{error.message} {error.advice}"
    if not new:
        return _("Share {number} was given already; another one is needed.").format(number=share.number)
    message = ngettext(
        "Share {number} of set {set} is right. {count} more share is needed.",
        "Share {number} of set {set} is right. {count} more shares are needed.",
        joining.wanted or 0,
    )
    return message.format(number=share.number, set=share.identifier, count=joining.wanted)


def _ask_for_share(out: Output, place: int) -> Share | None:
    """Return a share whose words are right, None if the input ends."""
    entry = ShareEntry()
    explained = _("Share number {place} to be typed: {count} words, as many on a line as you like.")
    out.stderr.write(explained.format(place=place, count=WORDS) + "\n")
    out.stderr.write(_("To correct a word, type its number and the word again: 17 academic") + "\n")
    while True:
        line = ask(out, _prompt(entry))
        if line is None:
            return None
        for position in entry.take(line):
            out.stderr.write(_refusal(position) + "\n")
        if entry.next is not None:
            continue
        try:
            return entry.share()
        except ShareWordError as error:
            out.stderr.write(f"{error.message} {error.advice}\n")
        except ShareError as error:
            out.stderr.write(f"{error.message} {error.advice}\n")
            entry = ShareEntry()


def _prompt(entry: ShareEntry) -> str:
    if entry.next is None:
        return _("Number and word to correct:")
    return _("Word {position} of {count}:").format(position=entry.next, count=WORDS)


def _refusal(position: int) -> str:
    if not 1 <= position <= WORDS:
        return _("A share has {count} words; what came after them was not taken.").format(count=WORDS)
    return _("Word {position} is not in the list of share words; type it again, and what followed.").format(
        position=position
    )


def ask(out: Output, prompt: str) -> str | None:
    """Return a line typed at the terminal, None at the end of the input. Not through readline: it keeps a history."""
    out.stderr.write(f"{prompt} ")
    out.stderr.flush()
    try:
        line = sys.stdin.readline(64 * 1024)
    except UnicodeDecodeError as error:
        raise UsageError(
            _("What was typed is not text in this terminal's character set."), advice=_("Type the words again.")
        ) from error
    return line.rstrip("\n") if line else None


@contextmanager
def _own_screen(out: Output) -> Iterator[None]:
    """Show what is typed on a screen that is gone afterwards, so that it stays in no scrollback."""
    if os.environ.get("TERM", "dumb") == "dumb":
        yield
        return
    out.stderr.write(_ENTER_ALTERNATE)
    try:
        yield
    finally:
        out.stderr.write(_LEAVE_ALTERNATE)
        out.stderr.flush()
