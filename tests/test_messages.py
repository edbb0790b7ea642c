"""Every sentence a user sees goes through the catalogue, and French is complete."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import messages  # of tools/
import pytest
from babel.messages.catalog import Message

SHOWING = {"say", "text", "warn", "error"}
"""Methods of `Output` and `Progress` whose first argument is shown."""

SENTENCES = re.compile(r"[^\W\d_]{2,}")
"""What makes a literal a sentence for people: a word of two letters or more."""

RECEIVERS = {"out", "output", "progress"}


def source() -> list[Message]:
    return [message for message in messages.extracted() if message.id]


def translation(message: Message) -> tuple[str, ...]:
    known = FRENCH.get(message.id)
    if known is None:
        return ()
    return (known.string,) if isinstance(known.string, str) else tuple(known.string or ())


def originals(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def placeholders(text: str) -> list[str]:
    return sorted(name for _text, name, _form, _conversion in string.Formatter().parse(text) if name is not None)


FRENCH = messages.read(next(messages.catalogues()))


def test_every_sentence_is_translated() -> None:
    lacking = [str(message.id) for message in source() if not translation(message) or not all(translation(message))]
    assert lacking == []


def test_translations_fill_the_same_placeholders() -> None:
    different = [
        str(message.id)
        for message in source()
        for french in translation(message)
        if french and placeholders(french) != placeholders(originals(message)[-1])
        if placeholders(french) != placeholders(originals(message)[0])
    ]
    assert different == []


def test_the_catalogue_holds_nothing_that_is_never_said() -> None:
    said = {message.id for message in source()}
    assert [message.id for message in FRENCH if message.id and message.id not in said] == []


@pytest.mark.parametrize("file", [*messages.speaking_files()], ids=lambda file: str(file.relative_to(messages.ROOT)))
def test_whatever_is_shown_goes_through_the_catalogue(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    unwrapped = [f"{file.name}:{node.lineno}: {ast.unparse(node)}" for node in shown(tree) if is_sentence(node)]
    assert unwrapped == []


def test_markers_are_given_literal_sentences() -> None:
    computed = [
        f"{file.name}:{node.lineno}: {ast.unparse(node)}"
        for file in messages.speaking_files()
        if file.name != "i18n.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in messages.MARKERS
        if not all(is_literal_or_marked(argument) for argument in node.args[: messages.MARKERS[node.func.id]])
    ]
    assert computed == []


def is_literal_or_marked(node: ast.expr) -> bool:
    """Allow a sentence, or a table whose sentences are marked where they stand: `_(FINDING_WORDS[kind])`."""
    return isinstance(node, (ast.Constant, ast.Subscript, ast.Attribute))


def is_sentence(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(SENTENCES.search(node.value))
    if isinstance(node, ast.JoinedStr):
        return any(is_sentence(part) for part in node.values if isinstance(part, ast.Constant))
    if isinstance(node, ast.BinOp):
        return is_sentence(node.left) or is_sentence(node.right)
    return isinstance(node, ast.IfExp) and (is_sentence(node.body) or is_sentence(node.orelse))


def shown(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield every expression of a module that a user will see."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from shown_by(node)


def shown_by(call: ast.Call) -> Iterator[ast.expr]:
    name = called_name(call.func)
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in {"Option", "Argument", "command"} and "help" in keywords:
        yield keywords["help"]
    if name in SHOWING and call.args and isinstance(call.func, ast.Attribute) and receiver(call.func) in RECEIVERS:
        yield call.args[0]
    if name == "start" and call.args and isinstance(call.func, ast.Attribute) and receiver(call.func) == "progress":
        yield call.args[0]
    if name in ERRORS:
        yield from call.args[:1]
        yield from (keywords[key] for key in ("message", "advice") if key in keywords)
    if name == "Finding":
        yield from call.args[2:3]
        if "detail" in keywords:
            yield keywords["detail"]
    if name == "Column":
        yield from call.args[1:2]
        if "title" in keywords:
            yield keywords["title"]


def called_name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def receiver(attribute: ast.Attribute) -> str:
    value = attribute.value
    if isinstance(value, ast.Attribute):
        return value.attr.lstrip("_")
    return value.id if isinstance(value, ast.Name) else ""


def error_classes() -> set[str]:
    """Return the names of all classes that derive from RepatriaError, wherever they are."""
    bases: dict[str, set[str]] = {}
    for file in messages.speaking_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(called_name(base) for base in node.bases)
    found = {"RepatriaError"}
    while more := {name for name, parents in bases.items() if parents & found} - found:
        found |= more
    return found


ERRORS = error_classes()
