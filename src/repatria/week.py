"""Hours of the week as people write them: `20:00-06:00`, `Mon-Fri 20:00-06:00, Sat-Sun`, `lun-ven 20:00-06:00`."""

import re
from dataclasses import dataclass

DAY_MINUTES = 24 * 60
_DAYS = {
    name: day
    for names in (
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    )
    for day, whole in enumerate(names)
    for name in (whole, whole[:3])
}
"""Whatever language is spoken: a manifest is read by people of both."""
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_SPAN = re.compile(
    r"(?:(?P<first>[a-z]+)(?:-(?P<last>[a-z]+))?)?(?:(?(first)\s+)(?P<from>[\d:]+)-(?P<to>[\d:]+))?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Span:
    """Hours on some days of the week."""

    days: frozenset[int]
    """0 is Monday."""
    start: int
    """Minutes after midnight."""
    end: int
    """Minutes after the same midnight: beyond 1,440 it is the next day."""


def parse_spans(text: str) -> tuple[Span, ...]:
    """Return the spans that a text describes, divided by commas; ValueError if it describes none.

    Days are English or French, whole or by their first three letters; hours that end before they begin run into the
    next day, and days name the one on which hours begin.
    """
    return tuple(_span(part.strip()) for part in text.split(","))


def parse_clock(text: str) -> int:
    """Return the minutes after midnight of `HH:MM`, up to `24:00`; ValueError for anything else."""
    match = _CLOCK.fullmatch(text)
    minutes = int(match[1]) * 60 + int(match[2]) if match else DAY_MINUTES + 1
    if minutes > DAY_MINUTES:
        raise ValueError(text)
    return minutes


def _span(part: str) -> Span:
    match = _SPAN.fullmatch(part)
    if not part or match is None:
        raise ValueError(part)
    days = _days(match["first"], match["last"])
    if match["from"] is None:
        return Span(days, 0, DAY_MINUTES)
    start, end = parse_clock(match["from"]), parse_clock(match["to"])
    return Span(days, start, end if end > start else end + DAY_MINUTES)


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    start, end = _DAYS.get(first.lower()), _DAYS.get((last or first).lower())
    if start is None or end is None:
        raise ValueError(first)
    return frozenset((start + ahead) % 7 for ahead in range((end - start) % 7 + 1))
