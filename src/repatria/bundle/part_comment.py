"""What a part of an object says of the whole: of which version it is (docs/formats/bundle.md, Members).

An object's row in an index is written when its last part has arrived. Until then this alone tells whoever takes over an
unfinished bundle whether what the source has now is still what the parts are of.
"""

import json

from repatria.model import Object


def part_comment(told: Object) -> bytes:
    """Return the pax comment of every part of an object."""
    facts = {"mtime_ns": told.mtime_ns, "size": told.size, "version": told.version or None}
    return json.dumps(facts, separators=(",", ":")).encode()


def told_by_part(path: str, comment: bytes) -> Object | None:
    """Return the object at `path` as far as a part's comment tells of it; None if it is none of ours."""
    try:
        facts = json.loads(comment)
        size, mtime_ns, version = facts["size"], facts["mtime_ns"], facts["version"]
    except (ValueError, TypeError, KeyError):
        return None
    if not isinstance(size, int) or not isinstance(mtime_ns, int | None) or not isinstance(version, str | None):
        return None
    return Object(path, size, mtime_ns, version or "")
