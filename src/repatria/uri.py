"""What a URI in a manifest means: made absolute, checked, and compared with another."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

from repatria.i18n import _

SCHEMES = ("file", "s3", "sftp", "memory")
"""Stores that a manifest may name."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*):(?!//)(.*)", re.DOTALL)


class Place(Protocol):
    """A store as a file of settings describes it."""

    @property
    def uri(self) -> str:
        """Scheme, place and path."""

    @property
    def endpoint(self) -> str | None:
        """The address of an S3-compatible service; None: the usual one."""

    @property
    def profile(self) -> str | None:
        """Which credentials; None: those that the environment gives."""


@dataclass(frozen=True, slots=True)
class Location:
    """A URI taken apart so far that two can be compared."""

    service: tuple[str, ...]
    """Scheme and host, bucket or endpoint: what must be the same for two paths to mean the same place."""
    parts: tuple[str, ...]

    def overlaps(self, other: "Location") -> bool:
        """Tell whether one is the other or lies within it."""
        shared = min(len(self.parts), len(other.parts))
        return self.service == other.service and self.parts[:shared] == other.parts[:shared]


def store_name(text: str) -> tuple[str, str] | None:
    """Return (NAME, path) of `NAME:path`, None if the text is a URI or a path."""
    match = _NAMED.fullmatch(text)
    return (match[1], match[2]) if match else None


def absolute(text: str, folder: Path) -> str:
    """Return the URI that `text` means to a file in `folder`: paths and relative `file://` URIs are made absolute.

    In a `file://` URI characters may be escaped (`%20`), in a path they stand for themselves. ValueError, with a
    translated sentence, if it is no URI of a store.
    """
    if not text:
        raise ValueError(_('is empty; write a URI such as "s3://bucket/path", or a folder.'))
    if "\0" in text or ("%00" in text and _SCHEME.match(text)):
        raise ValueError(_("holds a null character, which no path can have."))
    scheme = _SCHEME.match(text)
    if scheme is None:
        if (named := store_name(text)) is not None:
            raise ValueError(
                _('there is no [stores.{name}] in repatria.toml; for a folder of that name write "./{text}".').format(
                    name=named[0], text=text
                )
            )
        return _file_uri(folder.absolute() / Path(text).expanduser())
    if scheme[1].lower() not in SCHEMES:
        raise ValueError(
            _("{scheme}:// is not supported; it may be {schemes}.").format(
                scheme=scheme[1], schemes=", ".join(f"{name}://" for name in SCHEMES if name != "memory")
            )
        )
    if scheme[1].lower() == "file":
        return _file_uri(folder.absolute() / unquote(text[scheme.end() :].removeprefix("localhost")))
    return _checked_remote(text)


def _file_uri(path: Path) -> str:
    return f"file://{quote(posixpath.normpath(path), errors='surrogateescape')}"


def _checked_remote(text: str) -> str:
    try:
        parts = urlsplit(text)
        _port = parts.port
    except ValueError as error:
        raise ValueError(_("is not a URI: {reason}.").format(reason=error)) from error
    if parts.password is not None:
        raise ValueError(
            _("holds a password; credentials come from profiles, agents and keys, never from this file. Change it now.")
        )
    if not parts.hostname and parts.scheme != "memory":
        raise ValueError(_('names no host or bucket; it looks like "s3://bucket/path" or "sftp://user@host/path".'))
    return text


def location(place: Place) -> Location:
    """Return where a store lies, for comparing; its URI is absolute."""
    scheme, _separator, rest = place.uri.partition("://")
    if scheme == "file":
        return Location((scheme,), Path(unquote(rest)).resolve().parts)
    parts = urlsplit(place.uri)
    path = tuple(part for part in posixpath.normpath(parts.path).split("/") if part not in {"", "."})
    if scheme == "s3":
        return Location((scheme, (place.endpoint or "").rstrip("/"), parts.netloc), path)
    return Location((scheme, (parts.hostname or "").lower(), str(parts.port or 22)), path)


def named_uri(stores: Mapping[str, Place], text: str) -> tuple[str, Place | None]:
    """Return the URI of `NAME:path` and its store, or the text as it is and None."""
    named = store_name(text)
    if named is None or named[0] not in stores:
        return text, None
    store = stores[named[0]]
    path = named[1].strip("/")
    if not store.uri.startswith("s3://"):
        path = quote(path, errors="surrogateescape")
    return (f"{store.uri.rstrip('/')}/{path}" if path else store.uri), store
