"""Dates extrêmes as archivists write them, and the first and last day, month or year that they mean.

What is not understood wholly is left alone: the text stays what it is, and no date is made up.
"""

import re

from repatria.ocr.folding import fold

_MONTHS = ("janvier", "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout", "septembre", "octobre")
_ALL_MONTHS = (*_MONTHS, "novembre", "decembre")
_YEAR = r"(?:1[0-9]|20)[0-9]{2}"
_ISO = re.compile(rf"({_YEAR})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12][0-9]|3[01]))?)?")
_NUMERIC = re.compile(rf"(?:(0?[1-9]|[12][0-9]|3[01])[/.])?(0?[1-9]|1[0-2])[/.]({_YEAR})")
_SPELT = re.compile(rf"(?:(?:le )?(1er|[1-9]|0[1-9]|[12][0-9]|3[01]) )?([a-z]{{3,9}})\.? ({_YEAR})")
_BETWEEN = re.compile(r"\s*(?:-|/|\ba\b|\bau\b|\bet\b)\s*")
_OPENING = re.compile(r"^(?:de|du|entre)\s+(?:le\s+)?")
_AROUND = " .[]()"


def extreme_dates(text: str) -> tuple[str, str]:
    """Return the first and the last date of `1949-1963`, `12 janvier 1949`, `03/1950 - 1951` as ISO 8601; else nothing.

    A single date is both. Months and days are given only where they are written.
    """
    plain = _OPENING.sub("", fold(text.replace("\N{EN DASH}", "-").replace("\N{EM DASH}", "-")).strip(_AROUND))
    if single := _date(plain):
        return single, single
    for between in _BETWEEN.finditer(plain):
        first, last = _date(plain[: between.start()]), _date(plain[between.end() :])
        if first and last:
            length = min(len(first), len(last))
            return (first, last) if first[:length] <= last[:length] else ("", "")
    return "", ""


def _date(text: str) -> str:
    """Return one date as ISO 8601, as far as it is told; empty if it is none."""
    text = text.strip(_AROUND)
    if match := _ISO.fullmatch(text):
        return "-".join(filter(None, match.groups()))
    if match := _NUMERIC.fullmatch(text):
        day, month, year = match.groups()
        return _joined(year, int(month), day)
    if match := _SPELT.fullmatch(text):
        day, name, year = match.groups()
        months = [number for number, month in enumerate(_ALL_MONTHS, 1) if month.startswith(name)]
        if len(months) == 1:
            return _joined(year, months[0], day.removesuffix("er") if day else None)
    return ""


def _joined(year: str, month: int, day: str | None) -> str:
    return f"{year}-{month:02}" + (f"-{int(day):02}" if day else "")
