"""A lease at the target: one run a dataset at a time, across machines that share no state folder.

A target may allow neither delete nor overwrite, so a lease is a series of small files, each written once, beside the
bundles (docs/formats/leases.md): the first claims, further ones renew, a last one ends it. Whoever may delete leaves
none behind. Only the names count; what is inside tells people who holds it. Ages are differences between times that the
store itself gave the files, so the clocks of the machines do not matter.

A dead run need not be waited for where its death can be known. The lock of the state folder (`repatria.work.lock`) is
held before a lease is taken: it proves that an earlier lease of the same folder and machine is dead. And a lease says
which process of which boot holds it: whoever comes next on that machine can look for it.
"""

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from repatria.bundle import layout
from repatria.bundle.statement import canonical
from repatria.errors import LockedError, NotFoundError, StoreError
from repatria.i18n import _, ngettext
from repatria.store.base import Store
from repatria.store.folders import remove_empty
from repatria.work.lease_files import STAMP, SeenLease, Terms, goes_before, is_dead, leases_at, told_by
from repatria.work.lock import Holder
from repatria.work.patience import TRANSIENT
from repatria.work.process_mark import ProcessMark
from repatria.work.state import StateFolder, write_whole
from repatria.work.stop import Reason, StopSignal

LEASE_TYPE = "https://repatria/lease/1"
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz234567"
_LENGTH = 16
_FILE_NAME = "lease.json"
_REMEMBERED = 8
"""Leases of this state folder that are remembered: those of killed runs, until they are ended or have expired."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a lease is for, where that is not a dataset at its target."""

    folder: str
    """Where its files lie at the store: below it in `leases/`."""
    called: str
    """As people call it."""
    require_there: Callable[[], None] = lambda: None
    """Raises a StoreError while the store is not to be written to."""


