"""Reading a TOML file that a person wrote: every fault told at once, each with its line and how to mend it."""

import dataclasses
import difflib
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from repatria.errors import ManifestError
from repatria.i18n import _, ngettext
from repatria.reasons import reason_of
from repatria.toml_fault import toml_fault

Location = tuple[str | int, ...]
"""Where a value stands: `("source", 0, "uri")` is `uri` in the first `[[source]]`."""

Shape = TypeVar("Shape")

MAXIMUM_SIZE = 1 << 20
"""No file of settings is larger; more is another file, named by mistake."""

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*=""")


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a file."""

    where: Location
    sentence: str
    """Translated: what is wrong and how to mend it."""


def wrong(sentence: str) -> PydanticCustomError:
    """Return the error by which a validator refuses a value; `sentence` is translated."""
    return PydanticCustomError("repatria", "{sentence}", {"sentence": sentence})


def read_tables(file: Path) -> tuple[dict[str, Any], str]:
    """Return the tables of a TOML file, and its text for `line_of`; ManifestError if it is none."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAXIMUM_SIZE + 1)
    except OSError as error:
        raise ManifestError(
            _("{file} cannot be read: {reason}.").format(file=file, reason=reason_of(error)),
            advice=_("Check the path and its permissions."),
        ) from error
    if len(content) > MAXIMUM_SIZE:
        raise ManifestError(
            _("{file} is too large for a file of settings.").format(file=file),
            advice=_("Check the path that was given."),
        )
    try:
        text = content.decode("utf-8-sig")  # some editors write a byte order mark, and do not show it
    except UnicodeDecodeError as error:
        raise ManifestError(
            _("{file} is not UTF-8 text.").format(file=file), advice=_("Save it again in the encoding UTF-8.")
        ) from error
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(
            _("{file} is not valid TOML: {reason}").format(file=file, reason=toml_fault(error, text)),
            advice=_('Mend that place. Text stands in quotes (owner = "CHU de Fann"), lists in brackets.'),
        ) from error


def parse(
    shape: type[Shape], tables: Mapping[str, Any], context: Mapping[str, Any], examples: Mapping[str, str]
) -> tuple[Shape | None, list[Fault]]:
    """Return the dataclass `shape` made from `tables`, or None and the faults that kept it from being made.

    `context` reaches the validators; `examples` gives the line to add if a key such as `source.uri` is missing.
    """
    try:
        return TypeAdapter(shape).validate_python(tables, context=dict(context)), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        return None, [Fault(detail["loc"], _sentence(detail, shape, examples)) for detail in details]


def refuse(file: Path, text: str, faults: Sequence[Fault]) -> ManifestError:
    """Return the one error that tells all faults of a file."""
    numbered = sorted(((line_of(text, fault.where) or 0, fault) for fault in faults), key=itemgetter(0))
    lines = [_fault_line(line, fault) for line, fault in numbered]
    advice = _("Nothing was done. Mend the file and run the same command again.")
    if len(lines) == 1:
        return ManifestError(f"{file}: {lines[0]}", advice=advice)
    message = ngettext("{file} has {count} fault:", "{file} has {count} faults:", len(lines))
    return ManifestError(message.format(file=file, count=len(lines)), advice=advice, details=lines)


def _fault_line(line: int, fault: Fault) -> str:
    key = dotted(fault.where)
    if not line:
        return _("{key}: {fault}").format(key=key, fault=fault.sentence) if key else fault.sentence
    return _("line {line}, {key}: {fault}").format(line=line, key=key, fault=fault.sentence)


def dotted(where: Location) -> str:
    """Return a location as people write it: `source.uri`, or `source[2].uri` from the second table of a list on."""
    words = ""
    for step in where:
        if isinstance(step, int):
            words += f"[{step + 1}]" if step else ""
        else:
            words += f".{step}" if words else step
    return words


def line_of(text: str, where: Location) -> int | None:
    """Return the line, from 1, on which a key stands, else that of its table's header, else None."""
    wanted, key = (where[:-1], where[-1]) if where else ((), "")
    header_line = None
    for number, table, name in _keys(text):
        if table == where and name is None:
            return number
        if table == wanted and name is None:
            header_line = number
        if table == wanted and name == key:
            return number
    return header_line


def _keys(text: str) -> Iterator[tuple[int, Location, str | None]]:
    """Yield (line, table, key) for each key, and (line, table, None) for each table header."""
    table: Location = ()
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            name = header[2]
            seen[name] = seen.get(name, -1) + 1
            steps = tuple(step.strip(" \"'") for step in name.split("."))
            table = (*steps, seen[name]) if header[1] == "[[" else steps
            yield number, table, None
        elif key := _KEY.match(line):
            yield number, table, key[1] or key[2] or key[3]


def _sentence(detail: ErrorDetails, shape: type[Any], examples: Mapping[str, str]) -> str:
    """Say what pydantic found, in the user's language and with the way to mend it."""
    where = detail["loc"]
    match detail["type"]:
        case "repatria":
            sentence = detail["msg"]
        case "extra_forbidden" | "unexpected_keyword_argument":
            sentence = unknown_key(str(where[-1]), known_keys(shape, where))
        case "missing" | "missing_argument":
            example = examples.get(".".join(step for step in where if isinstance(step, str)))
            sentence = _("is missing; add: {example}").format(example=example) if example else _("is missing.")
        case "literal_error":
            sentence = _("must be one of {values}.").format(values=detail["ctx"]["expected"].replace(" or ", ", "))
        case "string_type" | "path_type":
            sentence = _("must be text between quotes.")
        case "tuple_type" | "list_type":
            sentence = _("must be a list between square brackets.")
        case "dataclass_type" | "mapping_type":
            sentence = _("must be a table: a line [{key}], its keys below.").format(key=dotted(where))
        case _other:
            sentence = _("does not fit: {reason}.").format(reason=detail["msg"])
    return sentence


def unknown_key(key: str, known: Sequence[str]) -> str:
    """Say that a key is unknown, and which known one is nearest."""
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return _("is unknown; did you mean {near}?").format(near=near[0])
    return _("is unknown; the keys here are: {known}.").format(known=", ".join(known))


def known_keys(shape: type[Any], where: Location) -> list[str]:
    """Return the keys that the table may have in which `where` stands."""
    steps = [step for step in where[:-1] if isinstance(step, str)]
    while steps:
        hint = _hints(shape).get(steps.pop(0))
        if typing.get_origin(hint) is not None and _is_mapping(hint) and steps:
            steps.pop(0)
        found = _dataclass_in(hint)
        if found is None:
            return []
        shape = found
    return list(_hints(shape))


def _hints(shape: type[Any]) -> dict[str, Any]:
    """Return the type of each key of a dataclass, by the name it has in the file."""
    hints = typing.get_type_hints(shape, include_extras=True)
    return {_alias(hints[field.name]) or field.name: hints[field.name] for field in dataclasses.fields(shape)}


def _alias(hint: Any) -> str | None:
    extras = hint.__metadata__ if typing.get_origin(hint) is Annotated else ()
    return next((extra.alias for extra in extras if isinstance(extra, FieldInfo) and extra.alias), None)


def _is_mapping(hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return _is_mapping(typing.get_args(hint)[0])
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _dataclass_in(hint: Any) -> type[Any] | None:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return hint
    return next((found for part in typing.get_args(hint) if (found := _dataclass_in(part))), None)
