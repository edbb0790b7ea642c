"""Recognising what an object is, and how sensitive, from its name and its first bytes: pure.

Values are looked at in memory and forgotten. What leaves here are kinds, counts and masked shapes: `9999999999999` for
a national number, `Aaaa` for a name. What is not recognised is unknown, and unknown counts as sensitive.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from repatria.migrate.signs import Sensitivity, fold, sensitivity_of, signs_of_columns, signs_of_values, worst_of

SAMPLE_SIZE = 8 << 10
"""Bytes of an object's beginning that are enough to recognise it."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was recognised in one object."""

    kind: str
    """`dicom`, `fhir`, `sql dump`, `csv` ...; `unknown`."""
    sensitivity: Sensitivity
    signs: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """What speaks for it, and how often it was seen: `nin`, `phone`, `diagnosis` ..."""
    shapes: tuple[str, ...] = ()
    """Masked values of the signs."""


UNKNOWN = Recognition("unknown", Sensitivity.UNKNOWN)

_MAGIC: tuple[tuple[int, bytes, str, Sensitivity], ...] = (
    (128, b"DICM", "dicom", Sensitivity.HEALTH),
    (0, b"PGDMP", "postgresql archive", Sensitivity.UNKNOWN),
    (0, b"SQLite format 3\x00", "sqlite", Sensitivity.UNKNOWN),
    (0, b"%PDF-", "pdf", Sensitivity.UNKNOWN),
    (0, b"\x89PNG\r\n\x1a\n", "image", Sensitivity.UNKNOWN),
    (0, b"\xff\xd8\xff", "image", Sensitivity.UNKNOWN),
    (0, b"II*\x00", "image", Sensitivity.UNKNOWN),
    (0, b"MM\x00*", "image", Sensitivity.UNKNOWN),
    (0, b"GIF8", "image", Sensitivity.UNKNOWN),
    (0, b"\x1f\x8b", "gzip", Sensitivity.UNKNOWN),
    (0, b"\x28\xb5\x2f\xfd", "zstandard", Sensitivity.UNKNOWN),
    (0, b"BZh", "bzip2", Sensitivity.UNKNOWN),
    (0, b"\xfd7zXZ\x00", "xz", Sensitivity.UNKNOWN),
    (0, b"PK\x03\x04", "zip", Sensitivity.UNKNOWN),
    (0, b"7z\xbc\xaf\x27\x1c", "7z", Sensitivity.UNKNOWN),
    (257, b"ustar", "tar", Sensitivity.UNKNOWN),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "office document", Sensitivity.UNKNOWN),
    (0, b"\x7fELF", "program", Sensitivity.INTERNAL),
    (0, b"age-encryption.org/v1", "age", Sensitivity.INTERNAL),
    (0, b"-----BEGIN AGE ENCRYPTED FILE-----", "age", Sensitivity.INTERNAL),
    (4, b"ftyp", "video", Sensitivity.UNKNOWN),
    (0, b"\x1aE\xdf\xa3", "video", Sensitivity.UNKNOWN),
    (0, b"RIFF", "audio or video", Sensitivity.UNKNOWN),
    (0, b"OggS", "audio", Sensitivity.UNKNOWN),
    (0, b"ID3", "audio", Sensitivity.UNKNOWN),
)

_SQL = re.compile(
    r"^(?:--\s*(?:PostgreSQL database dump|MySQL dump|MariaDB dump)|/\*M?!\d|CREATE TABLE\b|INSERT INTO\b|COPY \S+ \()",
    re.IGNORECASE | re.MULTILINE,
)
_HL7 = re.compile(r"^\x0b?(?:MSH|BHS|FHS)\|", re.MULTILINE)
_FHIR = re.compile(r'"resourceType"\s*:\s*"([A-Za-z]{3,40})"')
_FHIR_XML = re.compile(r'xmlns="http://hl7\.org/fhir"')
_CDA = re.compile(r'xmlns="urn:hl7-org:v3"')
_FHIR_PUBLIC = frozenset(
    {"CapabilityStatement", "CodeSystem", "ConceptMap", "ImplementationGuide", "StructureDefinition", "ValueSet"}
)

_SUFFIXES: Mapping[str, tuple[str, Sensitivity]] = {
    ".dcm": ("dicom", Sensitivity.HEALTH),
    ".hl7": ("hl7", Sensitivity.HEALTH),
    ".sql": ("sql dump", Sensitivity.UNKNOWN),
    ".dump": ("database dump", Sensitivity.UNKNOWN),
    ".csv": ("csv", Sensitivity.UNKNOWN),
    ".tsv": ("csv", Sensitivity.UNKNOWN),
    ".xlsx": ("office document", Sensitivity.UNKNOWN),
    ".docx": ("office document", Sensitivity.UNKNOWN),
    ".odt": ("office document", Sensitivity.UNKNOWN),
    ".ods": ("office document", Sensitivity.UNKNOWN),
}


