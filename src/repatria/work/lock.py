"""One run a dataset at a time, across processes and users of one state folder."""

import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from repatria.errors import LockedError
from repatria.i18n import _
from repatria.work.state import StateFolder, group_rights, unusable


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a dataset's lock."""

    user: str
    host: str
    pid: int
    since: str
    """RFC 3339, UTC, seconds."""

    @classmethod
    def here(cls) -> Self:
        """Return this very process as a holder."""
        now = datetime.now(UTC).replace(microsecond=0)
        return cls(_user(), socket.gethostname(), os.getpid(), now.isoformat().replace("+00:00", "Z"))


@contextmanager
def dataset_lock(state: StateFolder, dataset_id: str) -> Iterator[None]:
    """Hold a dataset's lock; LockedError names who holds it already.

    The kernel lets go of it when the process ends, however it ends: a lock never needs breaking.
    """
    file = state.dataset(dataset_id) / "lock"
    descriptor = _open(file)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _locked(dataset_id, _read(descriptor)) from None
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(Holder.here())).encode(), 0)
        except OSError as error:
            raise unusable(file, error) from error
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def lock_holder(state: StateFolder, dataset_id: str) -> Holder | None:
    """Return who holds a dataset's lock at this moment, None if nobody does."""
    file = state.path / "datasets" / dataset_id / "lock"
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unusable(file, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor)
    finally:
        os.close(descriptor)
    return None


def _open(file: Path) -> int:
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unusable(file, error) from error
    if os.fstat(descriptor).st_uid == os.geteuid():
        os.fchmod(descriptor, 0o600 | group_rights(file.parent, 0o060))
    return descriptor


def _read(descriptor: int) -> Holder:
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):  # read in the moment between the lock and its note
        return Holder("?", "?", 0, "?")


def _locked(dataset_id: str, holder: Holder) -> LockedError:
    return LockedError(
        _("{dataset} is being worked on by {user} on {host} (process {pid}) since {since}.").format(
            dataset=dataset_id, user=holder.user, host=holder.host, pid=holder.pid, since=holder.since
        ),
        advice=_("Wait for that run to end; `repatria status {dataset}` shows how far it is.").format(
            dataset=dataset_id
        ),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return str(os.geteuid())
