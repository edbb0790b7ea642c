"""What an inventory recognised, in words for people; JSON and CSV keep the bare English ones."""

from collections.abc import Mapping

from repatria.cli.quantity import number_text
from repatria.i18n import _


def _mark(message: str) -> str:
    """Mark a word for translation where it is shown, not here."""
    return message


WORDS = {
    each: each
    for each in (
        _mark("unknown"),
        _mark("text"),
        _mark("image"),
        _mark("video"),
        _mark("audio"),
        _mark("audio or video"),
        _mark("program"),
        _mark("sql dump"),
        _mark("database dump"),
        _mark("postgresql archive"),
        _mark("office document"),
        _mark("name"),
        _mark("birth"),
        _mark("identity"),
        _mark("phone"),
        _mark("address"),
        _mark("diagnosis"),
        _mark("resource"),
        _mark("phone number"),
        _mark("icd-10 code"),
        _mark("nin number"),
        _mark("iuc number"),
        _mark("npi number"),
        _mark("cin number"),
    )
}
"""Kinds and signs of `migrate.classify` and `migrate.signs` that differ between languages; `dicom`, `pdf` do not."""


def kind_word(kind: str) -> str:
    """Return a kind, or a sign, in the language spoken."""
    return _(WORDS[kind]) if kind in WORDS else kind


def signs_text(signs: Mapping[str, int]) -> str:
    """Return signs with how often each was seen: `name 1, phone number 12`."""
    return ", ".join(f"{kind_word(sign)} {number_text(count)}" for sign, count in sorted(signs.items()))
