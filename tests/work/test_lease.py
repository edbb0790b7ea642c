"""One run a dataset at a time, across machines: the series of small files at the target that says who has it."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repatria.errors import LockedError, RefusedError, Role, StoppedError, UnreachableError
from repatria.model import Object
from repatria.store.base import Store
from repatria.store.local import LocalStore
from repatria.store.memory import MemoryStore
from repatria.store.registry import open_store
from repatria.work.lease import Lease
from repatria.work.lease_files import SeenLease, Terms, gathered, goes_before, leases_at, mark_of, told_by
from repatria.work.state import StateFolder
from repatria.work.stop import Reason, StopSignal
from tests.servers import Server

QUICK = Terms(beat=0.01, patience=5.0)
SOON = Terms(beat=0.01, patience=1.0)
"""For stores that tell whole seconds: who comes in the same second as the holder waits to see whether it gives way."""


class WriteOnce(MemoryStore):
    """A target that neither deletes nor overwrites."""

    def delete(self, path: str) -> None:
        raise RefusedError(f"{path} is kept.")


def lease(store: Store, folder: Path, terms: Terms = QUICK, stop: StopSignal | None = None) -> Lease:
    """Return the lease of the machine whose state lies in `folder`."""
    return Lease(store, "d", StateFolder(folder), stop or StopSignal(), terms)


def abandon(store: Store, folder: Path) -> None:
    """Take a lease as a run does that is killed then."""
    left = lease(store, folder)
    left._end = lambda: None  # type: ignore[method-assign]  # a killed run ends nothing
    with left:
        pass


def files(store: Store) -> list[str]:
    return [told.path for told in store.list("d/leases/") if told.path.endswith(".json")]


def seen(*marks: tuple[str, int, float]) -> SeenLease:
    """Return one lease whose files are these: token, number, when it was written."""
    stamp = "20260131T200000Z"
    named = [
        Object(f"d/leases/{stamp}-{token}-{f'{number:04d}' if number else 'end'}.json", 9, int(moment * 1e9))
        for token, number, moment in marks
    ]
    (found,) = gathered(mark for each in named if (mark := mark_of(each))).values()
    return found


def test_a_run_elsewhere_is_told_who_has_the_dataset(tmp_path: Path) -> None:
    store = MemoryStore()
    with lease(store, tmp_path / "one"):
        with pytest.raises(LockedError, match=f"process {os.getpid()}") as refused, lease(store, tmp_path / "two"):
            pytest.fail("both have it")
        assert refused.value.code == 7
        assert "40 minutes" in refused.value.advice
        assert len(files(store)) == 1, "who does not get it leaves nothing behind"
    assert files(store) == []
    with lease(store, tmp_path / "two"):
        assert len(files(store)) == 1


def test_another_dataset_at_the_same_target_is_free(tmp_path: Path) -> None:
    store = MemoryStore()
    with lease(store, tmp_path), Lease(store, "e", StateFolder(tmp_path), StopSignal(), QUICK):
        pass


def test_a_target_that_keeps_everything_is_told_that_the_lease_ended(tmp_path: Path) -> None:
    store = WriteOnce()
    with lease(store, tmp_path / "one"), pytest.raises(LockedError), lease(store, tmp_path / "two"):
        pass
    with lease(store, tmp_path / "two"):
        pass
    assert sum(path.endswith("-end.json") for path in files(store)) == 3
    assert all(each.ended for each in leases_at(store, "d").values())


def test_a_killed_run_does_not_block_the_same_machine(tmp_path: Path) -> None:
    store = MemoryStore()
    for _times in range(2):
        abandon(store, tmp_path)
    with lease(store, tmp_path):
        assert len(files(store)) == 1, "what the killed runs left is ended too"


def test_a_killed_run_blocks_other_machines_until_its_lease_expires(tmp_path: Path) -> None:
    store = MemoryStore()
    abandon(store, tmp_path / "one")
    with pytest.raises(LockedError), lease(store, tmp_path / "two"):
        pass
    time.sleep(0.02)
    with lease(store, tmp_path / "two", Terms(lifetime=0.01, beat=0.01)):
        pass


def test_a_copy_of_the_state_folder_on_another_machine_frees_nothing(tmp_path: Path) -> None:
    store = MemoryStore()
    abandon(store, tmp_path)
    kept = tmp_path / "datasets" / "d" / "lease.json"
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "host": "elsewhere"}))
    with pytest.raises(LockedError), lease(store, tmp_path):
        pass


def test_a_damaged_memory_of_earlier_leases_is_as_none(tmp_path: Path) -> None:
    for damage in (b"", b"{}", b"[1]", b'{"host": 1, "leases": 7}', b"\xff"):
        (StateFolder(tmp_path).dataset("d") / "lease.json").write_bytes(damage)
        with lease(MemoryStore(), tmp_path):
            pass


def test_of_many_that_begin_at_once_exactly_one_gets_it(tmp_path: Path) -> None:
    store, barrier, holding = MemoryStore(), threading.Barrier(8), threading.Semaphore(1)

    def attempt(number: int) -> bool:
        barrier.wait()
        try:
            with lease(store, tmp_path / str(number)):
                assert holding.acquire(blocking=False), "two have it"
                barrier.wait()
                holding.release()
                return True
        except LockedError:
            barrier.wait()
            return False

    with ThreadPoolExecutor(8) as pool:
        for _round in range(10):
            assert sum(pool.map(attempt, range(8))) == 1
    assert files(store) == []


def test_who_came_first_goes_before_and_who_has_renewed_before_all() -> None:
    first, later = seen(("a" * 16, 1, 10.0)), seen(("b" * 16, 1, 11.0))
    assert goes_before(first, later)
    assert not goes_before(later, first)
    twin = seen(("c" * 16, 1, 10.0))
    assert goes_before(first, twin) != goes_before(twin, first), "the same instant is decided, and the same by both"
    assert goes_before(seen(("d" * 16, 2, 99.0)), first), "its first file is gone already"


def test_age_counts_from_the_latest_file_and_an_end_ends() -> None:
    terms = Terms(lifetime=100)
    renewed = seen(("a" * 16, 1, 0.0), ("a" * 16, 2, 90.0))
    assert renewed.is_live(190.0, terms)
    assert not renewed.is_live(191.0, terms)
    assert not seen(("a" * 16, 1, 0.0), ("a" * 16, 0, 1.0)).is_live(2.0, terms)


def test_files_of_other_names_are_no_leases() -> None:
    for name in ("README", "20260131T200000Z-aaaaaaaaaaaaaaaa-1.json", "20261331T200000Z-aaaaaaaaaaaaaaaa-0001.json"):
        assert mark_of(Object(f"d/leases/{name}", 1)) is None
    told = mark_of(Object("d/leases/20260131T200000Z-aaaaaaaaaaaaaaaa-0001.json", 1))
    assert told is not None
    assert told.moment == 1769889600.0, "without a time of the store, its writer's counts"


def test_a_run_renews_its_lease_and_takes_the_file_before_away(tmp_path: Path) -> None:
    store = MemoryStore()
    with lease(store, tmp_path, Terms(renewal=0.02, second_look=0.01)):
        wait_for(lambda: any(path.endswith("-0003.json") for path in files(store)))
        assert len(files(store)) <= 2
    assert files(store) == []


def test_a_lost_link_is_waited_for(tmp_path: Path) -> None:
    store = MemoryStore()
    with lease(store, tmp_path, Terms(renewal=0.02, second_look=0.01)):
        store.faults.before_put = lambda _path: refuse(UnreachableError("away"))
        time.sleep(0.1)
        store.faults.before_put = lambda _path: None
        before = files(store)
        wait_for(lambda: files(store) != before)


def test_a_lease_that_another_took_over_meanwhile_stops_the_run(tmp_path: Path) -> None:
    """As when a machine sleeps for hours, and another one goes on."""
    store, stop = MemoryStore(), StopSignal()
    terms = Terms(lifetime=0.3, renewal=0.6, second_look=0.01)

    def sleep_while_another_goes_on() -> None:
        with lease(store, tmp_path / "one", terms, stop):
            time.sleep(0.35)
            with lease(store, tmp_path / "two", Terms(lifetime=0.3, renewal=0.05, second_look=0.01)):
                work_until_stopped(stop)

    with pytest.raises(LockedError) as lost:
        sleep_while_another_goes_on()
    assert isinstance(lost.value.__cause__, StoppedError)
    assert stop.reason is Reason.FAILURE


def test_a_lease_that_expired_while_nobody_came_goes_on(tmp_path: Path) -> None:
    store, stop = MemoryStore(), StopSignal()
    with lease(store, tmp_path, Terms(lifetime=0.01, renewal=0.05, second_look=0.01), stop):
        wait_for(lambda: any(path.endswith("-0003.json") for path in files(store)))
        assert not stop.requested


class ShowsLate(MemoryStore):
    """A store whose listing does not have the latest files yet."""

    hidden: set[str]

    def list(self, prefix: str = "", *, enter: Callable[[str], bool] | None = None) -> Iterator[Object]:
        return (told for told in super().list(prefix, enter=enter) if told.path not in self.hidden)


def test_an_earlier_lease_that_is_shown_late_is_seen_at_the_second_look(tmp_path: Path) -> None:
    store, stop = ShowsLate(), StopSignal()
    store.hidden = set()
    with lease(store, tmp_path / "one"):
        store.hidden = set(files(store))

        def begin_without_seeing_it() -> None:
            with lease(store, tmp_path / "two", Terms(second_look=0.05), stop):
                store.hidden = set()
                work_until_stopped(stop)

        with pytest.raises(LockedError):
            begin_without_seeing_it()


def test_a_target_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    store = MemoryStore()
    store.faults.before_put = lambda _path: refuse(RefusedError("no"))
    with pytest.raises(RefusedError), lease(store, tmp_path):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"user": "\\u001b[2J"}', '{"user": 1}', "x" * 5000])
def test_what_somebody_else_wrote_into_a_lease_does_no_harm(tmp_path: Path, text: str) -> None:
    store = MemoryStore()
    data = text.encode()
    store.put(f"d/leases/{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{'a' * 16}-0001.json", [data], len(data))
    with pytest.raises(LockedError, match=r"\?"), lease(store, tmp_path):
        pass


@pytest.fixture(params=["file", "moto_s3", "rclone_s3", "sshd"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    if request.param == "file":
        yield LocalStore(tmp_path / "vault")
        return
    server: Server = request.getfixturevalue(request.param).use(monkeypatch)
    store = open_store(server.new_place(), endpoint=server.endpoint, profile=server.profile, role=Role.TARGET)
    yield store
    store.close()


def test_every_kind_of_target_tells_two_machines_apart(target: Store, tmp_path: Path) -> None:
    abandon(target, tmp_path / "one")
    with pytest.raises(LockedError), lease(target, tmp_path / "two", SOON):
        pass
    with lease(target, tmp_path / "one"):
        with pytest.raises(LockedError), lease(target, tmp_path / "two", SOON):
            pass
        assert len(files(target)) == 1
    assert files(target) == []
    with lease(target, tmp_path / "two", SOON):
        pass


def work_until_stopped(stop: StopSignal) -> None:
    wait_for(lambda: stop.requested)
    stop.raise_if_requested()


def wait_for(condition: Callable[[], bool]) -> None:
    for _look in range(2000):
        if condition():
            return
        time.sleep(0.005)
    pytest.fail("it did not come")


def refuse(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"process": 1e999, "user": "a", "host": "b", "since": "c"}',
        b'{"process": 1, "user": "a", "host": "b", "since": "c", "boot": "d", "started": 1e999}',
        b'{"process": -1, "user": "a", "host": "b", "since": "c"}',
        b'{"process": "1", "user": "a", "host": "b", "since": "c"}',
        b"[" * 8000,
        b'{"process": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_lease_that_tells_nonsense_is_one_of_somebody_unknown(tmp_path: Path, hostile: bytes) -> None:
    store = MemoryStore()
    store.put(f"d/leases/99991231T235959Z-{'a' * 16}-0002.json", [hostile], len(hostile))
    (other,) = leases_at(store, "d").values()
    assert told_by(store, other).holder.user == "?"
    with pytest.raises(LockedError, match=r"by \? on \?"), lease(store, tmp_path):
        pytest.fail("somebody has it")


def test_a_moment_at_the_end_of_all_calendars_can_be_told(tmp_path: Path) -> None:
    """A store without times: the stamp in the name counts, and a stranger wrote it."""
    far = mark_of(Object(f"d/leases/99991231T235959Z-{'a' * 16}-0002.json", 9, None))
    assert far is not None
    other = SeenLease((far,))
    assert "9999" in lease(MemoryStore(), tmp_path)._locked(other).advice
