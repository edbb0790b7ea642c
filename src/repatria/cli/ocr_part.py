"""The part of Repatria that reads scans, which is installed only where it is asked for: `pip install '.[ocr]'`."""

import importlib

from repatria.errors import UsageError
from repatria.i18n import _

PACKAGES = ("numpy", "PIL", "pypdf", "pypdfium2", "snowballstemmer", "zxingcpp")
"""What it needs besides an engine, of which there are two; `engine` looks for those."""


def refuse_without_ocr() -> None:
    """Raise UsageError if a package that reading or drawing pages needs is not installed."""
    try:
        for package in PACKAGES:
            importlib.import_module(package)
    except ImportError as error:
        raise UsageError(
            _("The part that reads scans is not installed."),
            advice=_("Install it from Repatria's own folder: pip install '.[ocr]'"),
        ) from error
