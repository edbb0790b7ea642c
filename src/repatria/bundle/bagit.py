"""BagIt as others write it: 0.97 and RFC 8493's 1.0, whatever the algorithms and the encoding. Parsing only, no IO.

Nothing here trusts a bag: a line that cannot be read, or that names what no bag may hold, is a fault with its number,
and the lines around it are read all the same.
"""

import codecs
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from repatria.bundle.errors import MalformedError
from repatria.i18n import _

FETCH: Final = "fetch.txt"
PAYLOAD: Final = "data/"
WEAK: Final = frozenset({"md5", "sha1"})
"""Algorithms for which somebody can make two files with one checksum."""
VERSIONS: Final = frozenset({"0.93", "0.94", "0.95", "0.96", "0.97", "1.0"})
UTF_8: Final = "utf-8"
MAX_TAG_FILE: Final = 256 << 20
"""Bytes: a manifest of about two million files."""

_MANIFEST_NAME = re.compile(r"(tag)?manifest-([^/]+)\.txt\Z")
_DECLARED = re.compile(r"([^:\s]+)\s*:\s*(\S+)\s*\Z")
_SPACE_BEFORE_COLON = re.compile(r"[^:]*\s:")
_ENTRY = re.compile(r"([0-9A-Fa-f]+)(?:[ \t]+\*|[ \t]+)([^\n]+)\Z", re.DOTALL)
_FETCH_LINE = re.compile(r"(\S+)[ \t]+(-|[0-9]+)[ \t]+(.+)\Z", re.DOTALL)
_OXUM = re.compile(r"([0-9]{1,20})\.([0-9]{1,20})\Z")
_LINE_END = re.compile(r"\r\n|\n|\r")
_ESCAPED = re.compile(r"%(0[AaDd]|25)")
_ESCAPED_LINE_END = re.compile(r"%(0[AaDd])")
_DRIVE = re.compile(r"[A-Za-z]:")
_ODD_CODECS = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"})
"""What Python calls encodings of text and no tag file is written in."""
_ALGORITHMS = {
    re.sub(r"[^a-z0-9]", "", name): name for name in hashlib.algorithms_guaranteed if not name.startswith("shake")
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one line of a tag file."""

    line: int
    """From 1; 0 for the file as a whole."""
    detail: str
    """A translated sentence that names no file of the bag."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What `bagit.txt` says."""

    version: str
    encoding: str
    """Python's name for it, empty if nothing of that name is known."""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in a manifest."""

    line: int
    digest: str
    """Lower-case hexadecimal."""


@dataclass(slots=True)
class Manifest:
    """One manifest, payload or tag."""

    name: str
    algorithm: str
    """As hashlib calls it, empty if it is not known."""
    of_tags: bool
    entries: dict[str, Entry] = field(default_factory=dict)
    """By path."""
    faults: list[Fault] = field(default_factory=list)


def manifest_kind(name: str) -> tuple[bool, str] | None:
    """Return (is a tag manifest, algorithm as hashlib calls it or empty) of a manifest's name, None for other files.

    `sha3-256`, `sha3_256` and RFC 8493's normalised `sha3256` are one algorithm.
    """
    match = _MANIFEST_NAME.match(name)
    if match is None:
        return None
    return match[1] is not None, _ALGORITHMS.get(re.sub(r"[^a-z0-9]", "", match[2].lower()), "")


def parse_declaration(data: bytes) -> Declaration:
    """Return what `bagit.txt` declares, faults included."""
    try:
        lines = [line for line in _LINE_END.split(data.decode()) if line.strip()]
    except UnicodeDecodeError:
        return Declaration("", UTF_8, (Fault(0, _("It is not UTF-8 text.")),))
    declared = {match[1]: match[2] for line in lines if (match := _DECLARED.match(line))}
    version = declared.get("BagIt-Version", "")
    named = declared.get("Tag-File-Character-Encoding", "")
    faults = []
    spaced = version >= "0.97" and any(_SPACE_BEFORE_COLON.match(line) for line in lines)  # earlier ones allowed it
    if not version or not named or len(lines) != 2 or spaced:
        faults.append(Fault(0, _("It does not declare a version and an encoding, and nothing else.")))
    return Declaration(version, _codec(named) if named else UTF_8, tuple(faults))


def _codec(name: str) -> str:
    try:
        codec = codecs.lookup(name).name
        " ".encode(codec)  # LookupError for those that are no encodings of text
    except (LookupError, ValueError):
        return ""
    return "" if codec.replace("_", "-") in _ODD_CODECS else codec


def decoded(data: bytes, encoding: str) -> str:
    """Return a tag file's text, without a byte order mark; MalformedError if it is not in that encoding."""
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
        text.encode()  # an encoding that gives halves of characters gives no names
        return text
    except (UnicodeError, ValueError) as error:
        raise MalformedError(_("It is not text in the encoding that bagit.txt declares.")) from error


def parse_manifest(name: str, text: str, present: Mapping[str, object]) -> Manifest:
    """Return the manifest in `text`; `present` are the paths that lie in the bag.

    RFC 8493 escapes line ends and `%` in paths; many tools never escaped `%`. A manifest is read as the RFC has it,
    unless more of its files are there as the others write.
    """
    kind = manifest_kind(name)
    manifest = Manifest(name, kind[1] if kind else "", bool(kind and kind[0]))
    lines = list(_entry_lines(text, manifest.faults))
    with_percent = _escapes_percent((raw for _number, _digest, raw in lines), present)
    for number, digest, raw in lines:
        path = _unescaped(raw, with_percent)
        fault = path_fault(path) or _entry_fault(manifest, path, digest)
        if fault:
            manifest.faults.append(Fault(number, fault))
        if fault is None:
            manifest.entries[path] = Entry(number, digest)
    return manifest


def _entry_lines(text: str, faults: list[Fault]) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(_LINE_END.split(text), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _ENTRY.match(line)
        if match is None:
            faults.append(Fault(number, _("The line is not a checksum and a path.")))
        else:
            yield number, match[1].lower(), match[2].removeprefix("./")


def _entry_fault(manifest: Manifest, path: str, digest: str) -> str | None:
    if not manifest.of_tags and not path.startswith(PAYLOAD):
        return _("It names a file outside of data/.")
    earlier = manifest.entries.get(path)
    if earlier is not None and earlier.digest == digest:
        return _("It names a file a second time.")
    if earlier is not None:
        return _("It names a file a second time, with another checksum.")
    length = hashlib.new(manifest.algorithm, usedforsecurity=False).digest_size * 2 if manifest.algorithm else 0
    if length and len(digest) != length:
        return _("The checksum has not the length that its algorithm gives.")
    return None


def path_fault(path: str) -> str | None:
    """Return why no bag may hold a file of this path, as one sentence, or None."""
    parts = path.split("/")
    if path.startswith(("/", "\\", "~")) or ".." in parts or ".." in path.split("\\") or _DRIVE.match(path):
        return _("It names a path that leads out of the bag. Somebody may mean harm with it.")
    if "\0" in path or "" in parts or "." in parts:
        return _("It names a path that is not a file's.")
    return None


def _escapes_percent(raws: Iterable[str], present: Mapping[str, object]) -> bool:
    doubtful = [raw for raw in raws if "%" in raw]
    as_rfc = present.keys() & {_unescaped(raw, True) for raw in doubtful}
    as_written = present.keys() & {_unescaped(raw, False) for raw in doubtful}
    return len(as_rfc) >= len(as_written)


def _unescaped(raw: str, with_percent: bool) -> str:
    pattern = _ESCAPED if with_percent else _ESCAPED_LINE_END
    return pattern.sub(lambda match: chr(int(match[1], 16)), raw)


def parse_fetch(text: str) -> tuple[dict[str, int], list[Fault]]:
    """Return the files that `fetch.txt` says are elsewhere (path -> line), and its faults. Nothing is ever fetched."""
    paths: dict[str, int] = {}
    faults: list[Fault] = []
    for number, line in enumerate(_LINE_END.split(text), 1):
        if not line.strip():
            continue
        match = _FETCH_LINE.match(line)
        if match is None:
            faults.append(Fault(number, _("The line is not an address, a length and a path.")))
            continue
        raw = match[3].removeprefix("./")
        fault = path_fault(_unescaped(raw, True))
        if fault is None and not raw.startswith(PAYLOAD):
            fault = _("It names a file outside of data/.")
        if fault:
            faults.append(Fault(number, fault))
        else:
            paths |= {_unescaped(raw, True): number, raw: number}
    return paths, faults


def parse_oxum(text: str) -> tuple[tuple[int, int] | None, list[Fault]]:
    """Return (bytes, files) of the Payload-Oxum of `bag-info.txt`, None without one, and the file's faults."""
    found: set[tuple[int, int]] = set()
    faults: list[Fault] = []
    for number, line in enumerate(_LINE_END.split(text), 1):
        if not line.strip() or line[0] in " \t":
            continue  # blank, or the value above goes on
        label, colon, value = line.partition(":")
        if not colon:
            faults.append(Fault(number, _("The line is not a label and a value.")))
        elif label.strip().lower() == "payload-oxum":
            match = _OXUM.match(value.strip())
            if match is None:
                faults.append(Fault(number, _("The Payload-Oxum is not BYTES.FILES.")))
            else:
                found.add((int(match[1]), int(match[2])))
    if len(found) > 1:
        faults.append(Fault(0, _("It gives two different Payload-Oxum.")))
    return (found.pop() if len(found) == 1 else None), faults
