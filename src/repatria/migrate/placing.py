"""Where a restored object goes: pure decisions that no hostile name or link turns against the destination."""

from repatria.bundle.names import HASHED_FOLDER, hashed_name
from repatria.bundle.rows import ObjectRow
from repatria.model import Object, ObjectKind

NAMES = HASHED_FOLDER.decode()
"""The folder of objects that could not have their own name, as in volumes."""


def natural_path(row: ObjectRow) -> str | None:
    """Return the path to try first: its own, unless that lies among those that are kept for renamed objects."""
    return None if row.path.partition("/")[0] == NAMES else row.path


def substitute_path(row: ObjectRow) -> str:
    """Return the path for an object that cannot have its own."""
    return hashed_name(row.path)


def marked_folder(row: ObjectRow) -> str | None:
    """Return the folder that an empty object like `a/b/` stands for, as S3 consoles make them; None if it is none."""
    if row.kind != ObjectKind.FILE or row.size or not row.path.endswith("/"):
        return None
    return row.path[:-1]


def stays_inside(path: str, target: str) -> bool:
    """Tell whether a symlink at `path` leads nowhere but below the destination, whatever other such links are there.

    Only relative targets whose `..` all stand at the beginning, and lead no higher than the destination: `a/..` could
    leave it where `a` is a link itself.
    """
    if target.startswith("/") or not target or "\0" in target:
        return False
    parts = [part for part in target.split("/") if part not in {"", "."}]
    climbs = 0
    while climbs < len(parts) and parts[climbs] == "..":
        climbs += 1
    return ".." not in parts[climbs:] and climbs <= path.count("/")


def likeness(row: ObjectRow) -> Object:
    """Return what a restored object is to be like: never with the privileges of another system's users."""
    told = row.object()
    mode = None if told.mode is None else told.mode & 0o777
    return Object(
        path=told.path,
        size=told.size,
        mtime_ns=told.mtime_ns,
        kind=told.kind,
        mode=mode,
        link_target=told.link_target,
        content_type=told.content_type,
        metadata=told.metadata,
    )
