"""The audit log: one line for each run that moved, checked or removed data; no object names.

`log.jsonl` in the state folder. Each line holds the SHA-256 of the line before it, so a line that was changed, removed
or put in between shows. Lines cut off the end do not; keep a copy, or the last line's digest, elsewhere.

Each line bears the mark of the process that wrote it, too (`work.process_mark`): so the end of a run is told from that
of another, and a run that has none and whose process is gone was cut off.
"""

import fcntl
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from repatria.errors import RepatriaError, UsageError
from repatria.i18n import _
from repatria.reasons import reason_of
from repatria.work.lock import Holder, lock_holder
from repatria.work.process_mark import ProcessMark
from repatria.work.state import StateFolder, group_rights

FIRST = "0" * 64
"""What the first line names as the one before it."""
_BLOCK = 1 << 16
_WITHOUT_LOCK = frozenset({"restore"})
"""Commands that begin in the log and hold no lock of the dataset meanwhile."""


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
            here, mark = Holder.here(), ProcessMark.here()
            fields = {
                "time": here.since,
                "user": here.user,
                "host": here.host,
                **({} if mark is None else asdict(mark)),
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


def cut_off(state: StateFolder) -> frozenset[int]:
    """Return the numbers of the lines that tell of a beginning, and whose run ended without telling: it was killed."""
    begun: defaultdict[Hashable, list[LogLine]] = defaultdict(list)
    for line in read_log(state):
        run = tuple(str(line.fields.get(name)) for name in ("command", "dataset", "host", "boot", "pid", "started"))
        if line.fields.get("began"):
            begun[run].append(line)
        elif begun.get(run):
            begun[run].pop()
    return frozenset(line.number for lines in begun.values() for line in lines if _is_gone(state, line.fields))


def _is_gone(state: StateFolder, fields: Mapping[str, Any]) -> bool:
    """Return whether the process that wrote a line has ended; False where that cannot be known."""
    here, mark = ProcessMark.here(), _mark_of(fields)
    if here is not None and mark is not None and here.boot == mark.boot:
        return mark.is_gone()
    is_ours = mark is not None and fields.get("host") == Holder.here().host  # and was started anew since
    if not is_ours and str(fields.get("command")) in _WITHOUT_LOCK:
        return False
    try:
        return lock_holder(state, str(fields.get("dataset", ""))) is None
    except RepatriaError:
        return False


def _mark_of(fields: Mapping[str, Any]) -> ProcessMark | None:
    boot, pid, started = (fields.get(name) for name in ("boot", "pid", "started"))
    if isinstance(boot, str) and isinstance(pid, int) and isinstance(started, int):
        return ProcessMark(boot, pid, started)
    return None


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
