"""Copying a dataset: every byte arrives once, whatever source, link and target do meanwhile."""

import hashlib
import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from repatria.bundle.chain import Chain
from repatria.crypt.resumable import ResumableSha256
from repatria.errors import (
    FullError,
    InterruptedByUserError,
    NotFoundError,
    RefusedError,
    Role,
    StoppedError,
    UnreachableError,
)
from repatria.migrate import copy as copying
from repatria.migrate.headway import Halt, Remainder
from repatria.model import FindingKind, Object
from repatria.store.local import LocalStore
from repatria.store.memory import MemoryStore
from repatria.work.patience import Attempt
from repatria.work.stop import Reason, StopSignal
from tests.migrate.making import Job, Watched, folder_source, noise, write
from tests.work.making import IDENTITY, MIB, PowerCutError, read_chain, verify

FILES = {f"s{number % 3}/f{number}.csv": noise(number * 997) for number in range(40)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "abroad", FILES)


@pytest.fixture
def source(folder: Path) -> Watched:
    return Watched(folder_source(folder))


@pytest.fixture
def job(source: Watched, tmp_path: Path) -> Job:
    return Job([source], tmp_path / "state")


def memory(job: Job) -> MemoryStore:
    assert isinstance(job.target, MemoryStore)
    return job.target


def test_everything_is_copied_and_verifies(job: Job) -> None:
    result = job.run()
    assert (result.objects, result.bytes) == (40, sum(map(len, FILES.values())))
    assert read_chain(job.target) == FILES
    assert verify(job.target, job.state) == []


def test_a_second_run_reads_nothing_and_makes_nothing(job: Job, source: Watched) -> None:
    first = job.run()
    fetched = source.fetched
    second = job.run()
    assert (first.uri is not None, second.uri, second.unchanged) == (True, None, 40)
    assert source.fetched == fetched


def test_a_later_run_copies_one_changed_and_buries_one_deleted_object(job: Job, folder: Path, source: Watched) -> None:
    job.run()
    write(folder, {"s1/f1.csv": b"corrected"})
    (folder / "s2/f2.csv").unlink()
    source.reads.clear()
    result = job.run()
    assert (result.objects, result.gone, result.unchanged) == (1, 1, 38)
    assert [path for path, _start in source.reads] == ["s1/f1.csv"]
    expected = {**FILES, "s1/f1.csv": b"corrected"}
    del expected["s2/f2.csv"]
    assert read_chain(job.target) == expected
    assert verify(job.target, job.state) == []


def test_a_small_delta_makes_a_small_volume(job: Job, folder: Path) -> None:
    job.volume_size = 8 * MIB
    job.run()
    write(folder, {"s1/f1.csv": b"corrected"})
    job.run()
    assert Chain.load(job.target, "d").head.statement.volumes.bytes < 10_000


