"""What is wrong with a TOML text, in the user's language, by what `tomllib` says of it."""

import re
import tomllib

from repatria.i18n import _

_PLACE = re.compile(
    r"(?P<what>.*?) \((?:at line (?P<line>\d+), column (?P<column>\d+)|at end of document)\)", re.DOTALL
)


def toml_fault(error: tomllib.TOMLDecodeError, text: str) -> str:
    """Return a sentence that says where the fault is and what it is; the library's own words if it is a rare one."""
    match = _PLACE.fullmatch(str(error))
    if match is None:
        return str(error)
    what = _fault(match["what"])
    lines = text.splitlines()
    line = int(match["line"] or max(1, len(lines)))
    column = int(match["column"] or len(lines[-1]) + 1 if lines else 1)
    return _("line {line}, column {column}: {fault}").format(line=line, column=column, fault=what)


def _fault(what: str) -> str:
    """Return the sentence for what the library says, by its beginning; what is not known here is passed on."""
    sentences = {
        "Expected '=' after a key": _("after a key there must be a sign =."),
        "Invalid value": _("a value is missing, or is text without quotes."),
        "Invalid statement": _("this is neither a key, nor a [table], nor a comment."),
        "Expected newline or end of document": _("after a value the line must end; text stands between two quotes."),
        "Unterminated string": _("a text begins with a quote and does not end with one."),
        "Illegal character": _("a character that may not stand there: a text may be without its second quote."),
        "Expected ']'": _("a bracket ] is missing."),
        "Unclosed array": _("a list is not closed: a bracket ] is missing."),
        "Unclosed inline table": _("a closing brace is missing."),
        "Cannot overwrite a value": _("this key stands there twice."),
        "Cannot declare": _("this table stands there twice."),
        "Unescaped": _("before a \\ in a text put another one, or use single quotes."),
    }
    for beginning, sentence in sentences.items():
        if what.startswith(beginning):
            return sentence
    return f"{what}."