def recognise(path: str, sample: bytes) -> Recognition:
    """Return what an object is by its name and its first bytes (`SAMPLE_SIZE` of them are enough)."""
    by_bytes = _by_magic(sample) or _by_text(sample)
    by_name = _by_suffix(path)
    if by_bytes is None:
        return by_name or UNKNOWN
    if by_name is not None and by_bytes.kind in {"zip", "text"}:
        # An office document is a zip; a text says no more than its name.
        return replace(by_bytes, kind=by_name.kind, sensitivity=worst_of((by_name.sensitivity, by_bytes.sensitivity)))
    return by_bytes


def _by_magic(sample: bytes) -> Recognition | None:
    for offset, magic, kind, sensitivity in _MAGIC:
        if sample.startswith(magic, offset):
            return Recognition(kind, sensitivity)
    return None


def _by_suffix(path: str) -> Recognition | None:
    suffix = re.search(r"\.[A-Za-z0-9]{1,5}\Z", path)
    found = _SUFFIXES.get(suffix[0].lower()) if suffix else None
    return Recognition(*found) if found else None


def _by_text(sample: bytes) -> Recognition | None:
    text = _text_of(sample)
    if text is None:
        return None
    for recogniser in _TEXTS:
        found = recogniser(text)
        if found is not None:
            return found
    return _table("text", set(), text)


def _text_of(sample: bytes) -> str | None:
    """Return the sample as text, None if it is none: NUL, or many control characters."""
    if not sample:
        return None
    if sample[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return sample.decode("utf-16", "ignore")
    if b"\x00" in sample:
        return None
    try:
        text = sample.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        whole = error.start >= len(sample) - 4  # cut within a character
        text = sample[: error.start].decode("utf-8") if whole else sample.decode("cp1252", "replace")
    strange = sum(not character.isprintable() and character not in "\t\r\n\f\x0b\x1c" for character in text)
    return text if strange * 50 <= len(text) else None


def _hl7(text: str) -> Recognition | None:
    return Recognition("hl7", Sensitivity.HEALTH) if _HL7.match(text) else None


def _fhir(text: str) -> Recognition | None:
    if _FHIR_XML.search(text):
        return Recognition("fhir", Sensitivity.HEALTH)
    if _CDA.search(text):
        return Recognition("cda", Sensitivity.HEALTH)
    types = _FHIR.findall(text) if text.lstrip()[:1] in {"{", "["} else []
    if not types:
        return None
    public = all(each in _FHIR_PUBLIC for each in types)
    return Recognition("fhir", Sensitivity.INTERNAL if public else Sensitivity.HEALTH, {"resource": len(types)})


def _json(text: str) -> Recognition | None:
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    keys = {fold(key) for key in re.findall(r'"((?:[^"\\]|\\.){1,60})"\s*:', text)}
    if not keys and not _is_json(text):
        return None
    return _table("json", keys, text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _sql(text: str) -> Recognition | None:
    if not _SQL.search(text):
        return None
    words = {fold(word) for word in re.findall(r"[A-Za-zÀ-ÿ_][\wÀ-ÿ]{1,40}", text)}
    return _table("sql dump", words, text)


def _csv(text: str) -> Recognition | None:
    lines = text.splitlines()
    if len(lines) < 2:
        return None
    delimiter = max(";,\t|", key=lines[0].count)
    if not lines[0].count(delimiter):
        return None
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines[:-1][:50])), delimiter=delimiter))
    except csv.Error:
        return None
    if not rows or sum(len(row) == len(rows[0]) for row in rows) < len(rows) * 0.8:
        return None
    header = {fold(cell) for cell in rows[0]} - {""}
    return _table("csv", header, text)


def _xml(text: str) -> Recognition | None:
    if not re.match(r"\s*(?:<\?xml|<!DOCTYPE|<html|<[A-Za-z])", text, re.IGNORECASE):
        return None
    if re.search(r"<html", text[:1000], re.IGNORECASE):
        return _table("html", set(), text)
    return _table("xml", {fold(tag) for tag in re.findall(r"<([A-Za-z][\w.-]{0,40})", text)}, text)


_TEXTS: tuple[Callable[[str], Recognition | None], ...] = (_hl7, _fhir, _sql, _json, _xml, _csv)
"""In this order: what is most particular first."""


def _table(kind: str, columns: set[str], text: str) -> Recognition:
    """Judge a table by the names of its columns, and by what its values look like."""
    counts, shapes = signs_of_values(text)
    signs = {**dict.fromkeys(sorted(signs_of_columns(columns)), 1), **counts}
    return Recognition(kind, sensitivity_of(signs), signs, shapes)
