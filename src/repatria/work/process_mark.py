"""Telling whether a process that left its mark still runs: on this very machine, since it was started.

A number alone tells nothing, for the kernel gives it again. With the boot, the PID namespace and the time of its start
it belongs to one process for ever (proc(5): /proc/sys/kernel/random/boot_id, /proc/PID/ns/pid, /proc/PID/stat).
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_START_TIME = 19
"""Of the fields after the command's closing parenthesis: `starttime`, the 22nd of all."""


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """One process of one boot of one machine."""

    boot: str
    """What tells this boot, and this PID namespace, from all others: hexadecimal, tells nothing else."""
    pid: int
    started: int
    """Clock ticks from the boot to its start."""

    @classmethod
    def here(cls) -> Self | None:
        """Return the mark of this process; None where the system does not tell."""
        boot, started = _this_boot(), _start_of(os.getpid())
        return cls(boot, os.getpid(), started) if boot and started is not None else None

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
        started = _start_of(self.pid)
        return started is not None and started != self.started


def _this_boot() -> str | None:
    try:
        told = f"{_BOOT.read_text(encoding='ascii').strip()} {_NAMESPACE.readlink()}"
    except (OSError, ValueError):
        return None
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _start_of(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        return int(fields[_START_TIME])
    except (OSError, ValueError, IndexError):
        return None
