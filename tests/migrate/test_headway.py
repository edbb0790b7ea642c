"""What is told of the way while a copy runs: what this run brings, at the speed of this run."""

from pathlib import Path

import pytest

from repatria.migrate.copy import copy_dataset
from repatria.migrate.headway import Headway
from repatria.model import Object
from repatria.progress import Silent, Unit
from repatria.work.stop import Reason, StopSignal
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
