"""What speaks for sensitive data: names of columns, shapes of numbers, and how they are masked. Pure.

Sources: the identity numbers of Senegal (NIN), Tunisia (IUC, CIN) and Benin (NPI), the numbering plans of +221, +226,
+216 and +229 (from 8 to 10 digits on 30 November 2024), and the column names that French-speaking hospitals use.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

_LONGEST_SHAPE = 24


class Sensitivity(StrEnum):
    """How sensitive what was recognised is; the manifest's words, the least first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    UNKNOWN = "unknown"
    """Counts as sensitive."""
    PERSONAL = "personal"
    HEALTH = "health"


_ORDER = tuple(Sensitivity)


def worst_of(levels: Iterable[Sensitivity]) -> Sensitivity:
    """Return the most sensitive of several, public if there is none."""
    return max(levels, key=_ORDER.index, default=Sensitivity.PUBLIC)


def _words(*alternatives: str) -> re.Pattern[str]:
    """Return a pattern that finds one of these words in a folded column name."""
    return re.compile(rf"(?:^|_)(?:{'|'.join(alternatives)})(?:$|_)")


COLUMNS: Mapping[str, tuple[re.Pattern[str], Sensitivity]] = {
    "name": (_words("nom", "noms?_prenoms?", "prenoms?", "patient", "last_?name", "first_?name"), Sensitivity.PERSONAL),
    "birth": (_words("ddn", r"date_?(?:de_?)?naiss\w*", "naissance", r"birth\w*", "dob"), Sensitivity.PERSONAL),
    "identity": (
        _words("cni", "nin", "npi", "cin", "iuc", "passeport", "matricule", "ipp", "num_?dossier"),
        Sensitivity.PERSONAL,
    ),
    "phone": (_words("tel", "telephone", "phone", "mobile", "portable"), Sensitivity.PERSONAL),
    "address": (_words("adresse", "quartier", "domicile", "e?mail", "courriel"), Sensitivity.PERSONAL),
    "diagnosis": (
        _words(
            *("diag", r"diagnos\w*", "cim_?10", "icd_?10", r"symptom\w*", "traitement", "ordonnance", "medicament"),
            *("serologie", "vih", "hiv", "grossesse", r"vaccin\w*", "groupe_sanguin", "antecedents?"),
        ),
        Sensitivity.HEALTH,
    ),
}
"""Signs by the names of columns, folded."""

_NUMBERS: Mapping[str, re.Pattern[str]] = {
    # Sex, centre, birth year, number. No checksum of any of these is known: a column's name must stand by it.
    "nin": re.compile(r"(?<!\d)[12]\d{3}(?:19|20)\d{2}\d{5}(?!\d)"),
    "iuc": re.compile(r"(?<!\d)\d{11}(?!\d)"),
    "npi": re.compile(r"(?<!\d)\d{10}(?!\d)"),
    "cin": re.compile(r"(?<!\d)[01]\d{7}(?!\d)"),
}
_NUMBER_COLUMN = re.compile(r"(?<![^\W_])(?:cni|nin|npi|cin|iuc)(?![^\W_])", re.IGNORECASE)
_DIGIT = r"(?:[ .]?\d)"
_PHONE = re.compile(
    rf"(?<!\d)(?:\+|00)(?:221{_DIGIT}{{9}}|226{_DIGIT}{{8}}|216{_DIGIT}{{8}}|229(?:[ .]?01)?{_DIGIT}{{8}})(?!\d)"
)
_ICD10 = re.compile(r"\b[A-TV-Z]\d{2}\.\d{1,2}\b")


def signs_of_columns(columns: Iterable[str]) -> set[str]:
    """Return the signs that the (folded) names of a table's columns give."""
    names = list(columns)
    return {sign for sign, (pattern, _level) in COLUMNS.items() if any(pattern.search(name) for name in names)}


def signs_of_values(text: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return what values in a text look like and how often, and a masked shape of each kind."""
    found = [(sign, values) for sign, values in _values(text) if values]
    return {sign: len(values) for sign, values in found}, tuple(shape(values[0]) for _sign, values in found)


def sensitivity_of(signs: Iterable[str]) -> Sensitivity:
    """Return how sensitive a table with these signs is; without any it is unknown.

    A diagnosis without a person is a statistic, and stays unknown; with a person it is health data.
    """
    names = set(signs)
    medical = names & {"diagnosis", "icd-10 code"}
    personal = names - medical
    if not personal:
        return Sensitivity.UNKNOWN
    return Sensitivity.HEALTH if medical else Sensitivity.PERSONAL


def shape(value: str) -> str:
    """Return a value with every letter and digit masked; spaces and signs stay."""
    masked = "".join(_masked(character) for character in value[:_LONGEST_SHAPE])
    return masked + ("..." if len(value) > _LONGEST_SHAPE else "")


def fold(text: str) -> str:
    """Return a column's name as ASCII in lower case, `_` between words."""
    plain = unicodedata.normalize("NFKD", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text.strip()))
    ascii_only = plain.encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", ascii_only).strip("_")


def _masked(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character if character.isprintable() else "?"


def _values(text: str) -> Iterator[tuple[str, list[str]]]:
    yield "phone number", [match[0] for match in _PHONE.finditer(text)]
    yield "icd-10 code", [match[0] for match in _ICD10.finditer(text)]
    named = {word.lower() for word in _NUMBER_COLUMN.findall(text)}
    if "cni" in named:  # the Senegalese card bears the NIN
        named.add("nin")
    for sign in sorted(named & set(_NUMBERS)):
        yield f"{sign} number", [match[0] for match in _NUMBERS[sign].finditer(text)]
