"""What each value of a manifest or of repatria.toml may be; every refusal is one translated sentence."""

import re
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

from repatria import uri as uris
from repatria.i18n import _
from repatria.toml_file import wrong
from repatria.week import parse_spans

DATASET_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
KIBIBYTE = 1 << 10
MEBIBYTE = 1 << 20
DEFAULT_VOLUME_SIZE = 64 * MEBIBYTE
DEFAULT_PATIENCE = 6 * 3600

_SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_RATES = {"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9}
_SIZES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": KIBIBYTE, "mib": MEBIBYTE, "gib": 1 << 30}
_TIMES = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def parse_rate(text: str) -> int:
    """Return the bits per second of `20mbit`; ValueError, with a translated sentence, if the unit is not given."""
    return _quantity(text, _RATES, _('must be a rate with its unit in bits, such as "20mbit" or "512kbit".'))


def parse_size(text: str) -> int:
    """Return the bytes of `64MiB`; ValueError, with a translated sentence, if the unit is not given."""
    return _quantity(text, _SIZES, _('must be a size with its unit, such as "64MiB".'))


def parse_time(text: str) -> int:
    """Return the seconds of `6h`; ValueError, with a translated sentence, if the unit is not given."""
    return _quantity(text, _TIMES, _('must be a time with its unit, such as "90min", "6h" or "2d".'))


def _quantity(text: str, units: Mapping[str, int], refusal: str) -> int:
    match = _QUANTITY.fullmatch(text.strip())
    unit = units.get(match[2].lower()) if match else None
    if match is None or unit is None or not (amount := int(float(match[1]) * unit)):
        raise ValueError(refusal)
    return amount


def text_value(value: object) -> str:
    """Return a value that is text."""
    if not isinstance(value, str):
        raise wrong(_("must be text between quotes."))
    return value


def one_line(value: object) -> str:
    """Return text that is shown and published as it is: one line, no control characters."""
    if not text_value(value).isprintable():
        raise wrong(_("must be one line without control characters."))
    return text_value(value)


def dataset_id(value: object) -> str:
    """Return what may be the id of a dataset: the name of a folder, anywhere."""
    if not DATASET_ID.fullmatch(text_value(value)):
        raise wrong(_("may hold a-z, 0-9 and hyphens, at most 63, and starts with a letter or digit."))
    return text_value(value)


def country(value: object) -> str:
    """Return a country's two letters, or nothing."""
    if text_value(value) and not _COUNTRY.fullmatch(text_value(value)):
        raise wrong(_('must be the two letters of a country in ISO 3166-1, such as "FR".'))
    return text_value(value)


def timezone(value: object) -> str:
    """Return the name of a known time zone."""
    try:
        zoneinfo.ZoneInfo(text_value(value))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise wrong(_('is not a known time zone; write one such as "Africa/Dakar".')) from error
    return text_value(value)


def source_name(value: object) -> str:
    """Return what may be the first component of paths."""
    if not _SOURCE_NAME.fullmatch(text_value(value)):
        raise wrong(_("may hold letters, digits, dots, hyphens and underscores, and starts with a letter or digit."))
    return text_value(value)


def absolute_uri(value: object, info: ValidationInfo) -> str:
    """Return the URI that a file's words mean: `NAME:path`, a URI or a path relative to the file."""
    text = text_value(value)
    assert info.context is not None, "load_manifest gives the context"  # noqa: S101 -- narrows pydantic's type
    named, _store = uris.named_uri(info.context["stores"], text)
    try:
        return uris.absolute(named, info.context["folder"])
    except ValueError as error:
        raise wrong(str(error)) from error


def absolute_path(value: object, info: ValidationInfo) -> Path:
    """Return a path made absolute from the file's folder."""
    assert info.context is not None, "load_manifest gives the context"  # noqa: S101 -- narrows pydantic's type
    folder: Path = info.context["folder"]
    return folder / Path(text_value(value)).expanduser()


def rate(value: object) -> int:
    """Return bits per second."""
    try:
        return parse_rate(text_value(value))
    except ValueError as error:
        raise wrong(str(error)) from error


def time(value: object) -> int:
    """Return seconds."""
    try:
        return parse_time(text_value(value))
    except ValueError as error:
        raise wrong(str(error)) from error


def window(value: object) -> str:
    """Return hours of work as they were written, if their form is right."""
    text = text_value(value)
    try:
        parse_spans(text)
    except ValueError as error:
        raise wrong(_('must be hours such as "20:00-06:00", or "Mon-Fri 20:00-06:00, Sat-Sun".')) from error
    return text


def some_recipients(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return the recipients, if there are any."""
    if not value:
        raise wrong(
            _("is empty; name who can open the bundles: a public key (age1...) or the .pub file of repatria keys new.")
        )
    return value


def volume_size(value: object) -> int:
    """Return bytes, as a full volume may have them."""
    try:
        size = parse_size(text_value(value))
    except ValueError as error:
        raise wrong(str(error)) from error
    if not MEBIBYTE <= size <= 1024 * MEBIBYTE or size % (64 * KIBIBYTE):
        raise wrong(_("must be a multiple of 64KiB, from 1MiB to 1GiB."))
    return size


Uri = Annotated[str, BeforeValidator(absolute_uri)]
FilePath = Annotated[Path, BeforeValidator(absolute_path)]
