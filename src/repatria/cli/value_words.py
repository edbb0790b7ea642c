"""The words that stand for values on the command line, in the user's language: messages call them the same."""

from repatria.i18n import _


def value_text(metavar: str) -> str:
    """Return the word for a value, or for each of several that are parted by `|`; what is no such word stays."""
    words = {
        "BUNDLE": _("BUNDLE"),
        "DATASET": _("DATASET"),
        "DAYS": _("DAYS"),
        "FILE": _("FILE"),
        "FOLDER": _("FOLDER"),
        "HASH": _("HASH"),
        "IDENTITY": _("IDENTITY"),
        "INPUT": _("INPUT"),
        "LANG": _("LANG"),
        "LIST": _("LIST"),
        "MANIFEST": _("MANIFEST"),
        "NAME": _("NAME"),
        "NUMBER": _("NUMBER"),
        "PATH": _("PATH"),
        "PATTERN": _("PATTERN"),
        "PERCENT": _("PERCENT"),
        "QUERY": _("QUERY"),
        "RATE": _("RATE"),
        "RECIPIENT": _("RECIPIENT"),
        "REF": _("REF"),
        "SHARES": _("SHARES"),
        "SPEC": _("SPEC"),
        "TARGET_URI": _("TARGET_URI"),
        "TEXT": _("TEXT"),
        "TIME": _("TIME"),
        "TITLE": _("TITLE"),
    }
    return "|".join(words.get(word, word) for word in metavar.split("|"))
