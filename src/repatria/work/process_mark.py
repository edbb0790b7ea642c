"""Telling whether a process that left its mark still runs: on this very machine, since it was started.

A number alone tells nothing, for the kernel gives it again. With the boot, the PID namespace and the time of its start
it belongs to one process for ever (proc(5): /proc/sys/kernel/random/boot_id, /proc/PID/ns/pid, /proc/PID/stat). Virtual
machines that were restored from one snapshot share all of these; their host names tell them apart.
"""

import hashlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_STATE, _START_TIME = 0, 19
"""Of the fields after the command's closing parenthesis: `state` and `starttime`, the 3rd and 22nd of all."""
_ENDED = frozenset("ZXx")
"""States of a process that has ended, and that its parent did not ask about yet."""


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """One process of one boot of one machine."""

    boot: str
    """What tells this boot, PID namespace and host name from all others: hexadecimal, tells nothing else."""
    pid: int
    started: int
    """Clock ticks from the boot to its start."""

    @classmethod
    def here(cls) -> Self | None:
        """Return the mark of this process; None where the system does not tell."""
        boot, told = _this_boot(), _told_of(os.getpid())
        return cls(boot, os.getpid(), told.started) if boot and told is not None else None

    def is_gone(self) -> bool:
        """Return whether that process ran on this machine, and has ended; False where that cannot be known."""
        if self.boot != _this_boot() or self.pid < 1:
            return False
        try:
            os.kill(self.pid, 0)  # also tells of a process that /proc hides from other users
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            pass
        told = _told_of(self.pid)
        return told is not None and (told.started != self.started or told.state in _ENDED)


def _this_boot() -> str | None:
    try:
        told = f"{_BOOT.read_text(encoding='ascii').strip()} {_NAMESPACE.readlink()} {socket.gethostname()}"
    except (OSError, ValueError):
        return None
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]


class _Told(NamedTuple):
    """What the system tells of a process."""

    state: str
    started: int


def _told_of(pid: int) -> _Told | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        return _Told(fields[_STATE], int(fields[_START_TIME]))
    except (OSError, ValueError, IndexError):
        return None
