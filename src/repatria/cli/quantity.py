"""Counts, sizes, rates and durations as people read them, in the language spoken."""

from repatria.i18n import _, language, ngettext
from repatria.progress import Unit

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_OCTETS = ("o", "Kio", "Mio", "Gio", "Tio", "Pio")


def size_text(size: float) -> str:
    """Return `1.5 GiB` of a number of bytes, `1,5 Gio` in French."""
    step = 0
    while size >= 1024 and step < len(_SIZES) - 1:
        size /= 1024
        step += 1
    unit = (_OCTETS if language() == "fr" else _SIZES)[step]
    return f"{number_text(size, 0 if step == 0 else 1)} {unit}"


def number_text(number: float, decimals: int = 0) -> str:
    """Return `1,204` or, in French, `1 204`, with a narrow no-break space; decimals by point or comma."""
    text = f"{number:,.{decimals}f}"
    if language() == "fr":
        return text.replace(",", "\u202f").replace(".", ",")
    return text


def quantity_text(amount: int, unit: Unit) -> str:
    """Return an amount with its unit: `3.0 MiB`, `1,204 objects`, `12 pages`."""
    if unit is Unit.BYTES:
        return size_text(amount)
    if unit is Unit.PAGES:
        return ngettext("{count} page", "{count} pages", amount).format(count=number_text(amount))
    return ngettext("{count} object", "{count} objects", amount).format(count=number_text(amount))


def rate_text(per_second: float, unit: Unit) -> str:
    """Return a speed in the unit that people of the field use: bits of a link, objects, pages a minute."""
    if unit is Unit.BYTES:
        return _("{rate} Mbit/s").format(rate=number_text(per_second * 8 / 1e6, 1))
    if unit is Unit.PAGES:
        return _("{rate} pages/min").format(rate=number_text(per_second * 60, 1))
    return _("{rate} objects/s").format(rate=number_text(per_second, 1))


def duration_text(seconds: float) -> str:
    """Return `3 h 05 min`, `12 min` or `40 s`."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min" if minutes else f"{whole} s"
