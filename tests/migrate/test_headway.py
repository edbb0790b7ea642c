"""What is told of the way while a copy runs: what this run brings, at the speed of this run."""

from pathlib import Path

import pytest

from repatria.migrate.copy import copy_dataset
from repatria.migrate.headway import Halt, Headway
from repatria.migrate.survey import known_work, survey
from repatria.model import Object
from repatria.progress import Silent, Unit
from repatria.work.overview import standing_of
from repatria.work.state import StateFolder
from repatria.work.stop import Reason, StopSignal
from repatria.work.unfinished import Unfinished
from tests.migrate.making import Job, Watched, folder_source, noise, write
from tests.work.making import MIB, read_chain

LARGE = noise(12 * MIB)


class Recorded(Silent):
    """What was told of the stage in which bytes are counted."""

    done = 0
    whole: int | None = None
    counts = False

    def start(self, label: str, total: int | None, unit: Unit) -> None:
        self.counts = unit is Unit.BYTES

    def advance(self, amount: int) -> None:
        self.done += amount if self.counts else 0

    def total(self, total: int) -> None:
        self.whole = total


def test_a_run_that_goes_on_counts_what_it_brings_and_not_what_was_there(tmp_path: Path) -> None:
    source = Watched(folder_source(write(tmp_path / "abroad", {"large": LARGE})))
    job = Job([source], tmp_path / "state")

    def stop_halfway(_told: Object, at: int) -> None:
        if at >= 6 * MIB:
            job.stop.request(Reason.SIGNAL)

    source.before_read = stop_halfway
    with pytest.raises(Exception, match="Nothing is lost"):
        job.run()
    source.before_read = lambda told, at: None
    job.stop = StopSignal()
    before, progress = source.fetched, Recorded()
    with job.open() as run:
        copy_dataset(run, job.sources, patience=job.patience(), progress=progress)
    assert progress.done == progress.whole == source.fetched - before
    assert progress.done < len(LARGE) - MIB
    assert read_chain(job.target) == {"large": LARGE}


def test_what_is_left_is_told_at_the_speed_of_this_run() -> None:
    headway = Headway(total=1000, before=400)
    assert headway.to_bring == 600
    left = headway.remainder(100)
    assert left is not None
    assert left.bytes == 500
    assert Headway(total=None).remainder(100) is None


def stopped_halfway(job: Job, source: Watched) -> list[Halt]:
    """Copy until more than half of what is large was read; return what was said of the stop."""
    halts: list[Halt] = []

    def stop_halfway(_told: Object, at: int) -> None:
        if at >= 6 * MIB:
            job.stop.request(Reason.SIGNAL)

    def outlook(halt: Halt) -> str:
        halts.append(halt)
        return "So much."

    source.before_read, job.outlook, job.workers = stop_halfway, outlook, 1
    with pytest.raises(Exception, match=r"run the same command again to go on\. So much\."):
        job.run()
    source.before_read, job.stop = lambda told, at: None, StopSignal()
    return halts


def test_what_a_stop_leaves_is_one_figure_wherever_it_is_told(tmp_path: Path) -> None:
    source = Watched(folder_source(write(tmp_path / "abroad", {"a": b"small", "large": LARGE})))
    job = Job([source], tmp_path / "state")
    (halt,) = stopped_halfway(job, source)
    fetched, state = source.fetched, StateFolder(tmp_path / "state")
    left = standing_of(state, "d").unfinished
    assert left is not None
    assert 0 < left.bytes <= fetched
    assert fetched <= left.bytes + halt.unproven, "what was read is safe, or said to come once more"
    with known_work(state, "d") as known:
        planned = survey(job.sources, known, MIB)
    assert planned.bytes_arrived == left.bytes + left.sent_bytes
    assert planned.bytes_unsettled == left.sent_bytes
    result = job.run()
    assert result.before.all_bytes in {left.bytes, left.bytes + left.sent_bytes}, "what was on its way came, or not"
    assert result.before.in_parts
    assert result.bundle.all_bytes == result.before.all_bytes + result.bytes == len(LARGE) + 5
    assert source.fetched - fetched == result.bytes
    assert left.bytes + halt.unproven + result.bytes >= len(LARGE) + 5


def test_an_object_whose_last_volume_is_lost_on_its_way_goes_on_from_the_parts_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Watched(folder_source(write(tmp_path / "abroad", {"large": LARGE})))
    job, proven = Job([source], tmp_path / "state"), Unfinished.proven

    def cut_off(unfinished: Unfinished, number: int) -> None:
        if unfinished.standing()[1].objects:  # it ends in this volume
            raise RuntimeError("The power is gone.")
        proven(unfinished, number)

    with monkeypatch.context() as patched:
        patched.setattr(Unfinished, "proven", cut_off)
        with pytest.raises(RuntimeError, match="power"):
            job.run()
    left = standing_of(StateFolder(tmp_path / "state"), "d").unfinished
    assert left is not None
    assert (left.sent, left.bytes + left.sent_bytes) == (1, len(LARGE))
    volume = max(each.path for each in job.target.list("") if "vol-" in each.path)
    job.target.delete(volume)
    before, job.stop = source.fetched, StopSignal()
    job.run()
    assert source.fetched - before == left.sent_bytes <= MIB
    assert read_chain(job.target) == {"large": LARGE}
