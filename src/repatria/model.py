"""The few frozen types that every room shares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ObjectKind(StrEnum):
    """What an object is; stores without file types hold files only."""

    FILE = "file"
    SYMLINK = "symlink"
    DIRECTORY = "directory"
    """An empty directory; others exist by what they contain."""
    SPECIAL = "special"
    """A device, socket or pipe: never copied, always a finding."""


@dataclass(frozen=True, slots=True)
class Object:
    """One named byte string in a store or at a source, as far as it was told about."""

    path: str
    """Relative to the store's root, `/` between components; bytes that are not UTF-8 are surrogate escapes
    (`os.fsdecode`)."""
    size: int
    """Bytes; 0 for a directory, the target's length in bytes for a symlink."""
    mtime_ns: int | None = None
    """Last modification in nanoseconds since the epoch, UTC."""
    version: str = ""
    """What changes when the bytes change: an ETag, a version id, or size and mtime on a file system."""
    kind: ObjectKind = ObjectKind.FILE
    mode: int | None = None
    """Permission bits (0o7777)."""
    owner: str | None = None
    group: str | None = None
    link_target: str | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    checksum: tuple[str, str] | None = None
    """A checksum of the whole object that the source itself keeps: (`md5`|`sha256`|..., hexadecimal).

    `etag`: of the form of an MD5, and where many services have one, but this one does not promise that it is.
    """


class FindingKind(StrEnum):
    """The five results of verification, and the two of copying."""

    INTACT = "intact"
    ALTERED = "altered"
    MISSING = "missing"
    UNEXPECTED = "unexpected"
    UNVERIFIABLE = "unverifiable"
    FAILED = "failed"
    """The source could not give the object (refused, unreadable, or of a kind that is never copied)."""
    CHANGED = "changed"
    """The object changed under the copy; the next run takes its new version."""

    @property
    def exit_code(self) -> int:
        """The exit code that a finding of this kind asks for."""
        return {FindingKind.INTACT: 0, FindingKind.UNVERIFIABLE: 3}.get(self, 1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of verification or copying."""

    kind: FindingKind
    subject: str
    """What was looked at, free of object names: `data/vol-000001.tar.age`, `object 42`, a bundle id."""
    detail: str = ""
    """One translated sentence: what was seen, what to do."""
    path: str | None = None
    """The object's name: for a terminal and `--json` only, never for a log."""