class Lease:
    """The lease of one run: taken as the context begins, renewed by a thread of its own, ended with the context."""

    def __init__(
        self,
        store: Store,
        dataset_id: str,
        state: StateFolder,
        stop: StopSignal,
        terms: Terms | None = None,
        claim: Claim | None = None,
    ) -> None:
        """Claim a dataset, whose lock is held, or something that this dataset alone may work on for a time."""
        self._store = store
        self._dataset = dataset_id
        self._claim = claim or Claim(dataset_id, dataset_id)
        self._state = state
        self._stop = stop
        self._terms = terms or Terms()
        self._token = "".join(secrets.choice(_CHARACTERS) for _place in range(_LENGTH))
        self._here = Holder.here()
        self._mark = ProcessMark.here()
        self._paths: list[str] = []
        self._number = 0
        self._last = 0.0
        self._over = threading.Event()
        self._lost: LockedError | None = None
        self._thread = threading.Thread(target=self._renew_again_and_again, name="lease", daemon=True)

    @property
    def token(self) -> str:
        """What tells it from all others at the target."""
        return self._token

    def __enter__(self) -> Self:
        """Take the lease; LockedError (7) names who has it, StoreError (5) if the target is not to be written."""
        dead = self._remember()
        self._put_next()
        try:
            self._await_turn(dead)
        except BaseException:
            self._end()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the lease; where it was lost to another run, that is the error to tell."""
        self._over.set()
        self._thread.join(self._terms.beat)
        self._end()
        if self._lost is not None and error is not None:
            raise self._lost from error

    def _remember(self) -> set[str]:
        """Keep the token in the state folder, and return those of earlier runs there: the lock is ours, they are dead.

        Another machine's do not count, for a state folder may be a copy.
        """
        file = self._state.dataset(self._dataset) / _FILE_NAME
        host, earlier = socket.gethostname(), []
        with suppress(OSError, ValueError, TypeError, KeyError):
            kept = json.loads(file.read_bytes())
            earlier = [str(token) for token in kept["leases"]] if kept["host"] == host else []
        leases = [*earlier, self._token][-_REMEMBERED:]
        write_whole(file, json.dumps({"host": host, "leases": leases}).encode() + b"\n")
        return set(earlier)

    def _put_next(self) -> None:
        self._number += 1
        self._put(f"{self._number:04d}")
        if len(self._paths) > 1 and _delete(self._store, self._paths[0]):
            del self._paths[0]

    def _put(self, what: str) -> None:
        now = datetime.now(UTC)
        self._claim.require_there()
        path = f"{self._claim.folder}/{layout.LEASES}/{now.strftime(STAMP)}-{self._token}-{what}.json"
        fields = {**asdict(self._here), **(asdict(self._mark) if self._mark else {})}
        fields["process"] = fields.pop("pid")
        data = canonical(
            {
                "type": LEASE_TYPE,
                "dataset": self._dataset,
                "lease": self._token,
                "written": layout.rfc3339(now),
                "lives_seconds": int(self._terms.lifetime),
                **fields,
            }
        )
        self._paths.append(path)
        try:
            self._store.put(path, [data], len(data))
        except NotFoundError:  # another run removed the folder, which was empty, at this very moment
            self._store.put(path, [data], len(data))

    def _await_turn(self, dead: set[str]) -> None:
        """Return once nobody else has the dataset; LockedError if somebody has it, or came first."""
        end, looked_for = time.monotonic() + self._terms.patience, set[str]()
        while True:
            seen = leases_at(self._store, self._claim.folder)
            own = seen.get(self._token)
            if own is not None:  # else the store shows files late: look again
                self._last = own.last
                unknown = [other for other in self._others(seen, dead) if other.token not in looked_for]
                looked_for.update(other.token for other in unknown)
                dead.update(other.token for other in unknown if is_dead(self._store, other))
                self._end_dead(seen, dead)
                others = self._others(seen, dead)
                if not others:
                    return
                ahead = [other for other in others if goes_before(other, own)]
                if ahead or time.monotonic() >= end:
                    raise self._locked((ahead or others)[0])
            elif time.monotonic() >= end:
                return  # a store that does not list what it holds: nothing can be told from it
            self._stop.wait(self._terms.beat)

    def _others(self, seen: dict[str, SeenLease], dead: Iterable[str] = ()) -> list[SeenLease]:
        """Return the live leases of others, the earliest first."""
        own = {self._token, *dead}
        live = [each for token, each in seen.items() if token not in own and each.is_live(self._last, self._terms)]
        return sorted(live, key=lambda each: (each.first, each.token))

    def _end_dead(self, seen: dict[str, SeenLease], dead: set[str]) -> None:
        """End what killed runs of this machine left, so that other machines need not wait for it to expire."""
        for token in dead & seen.keys():
            if not seen[token].ended:
                self._finish([mark.path for mark in seen[token].marks], token)

    def _renew_again_and_again(self) -> None:
        pause, is_first = self._terms.second_look, True
        while not self._over.wait(pause):
            try:
                if is_first:
                    self._look_again()
                    pause, is_first = self._terms.renewal - self._terms.second_look, False
                else:
                    self._renew()
                    pause = self._terms.renewal
            except StoreError:  # the link is lost: as soon as it is back
                pause = min(self._terms.renewal, 30.0)

    def _look_again(self) -> None:
        """See whether a lease that went before this one was only shown late."""
        seen = leases_at(self._store, self._claim.folder)
        own = seen.get(self._token)
        if own is not None:
            self._lose_to([other for other in self._others(seen) if goes_before(other, own)])

    def _renew(self) -> None:
        """Write the next file; where the last one had expired meanwhile, see whether another run took over."""
        before = self._last
        self._put_next()
        seen = leases_at(self._store, self._claim.folder)
        own = seen.get(self._token)
        if own is None:
            return
        self._last = own.last
        if self._last - before > self._terms.lifetime:
            self._lose_to(self._others(seen))

    def _lose_to(self, others: Sequence[SeenLease]) -> None:
        if others and not self._over.is_set():
            self._lost = self._locked(others[0])
            self._over.set()
            self._stop.request(Reason.FAILURE)

    def _end(self) -> None:
        if self._stop.reason is not Reason.LINK:  # then it expires: nothing would get through
            self._finish(self._paths, self._token)

    def _finish(self, paths: Iterable[str], token: str) -> None:
        """Remove the files of a lease; where that is refused, write the one that ends it."""
        with suppress(*TRANSIENT):
            self._claim.require_there()
            if all([_delete(self._store, path) for path in paths]):  # each of them, whatever became of the others
                remove_empty(self._store, f"{self._claim.folder}/{layout.LEASES}")
                return
            stamp = datetime.now(UTC).strftime(STAMP)
            data = canonical({"type": LEASE_TYPE, "dataset": self._dataset, "lease": token, "ended": stamp})
            with suppress(StoreError):
                path = f"{self._claim.folder}/{layout.LEASES}/{stamp}-{token}-end.json"
                self._store.put(path, [data], len(data))

    def _locked(self, other: SeenLease) -> LockedError:
        holder = told_by(self._store, other).holder
        minutes = round(self._terms.lifetime / 60)
        return LockedError(
            _("{dataset} is being worked on by {user} on {host} (process {pid}) since {since}.").format(
                dataset=self._claim.called, user=holder.user, host=holder.host, pid=holder.pid, since=holder.since
            ),
            advice=ngettext(
                "Wait for that run to end. If that process or machine is gone, this dataset is free {count} minute"
                " after its last sign of life: at {time}, by the target's clock.",
                "Wait for that run to end. If that process or machine is gone, this dataset is free {count} minutes"
                " after its last sign of life: at {time}, by the target's clock.",
                minutes,
            ).format(
                count=minutes,
                time=layout.rfc3339(datetime.fromtimestamp(other.last + self._terms.lifetime, UTC)),
            ),
        )


def _delete(store: Store, path: str) -> bool:
    """Remove a file of a lease; return whether the target allowed that."""
    try:
        store.delete(path)
    except TRANSIENT:
        raise
    except StoreError:
        return False
    return True
