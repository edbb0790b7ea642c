"""Which paths a store with folders can hold, and where it keeps what is not whole yet."""

from repatria.errors import RefusedError, Role
from repatria.i18n import _

ASIDE = ".repatria-tmp"
"""The folder under the root where files lie until they are whole; no object is ever there."""

LONGEST_COMPONENT = 255
"""Bytes that one component may have on every file system in wide use."""


class UnholdableNameError(RefusedError):
    """The store has no place for an object of this name; under another name it would do."""


def components(path: str, role: Role = Role.TARGET) -> tuple[str, ...]:
    """Split a path into the names of its folders and its own, or raise UnholdableNameError.

    A path that is absolute, climbs (`..`), has empty components (`a//b`, `a/`), holds NUL or too long a name, or
    begins with the folder aside, is no path of a file system's object.
    """
    parts = tuple(path.split("/"))
    unholdable = any(
        part in {"", ".", ".."} or "\0" in part or len(part.encode("utf-8", "surrogateescape")) > LONGEST_COMPONENT
        for part in parts
    )
    if unholdable or parts[0] == ASIDE:
        raise UnholdableNameError(
            _("A file system cannot hold an object named {path}.").format(path=path), public=False, role=role
        )
    return parts


def folder_of(prefix: str) -> str:
    """Return the folder in which every path with this string prefix lies, `` for the root."""
    return prefix.rpartition("/")[0]
