"""The French catalogue kept in step with the source: extract, merge, and list what is untranslated.

`python tools/messages.py` merges what the source says today into every catalogue and lists the sentences that have no
translation; `--check` changes nothing and ends with code 1 if there are any.
"""

import argparse
import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
SPEAKING = ("src/repatria", "tools/demo")
"""Where sentences are that a user sees."""

MARKERS = {"_": 1, "_mark": 1, "ngettext": 2}
"""The functions that take a sentence, and how many; `_mark` says that it is translated where it is shown."""


UNKEPT_HEADERS = tuple(
    f'"{name}:'.encode()
    for name in (
        "Report-Msgid-Bugs-To",
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Last-Translator",
        "Language-Team",
        "Generated-By",
    )
)
"""Headers that say nothing here, or change with every run."""


def speaking_files() -> Iterator[Path]:
    """Yield every source file that may hold sentences."""
    for folder in SPEAKING:
        yield from sorted((ROOT / folder).rglob("*.py"))


def sentences(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """Yield the sentences that a module gives to `_` and its like: one, or singular and plural."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKERS:
            words = [each.value for each in node.args[: MARKERS[node.func.id]] if isinstance(each, ast.Constant)]
            if words and all(isinstance(word, str) for word in words):
                yield tuple(str(word) for word in words)


def extracted() -> Catalog:
    """Return every sentence of the source, with the files it stands in."""
    catalogue = Catalog(project="repatria", charset="utf-8")
    for file in speaking_files():
        place = (str(file.relative_to(ROOT)), 1)
        for sentence in sentences(ast.parse(file.read_text(encoding="utf-8"))):
            catalogue.add(sentence if len(sentence) > 1 else sentence[0], locations=[place])
    return catalogue


def catalogues() -> Iterator[Path]:
    """Yield the file of every language."""
    yield from sorted((ROOT / "src/repatria/locale").glob("*/LC_MESSAGES/repatria.po"))


def read(file: Path) -> Catalog:
    """Return one language's catalogue."""
    with file.open("rb") as stream:
        return read_po(stream, locale=file.parts[-3])


def untranslated(catalogue: Catalog, source: Catalog) -> list[Message]:
    """Return the sentences of the source that the catalogue lacks, has empty, or was unsure of."""
    return [
        message
        for message in source
        if message.id and ((known := catalogue.get(message.id)) is None or known.fuzzy or not _whole(known.string))
    ]


def _whole(translation: str | list[str] | tuple[str, ...] | None) -> bool:
    return all(translation) and bool(translation) if isinstance(translation, (list, tuple)) else bool(translation)


def merge(file: Path, source: Catalog) -> None:
    """Bring one catalogue in step with the source: what is new comes in empty, what is gone goes."""
    catalogue = read(file)
    before = file.read_bytes()
    catalogue.update(source, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    text = io.BytesIO()
    write_po(text, catalogue, width=120, sort_by_file=True, include_lineno=False, ignore_obsolete=True)
    lines = text.getvalue().splitlines(keepends=True)
    after = b"".join(line for line in lines if not line.startswith(UNKEPT_HEADERS))
    if after != before:
        file.write_bytes(after)


def main() -> int:
    """Merge, or with `--check` only look; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args().check
    source = extracted()
    missing = 0
    for file in catalogues():
        if not check:
            merge(file, source)
        lacking = untranslated(read(file), source)
        missing += len(lacking)
        for message in lacking:
            places = ", ".join(sorted({name for name, _line in message.locations}))
            sys.stdout.write(f"{places}: {message.id}\n")
        sys.stdout.write(f"{file.relative_to(ROOT)}: {len(source)} sentences, {len(lacking)} untranslated\n")
    return 1 if check and missing else 0


if __name__ == "__main__":
    sys.exit(main())
