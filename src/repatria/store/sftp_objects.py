"""What a server's attributes say of an object."""

import stat as modes

from repatria.model import Object, ObjectKind
from repatria.store.local_files import kind_of as kind_of_mode
from repatria.store.sftp_packet import Attributes


def object_of(path: str, attributes: Attributes, target: bytes = b"") -> Object:
    """Return the object that attributes describe; `target` is a symlink's."""
    kind = kind_of(attributes)
    size = (attributes.size or 0) if kind is ObjectKind.FILE else len(target)
    version = f"{size}-{attributes.mtime}"
    return Object(
        path=path,
        size=size,
        mtime_ns=None if attributes.mtime is None else attributes.mtime * 1_000_000_000,
        version=version if kind is ObjectKind.FILE else f"{kind.value}-{version}",
        kind=kind,
        mode=None if attributes.mode is None else modes.S_IMODE(attributes.mode),
        owner=None if attributes.uid is None else str(attributes.uid),
        group=None if attributes.gid is None else str(attributes.gid),
        link_target=target.decode("utf-8", "surrogateescape") if kind is ObjectKind.SYMLINK else None,
    )


def size_of_file(version: str | None) -> int | None:
    """Return the size of a file that a version names; None if it names no file's."""
    size = (version or "").partition("-")[0]
    return int(size) if size.isdecimal() else None


def is_folder(attributes: Attributes) -> bool:
    """Tell whether it is a folder."""
    return kind_of(attributes) is ObjectKind.DIRECTORY


def kind_of(attributes: Attributes) -> ObjectKind:
    """Return the kind of object; what a server gives no mode for passes for a file."""
    return kind_of_mode(attributes.mode) if attributes.mode is not None else ObjectKind.FILE
