"""Translation of every sentence a user sees: English in the code, French in `locale/fr`.

The language is chosen once, before commands are imported, because help texts are translated at import.
"""

import gettext
import os
from collections.abc import Callable, Mapping
from pathlib import Path

LANGUAGES = ("en", "fr")
_LOCALE_FOLDER = Path(__file__).parent / "locale"
_current: gettext.NullTranslations = gettext.NullTranslations()
_language = "en"


def language_of(environment: Mapping[str, str]) -> str:
    """Return the language that the locale variables ask for: `fr` or `en`, by POSIX precedence."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name, "")
        if value:
            return "fr" if value.lower().startswith("fr") else "en"
    return "en"


def use(language: str | None = None) -> None:
    """Speak `language` from now on; without one, that of the locale."""
    global _current, _language  # noqa: PLW0603 -- one language a process, as gettext itself has it
    _language = language or language_of(os.environ)
    _current = gettext.translation("repatria", _LOCALE_FOLDER, [_language], fallback=True)


def language() -> str:
    """Return the language spoken now."""
    return _language


def _(message: str) -> str:
    """Translate a sentence; placeholders are filled afterwards with `.format(name=...)`."""
    return _current.gettext(message)


def speaker(language: str) -> Callable[[str], str]:
    """Return `_` for one language, whatever is spoken now: for what others will read, such as a printed sheet."""
    return gettext.translation("repatria", _LOCALE_FOLDER, [language], fallback=True).gettext


def ngettext(singular: str, plural: str, count: int) -> str:
    """Translate a sentence that depends on a count; fill `{count}` afterwards."""
    return _current.ngettext(singular, plural, count)
