"""The audit log: one line for each run that moved, checked or removed data; no object names.

`log.jsonl` in the state folder. Each line holds the SHA-256 of the line before it, so a line that was changed, removed
or put in between shows. Lines cut off the end do not; keep a copy, or the last line's digest, elsewhere.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.reasons import reason_of
from repatria.work.lock import Holder
from repatria.work.state import StateFolder, group_rights

FIRST = "0" * 64
"""What the first line names as the one before it."""
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log, as read back."""

    number: int
    """From 1."""
    fields: Mapping[str, Any]
    """Empty if the line is damaged."""
    follows: bool
    """Whether it names the digest of the line before it."""

    @property
    def intact(self) -> bool:
        """Whether the line is whole and in its place."""
        return bool(self.fields) and self.follows


def record(state: StateFolder, command: str, dataset: str, code: int, **facts: str | int | None) -> None:
    """Append one line, durable when this returns: who ran what on which dataset, with which exit code and counts."""
    _append(state, {"command": command, "dataset": dataset, "code": code, **facts})


def record_beginning(state: StateFolder, command: str, dataset: str) -> None:
    """Append one line, durable when this returns: who began what on which dataset. Its end is a line of its own."""
    _append(state, {"command": command, "dataset": dataset, "began": True})


def _append(state: StateFolder, facts: Mapping[str, str | int | None]) -> None:
    file = state.folder() / "log.jsonl"
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600 | group_rights(file.parent, 0o060))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            last = _last_line(descriptor)
            torn = last is not None and not last.endswith(b"\n")
            here = Holder.here()
            fields = {
                "time": here.since,
                "user": here.user,
                "host": here.host,
                **{name: value for name, value in facts.items() if value is not None},
                "previous": FIRST if last is None else _digest(last),
            }
            line = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
            os.write(descriptor, (b"\n" if torn else b"") + line + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UsageError(
            _("The audit log {file} cannot be written: {reason}.").format(file=file, reason=reason_of(error)),
            advice=_("Give this user rights to it."),
        ) from error


def read_log(state: StateFolder) -> Iterator[LogLine]:
    """Yield every line of the log, checked against the one before; nothing if there is no log."""
    file = state.log_path()
    if not file.is_file():
        return
    before = FIRST
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            fields = _parsed(line)
            yield LogLine(number, fields, fields.get("previous") == before)
            before = _digest(line)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _digest(line: bytes) -> str:
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def _last_line(descriptor: int) -> bytes | None:
    """Return the log's last line, with its line feed if it has one; None if the log is empty."""
    end = os.fstat(descriptor).st_size
    tail = b""
    while end > 0 and b"\n" not in tail[:-1]:
        start = max(0, end - _BLOCK)
        tail = os.pread(descriptor, end - start, start) + tail
        end = start
    return tail[tail[:-1].rfind(b"\n") + 1 :] if tail else None