def test_links_folders_and_odd_names_are_kept_and_a_pipe_is_a_finding(job: Job, folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    odd = [b"latin-\xe9", b"line\nbreak", b"a.part-000001", b"x" * 250, "accentué".encode()]
    for name in odd:
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(name)
    result = job.run()
    assert [(each.kind, each.path) for each in result.findings] == [(FindingKind.FAILED, "pipe")]
    chain = Chain.load(job.target, "d", identities=[IDENTITY])
    rows = {row.path: row for _owner, row in chain.objects()}
    assert (rows["empty"].kind, rows["link"].kind, rows["link"].link_target) == ("directory", "symlink", "/etc/passwd")
    contents = read_chain(job.target)
    assert all(contents[os.fsdecode(name)] == name for name in odd)
    assert "root" not in contents["link"].decode()
    assert verify(job.target, job.state) == []


def test_several_sources_have_their_names_as_first_component(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", {"x": b"1"}), write(tmp_path / "b", {"x": b"2"})
    sources = [folder_source(first, "base", prefixed=True), folder_source(second, "files", prefixed=True)]
    job = Job(sources, tmp_path / "state")
    job.run()
    assert read_chain(job.target) == {"base/x": b"1", "files/x": b"2"}
    [base, files] = Chain.load(job.target, "d").head.statement.sources
    assert (base.name, files.name) == ("base", "files")


def test_an_empty_source_makes_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "abroad").mkdir()
    job = Job([folder_source(tmp_path / "abroad")], tmp_path / "state")
    assert job.run().uri is None
    assert list(job.target.list()) == []


def test_a_source_that_is_suddenly_empty_buries_nothing(job: Job, folder: Path) -> None:
    job.run()
    folder.rename(folder.with_name("unmounted"))
    folder.mkdir()
    with pytest.raises(NotFoundError) as caught:
        job.run()
    assert caught.value.code == 4
    folder.rmdir()
    folder.with_name("unmounted").rename(folder)
    assert job.run().uri is None
    assert read_chain(job.target) == FILES


# Large objects


@pytest.fixture
def large(folder: Path) -> bytes:
    data = noise(9 * MIB + 12_345)
    write(folder, {"large.dump": data})
    return data


def test_a_large_object_is_cut_and_its_digest_is_that_of_the_whole(job: Job, large: bytes) -> None:
    job.run()
    assert read_chain(job.target) == {**FILES, "large.dump": large}
    assert verify(job.target, job.state) == []


def die_at_put(job: Job, number: int) -> None:
    puts = itertools.count(1)

    def before_put(_path: str) -> None:
        if next(puts) == number:
            raise PowerCutError

    memory(job).faults.before_put = before_put
    with pytest.raises(PowerCutError):
        job.run()
    memory(job).faults.before_put = lambda _path: None
    job.stop = StopSignal()  # another process


@pytest.mark.parametrize("at", [2, 5, 9])
def test_a_copy_killed_within_a_large_object_goes_on_within_it(
    job: Job, source: Watched, large: bytes, at: int
) -> None:
    job.workers = 1
    die_at_put(job, at)
    job.run()
    assert read_chain(job.target) == {**FILES, "large.dump": large}
    assert verify(job.target, job.state) == []
    total = sum(map(len, FILES.values())) + len(large)
    assert source.fetched <= total + 2 * MIB, "finished volumes are not fetched again"


def test_without_a_state_of_the_digest_the_object_is_read_again_but_not_sent_again(
    job: Job, source: Watched, large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.workers = 1
    monkeypatch.setattr(ResumableSha256, "state", lambda _self: None)
    die_at_put(job, 6)
    sent = sum(each.size for each in job.target.list())
    job.run()
    assert read_chain(job.target) == {**FILES, "large.dump": large}
    assert sum(each.size for each in job.target.list()) - sent < len(large)
    assert verify(job.target, job.state) == []


def test_a_large_object_that_changed_between_two_nights_begins_anew(job: Job, folder: Path, large: bytes) -> None:
    job.workers = 1
    die_at_put(job, 5)
    write(folder, {"large.dump": large[::-1]})
    job.run()
    assert read_chain(job.target) == {**FILES, "large.dump": large[::-1]}
    assert verify(job.target, job.state) == []


def test_an_object_that_was_taken_and_then_changed_between_two_nights_is_taken_again(job: Job, folder: Path) -> None:
    job.workers = 1
    write(folder, {"zz-large": noise(3 * MIB)})
    die_at_put(job, 3)
    for path in FILES:
        write(folder, {path: b"second night"})
    job.run()
    assert {data for path, data in read_chain(job.target).items() if path in FILES} == {b"second night"}
    assert verify(job.target, job.state) == []


def test_an_object_that_was_taken_and_vanished_between_two_nights_is_gone(job: Job, folder: Path) -> None:
    job.workers = 1
    write(folder, {"zz-large": noise(3 * MIB)})
    die_at_put(job, 3)
    for number in range(3):
        shutil.rmtree(folder / f"s{number}")
    job.run()
    assert set(read_chain(job.target)) == {"zz-large"}
    assert verify(job.target, job.state) == []


# A source that changes under the copy


def once(source: Watched, path: str, change: Callable[[], object], times: int = 1) -> None:
    """Change something at the source when `path` is being read, as often as asked."""
    left = [times]

    def before_chunk(told: Object, _at: int) -> None:
        if told.path == path and left[0]:
            left[0] -= 1
            change()

    source.before_chunk = before_chunk


def test_an_object_that_changes_under_the_copy_is_taken_as_it_then_is(job: Job, source: Watched, folder: Path) -> None:
    once(source, "s2/f38.csv", lambda: write(folder, {"s2/f38.csv": b"rewritten meanwhile"}))
    result = job.run()
    assert result.findings == []
    assert read_chain(job.target) == {**FILES, "s2/f38.csv": b"rewritten meanwhile"}
    assert verify(job.target, job.state) == []


def test_an_object_that_keeps_changing_is_a_finding_and_comes_the_next_night(
    job: Job, source: Watched, folder: Path
) -> None:
    versions = itertools.count()
    once(source, "s2/f38.csv", lambda: write(folder, {"s2/f38.csv": b"v" * (100 + next(versions))}), times=9)
    result = job.run()
    assert [(each.kind, each.path) for each in result.findings] == [(FindingKind.CHANGED, "s2/f38.csv")]
    assert "s2/f38.csv" not in read_chain(job.target)
    assert len(Chain.load(job.target, "d").head.statement.findings) == 1
    source.before_chunk = lambda _told, _at: None
    assert job.run().findings == []
    assert read_chain(job.target)["s2/f38.csv"].startswith(b"vvv")
    assert verify(job.target, job.state) == []


def test_an_object_removed_under_the_copy_is_a_finding(job: Job, source: Watched, folder: Path) -> None:
    def remove(told: Object, _start: int) -> None:
        if told.path == "s2/f38.csv":
            (folder / told.path).unlink(missing_ok=True)

    source.before_read = remove
    result = job.run()
    assert [(each.kind, each.path) for each in result.findings] == [(FindingKind.CHANGED, "s2/f38.csv")]
    assert verify(job.target, job.state) == []


def test_an_object_truncated_under_the_copy_is_taken_as_it_then_is(job: Job, source: Watched, folder: Path) -> None:
    once(source, "s2/f38.csv", lambda: os.truncate(folder / "s2/f38.csv", 100))
    job.run()
    assert read_chain(job.target)["s2/f38.csv"] == FILES["s2/f38.csv"][:100]
    assert verify(job.target, job.state) == []


def test_a_large_object_that_changes_in_its_middle_is_taken_anew(
    job: Job, source: Watched, folder: Path, large: bytes
) -> None:
    changed = [False]

    def change(told: Object, at: int) -> None:
        if told.path == "large.dump" and at > 4 * MIB and not changed[0]:
            changed[0] = True
            write(folder, {"large.dump": large[::-1]})

    source.before_chunk = change
    assert job.run().findings == []
    assert read_chain(job.target)["large.dump"] == large[::-1]
    assert verify(job.target, job.state) == []


def test_an_object_of_a_size_that_cannot_be_comes_as_large_as_it_is(job: Job, source: Watched) -> None:
    source.edit = lambda told: replace(told, size=10**15) if told.path == "s2/f38.csv" else told
    result = job.run()
    assert result.findings == []
    assert result.volumes < 20
    assert read_chain(job.target) == FILES
    assert verify(job.target, job.state) == []


def test_an_object_of_a_size_that_cannot_be_and_that_does_not_come_is_a_finding(job: Job, source: Watched) -> None:
    source.edit = lambda told: replace(told, size=10**15) if told.path == "s2/f38.csv" else told

    def refuse(told: Object, _start: int) -> None:
        if told.path == "s2/f38.csv":
            raise RefusedError("no", role=Role.SOURCE)

    source.before_read = refuse
    [found] = job.run().findings
    assert (found.kind, found.path) == (FindingKind.FAILED, "s2/f38.csv")
    assert read_chain(job.target) == {path: data for path, data in FILES.items() if path != "s2/f38.csv"}


def test_an_object_that_is_refused_is_a_finding_and_the_others_come(job: Job, source: Watched) -> None:
    def refuse(told: Object, _start: int) -> None:
        if told.path == "s2/f38.csv":
            raise RefusedError("no", role=Role.SOURCE)

    source.before_read = refuse
    result = job.run()
    assert [(each.kind, each.path) for each in result.findings] == [(FindingKind.FAILED, "s2/f38.csv")]
    assert len(read_chain(job.target)) == 39
    assert result.findings[0].kind.exit_code == 1


def test_checksums_that_the_source_keeps_are_compared(job: Job, source: Watched) -> None:
    def edit(told: Object) -> Object:
        algorithm = "md5" if told.path.startswith("s1/") else "sha256"
        if told.path.startswith("s2/"):
            return told
        digest = hashlib.new(algorithm, FILES[told.path], usedforsecurity=False).hexdigest()
        return replace(told, checksum=(algorithm, digest if told.path != "s1/f1.csv" else "00" * 16))

    source.edit = edit
    result = job.run()
    assert [(each.kind, each.path) for each in result.findings] == [(FindingKind.FAILED, "s1/f1.csv")]
    compared = Chain.load(job.target, "d").head.statement.checksums_compared
    assert compared == sum(not path.startswith("s2/") for path in FILES) - 1


# A bad link


def test_a_read_that_breaks_goes_on_where_it_broke(job: Job, source: Watched, large: bytes) -> None:
    breaks = iter(range(1 * MIB, 9 * MIB, 3 * MIB))
    due = [next(breaks)]

    def break_off(told: Object, at: int) -> None:
        if told.path == "large.dump" and due[0] is not None and at >= due[0]:
            due[0] = next(breaks, 1 << 60)
            raise UnreachableError("the link is gone", role=Role.SOURCE)

    source.before_chunk = break_off
    job.run()
    assert read_chain(job.target)["large.dump"] == large
    assert source.fetched == sum(map(len, FILES.values())) + len(large), "no byte is fetched twice"


def test_a_listing_that_breaks_is_begun_again(job: Job, source: Watched) -> None:
    listed = itertools.count(1)

    def edit(told: Object) -> Object:
        if next(listed) == 20:
            raise UnreachableError("the link is gone", role=Role.SOURCE)
        return told

    source.edit = edit
    job.run()
    assert read_chain(job.target) == FILES
    assert verify(job.target, job.state) == []


def test_a_listing_that_breaks_after_copying_began_copies_nothing_twice(
    job: Job, source: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "LOOK_AHEAD", 4)
    listed = itertools.count(1)

    def edit(told: Object) -> Object:
        if next(listed) == 30:
            raise UnreachableError("the link is gone", role=Role.SOURCE)
        return told

    source.edit = edit
    job.run()
    assert read_chain(job.target) == FILES
    assert verify(job.target, job.state) == []


def test_a_source_that_told_of_something_is_waited_for_however_often_its_listing_breaks(
    job: Job, source: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time at its very beginning, long after the first contact."""
    listed = itertools.count(1)

    def edit(told: Object) -> Object:
        if next(listed) in {20, 21, 22}:
            monkeypatch.setattr(copying, "FIRST_CONTACT_SECONDS", 0.0)
            raise UnreachableError("the link is gone", role=Role.SOURCE)
        return told

    source.edit = edit
    job.run()
    assert read_chain(job.target) == FILES


def test_a_listing_that_gets_further_each_time_has_its_whole_patience_each_time(
    job: Job, source: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts, steps = list[Attempt](), iter([3, 5, 7])
    pause = Attempt.pause

    def keep(attempt: Attempt, error: UnreachableError, *, tell: bool = True) -> None:
        pause(attempt, error, tell=tell)
        attempts.append(attempt)
        assert attempt.failures == 1

    def broken() -> Iterator[Object]:
        breaks_at = next(steps, None)
        for number, told in enumerate(listing()):
            if number == breaks_at:
                raise UnreachableError("the link is gone", role=Role.SOURCE)
            yield told

    listing = source.list
    monkeypatch.setattr(source, "list", broken)
    monkeypatch.setattr(Attempt, "pause", keep)
    job.run()
    assert len(attempts) == 3
    assert read_chain(job.target) == FILES


def test_a_first_contact_that_fails_is_told_after_a_while(
    job: Job, source: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = itertools.count()

    def edit(_told: Object) -> Object:
        if next(tried) == 5:
            monkeypatch.setattr(copying, "FIRST_CONTACT_SECONDS", 0.0)
        raise UnreachableError("no route", role=Role.SOURCE)

    source.edit = edit
    with pytest.raises(UnreachableError) as caught:
        job.run()
    assert caught.value.code == 4
    assert next(tried) > 5


def test_when_patience_is_over_it_is_said_what_is_safe_and_why(job: Job, source: Watched) -> None:
    job.patience_seconds = 0.0

    def break_off(told: Object, _start: int) -> None:
        if told.path == "s2/f38.csv":
            raise UnreachableError("The source does not answer.", role=Role.SOURCE)

    source.before_read = break_off
    with pytest.raises(StoppedError, match=r"The source does not answer\..*Nothing is lost\.") as caught:
        job.run()
    assert caught.value.code == 8
    source.before_read = lambda _told, _start: None
    job.stop = StopSignal()
    job.run()
    assert read_chain(job.target) == FILES


# Stops


@pytest.mark.parametrize(
    ("reason", "error"), [(Reason.SIGNAL, StoppedError), (Reason.KEYBOARD, InterruptedByUserError)]
)
def test_a_stop_says_how_many_volumes_are_safe_and_the_next_run_goes_on(
    job: Job, source: Watched, large: bytes, reason: Reason, error: type[StoppedError]
) -> None:
    job.workers = 1

    def stop_at(told: Object, at: int) -> None:
        if told.path == "large.dump" and at > 4 * MIB:
            job.stop.request(reason)

    source.before_chunk = stop_at
    with pytest.raises(error, match=r"Nothing is lost\. [1-6] of 1[0-2] volumes are safe at the target; run the same"):
        job.run()
    source.before_chunk = lambda _told, _at: None
    job.stop = StopSignal()
    before = source.fetched
    job.run()
    assert source.fetched - before < 6 * MIB + sum(map(len, FILES.values()))
    assert read_chain(job.target) == {**FILES, "large.dump": large}
    assert verify(job.target, job.state) == []


def test_when_time_is_up_it_is_said_how_much_is_left_at_what_speed(job: Job, source: Watched, large: bytes) -> None:
    told: list[Remainder] = []

    def outlook(halt: Halt) -> str:
        assert halt.left is not None
        told.append(halt.left)
        return "Two more nights."

    def stop_at(each: Object, at: int) -> None:
        if each.path == "large.dump" and at > 5 * MIB:
            job.stop.request(Reason.WINDOW)

    source.before_chunk = stop_at
    job.workers, job.outlook = 1, outlook
    with pytest.raises(StoppedError, match=r"safe at the target; .* Two more nights\."):
        job.run()
    total = sum(map(len, FILES.values())) + len(large)
    assert total - 6 * MIB < told[0].bytes < total - 2 * MIB
    assert told[0].bytes_per_second > 0


def test_a_stop_is_heard_while_the_source_says_nothing(job: Job, source: Watched) -> None:
    over = threading.Event()

    def hang(_told: Object, _at: int) -> None:
        job.stop.request(Reason.SIGNAL)
        over.wait(60)

    source.before_chunk = hang
    try:
        with pytest.raises(StoppedError):
            job.run()
        units = [thread for thread in threading.enumerate() if thread.name.startswith("line")]
        for thread in units:  # at the end of the process, Python waits for each of them
            thread.join(10)
        assert not any(thread.is_alive() for thread in units)
    finally:
        over.set()


def test_a_failing_target_ends_the_run_with_its_own_error(job: Job, folder: Path) -> None:
    write(folder, {f"more/{number}": noise(MIB) for number in range(12)})
    memory(job).faults.capacity = 5 * MIB
    with pytest.raises(FullError) as caught:
        job.run()
    assert caught.value.code == 5
    memory(job).faults.capacity = None
    job.stop = StopSignal()
    job.run()
    assert len(read_chain(job.target)) == 52
    assert verify(job.target, job.state) == []


def test_the_next_volume_comes_while_one_is_sent(job: Job, folder: Path, source: Watched) -> None:
    write(folder, {f"more/{number}": noise(900_000) for number in range(4)})
    seen = []

    def look(path: str) -> None:
        if path.endswith("vol-000001.tar.age"):
            until = time.monotonic() + 30
            while source.fetched <= MIB and time.monotonic() < until:
                time.sleep(0.01)
            seen.append(source.fetched)

    memory(job).faults.before_put = look
    job.run()
    assert MIB < seen[0] <= 1.9 * MIB
    assert len(read_chain(job.target)) == 44


def test_to_a_folder_and_back(job: Job, tmp_path: Path, large: bytes) -> None:
    job.target = LocalStore(tmp_path / "vault", role=Role.TARGET)
    job.run()
    assert read_chain(job.target) == {**FILES, "large.dump": large}
    assert verify(job.target, job.state) == []
    assert not (tmp_path / "vault" / ".repatria-tmp").exists() or not list((tmp_path / "vault/.repatria-tmp").iterdir())


def test_no_name_or_content_of_an_object_stays_on_the_machine(tmp_path: Path) -> None:
    folder = write(tmp_path / "abroad", {"dossier/diop-awa-1987.txt": b"CONTENU tuberculose" * 100})
    job = Job([folder_source(folder)], tmp_path / "state")
    job.run()
    for file in (tmp_path / "state").rglob("*"):
        data = file.read_bytes() if file.is_file() else b""
        assert not any(marker in data for marker in (b"diop", b"dossier/", b"CONTENU"))
