"""From a URI to a store: the one table of what kinds of store there are."""

from pathlib import Path
from urllib.parse import quote, unquote

from repatria.errors import Role, UsageError
from repatria.i18n import _
from repatria.store.base import Store
from repatria.uri import SCHEMES


def open_store(uri: str, *, endpoint: str | None = None, profile: str | None = None, role: Role = Role.TARGET) -> Store:
    """Return the store at `uri`; nothing is connected before its first use.

    `endpoint` and `profile` are for `s3://`: the URL of an S3-compatible service, and an AWS profile's name; without
    them the `AWS_*` environment decides. A bare path is a folder of this machine.
    """
    scheme, rest = _split(uri)
    if scheme == "file":
        from repatria.store.local import LocalStore

        return LocalStore(_folder(rest), role=role)
    if scheme == "memory":
        from repatria.store.memory import MemoryStore

        return MemoryStore.named(uri, role)
    if scheme == "s3":
        from repatria.store.s3 import S3Store

        bucket, _slash, prefix = rest.partition("/")
        return S3Store(bucket, prefix, endpoint=endpoint, profile=profile, role=role)
    from repatria.store.sftp import open_sftp

    return open_sftp(uri, role)


def join(uri: str, path: str) -> str:
    """Return the URI of what lies at `path` under `uri`, escaped where the scheme demands it."""
    if "://" not in uri:
        uri = Path(uri).absolute().as_uri()
    scheme, _rest = _split(uri)
    return f"{uri.rstrip('/')}/{path if scheme in {'s3', 'memory'} else quote(path, errors='surrogateescape')}"


def public_uri(uri: str) -> str:
    """Return the URI without user name, password, query or fragment: fit for a signed statement."""
    scheme, rest = _split(uri)
    if scheme == "file":
        return _folder(rest).as_uri()
    if scheme in {"s3", "memory"}:
        return f"{scheme}://{rest.split('?')[0]}"
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path.split('?')[0].split('#')[0]}"


def _split(uri: str) -> tuple[str, str]:
    scheme, mark, rest = uri.partition("://")
    if not mark:
        return "file", quote(uri, errors="surrogateescape")
    scheme = scheme.lower()
    if scheme not in SCHEMES:
        raise UsageError(
            _("No store is of the kind {scheme}://.").format(scheme=scheme),
            advice=_("Use file://, s3:// or sftp://."),
        )
    return scheme, rest


def _folder(rest: str) -> Path:
    """Return the folder that the part of a `file://` URI after `//` names."""
    return Path(unquote(rest.removeprefix("localhost") if rest.startswith("localhost/") else rest)).absolute()
