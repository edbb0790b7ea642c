"""What a source holds: counted, recognised in a sample, its names kept out of what is said."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import pytest

from repatria.errors import RefusedError, Role, StoppedError, UsageError
from repatria.migrate.inventory import SAMPLES_OF_A_SUFFIX, take_inventory
from repatria.migrate.object_table import object_table
from repatria.migrate.signs import Sensitivity
from repatria.migrate.survey import known_work, survey
from repatria.model import Object
from repatria.work.state import StateFolder
from repatria.work.stop import Reason, StopSignal
from tests.migrate.making import Job, Watched, folder_source, noise, write
from tests.work.making import MIB

PATIENTS = "nom;ddn;cni;diagnostic\nDiop;12/03/1987;2751198700123;B50.9\nFall;01/01/1990;1751199000456;A09.0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scans = {f"scans/{number}.dcm": bytes(128) + b"DICM" + bytes(number) for number in range(30)}
    return write(tmp_path / "abroad", {**scans, "patients.csv": PATIENTS.encode(), "noise": b"\x00\x01"})


def test_objects_are_counted_by_what_they_are(folder: Path) -> None:
    found = take_inventory(folder_source(folder))
    assert (found.objects, found.bytes) == (
        32,
        sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
    )
    assert {kind: each.objects for kind, each in found.kinds.items()} == {"dicom": 30, "csv": 1, "unknown": 1}
    assert found.sensitivity is Sensitivity.HEALTH
    assert list(found.warnings()) == []


def test_only_a_sample_is_read(folder: Path) -> None:
    source = Watched(folder_source(folder))
    found = take_inventory(source)
    assert found.kinds["dicom"].sampled == SAMPLES_OF_A_SUFFIX
    assert len(source.reads) == SAMPLES_OF_A_SUFFIX + 2


def test_signs_are_counted_and_masked(folder: Path) -> None:
    kind = take_inventory(folder_source(folder)).kinds["csv"]
    assert kind.signs["nin number"] == 2
    assert kind.shapes == {"9999999999999", "A99.9"}
    assert "Diop" not in repr(kind)


def test_warnings_tell_what_a_copy_will_meet(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    Path(os.fsdecode(bytes(folder) + b"/\xe9")).write_bytes(b"x")
    source = Watched(folder_source(folder))

    def refuse(told: Object, _start: int) -> None:
        if told.path == "noise":
            raise RefusedError("no", role=Role.SOURCE)

    source.before_read = refuse
    found = take_inventory(source)
    assert (found.never_copied, found.strange_names, found.unreadable) == (1, 1, 1)
    assert len(list(found.warnings())) == 3


def test_a_source_that_lists_nothing_is_warned_of(tmp_path: Path) -> None:
    tmp_path.joinpath("empty").mkdir()
    assert len(list(take_inventory(folder_source(tmp_path / "empty")).warnings())) == 1


def test_every_object_goes_into_the_table_that_was_asked_for(folder: Path, tmp_path: Path) -> None:
    write(folder, {"=cmd": b"x"})
    file = tmp_path / "out.csv"
    with object_table(file) as table:
        assert table is not None
        take_inventory(folder_source(folder), each=table.adder("d", ""))
        assert not file.exists()
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 33
    assert file.stat().st_mode & 0o077 == 0
    by_path = {row["path"]: row for row in rows}
    assert (by_path["patients.csv"]["recognised"], by_path["patients.csv"]["sensitivity"]) == ("csv", "health")
    assert "'=cmd" in by_path, "a spreadsheet must not run it"


def test_the_table_is_never_written_over_another_file(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("mine")
    with pytest.raises(UsageError), object_table(file):
        pass
    assert file.read_text() == "mine"


def test_no_table_is_left_when_the_inventory_fails(tmp_path: Path) -> None:
    with pytest.raises(RefusedError), object_table(tmp_path / "out.csv"):
        raise RefusedError("no")
    assert list(tmp_path.iterdir()) == []


def test_a_survey_of_a_new_dataset_plans_all_of_it(folder: Path, tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    with known_work(state, "d") as known:
        found = survey([folder_source(folder)], known, MIB)
    assert (found.estimate.objects, found.unchanged, found.estimate.volumes) == (32, 0, 1)
    assert not state.path.exists(), "looking leaves no trace"


def test_a_survey_after_a_copy_plans_what_is_new(folder: Path, tmp_path: Path) -> None:
    job = Job([folder_source(folder)], tmp_path / "state")
    job.run()
    write(folder, {"new": noise(3 * MIB)})
    os.mkfifo(folder / "pipe")
    with known_work(StateFolder(tmp_path / "state"), "d") as known:
        found = survey(job.sources, known, MIB)
    assert (found.estimate.objects, found.estimate.bytes, found.unchanged, found.never_copied) == (1, 3 * MIB, 32, 1)
    result = job.run()
    assert (result.objects, result.volumes) == (1, found.estimate.volumes)


def test_the_estimate_is_what_the_copy_then_needs(folder: Path, tmp_path: Path) -> None:
    write(folder, {f"large/{number}": noise(700_000) for number in range(9)})
    job = Job([folder_source(folder)], tmp_path / "state")
    found = survey(job.sources, None, MIB).estimate
    result = job.run()
    assert (found.objects, found.bytes, found.volumes) == (result.objects, result.bytes, result.volumes)
    used = sum(each.size for each in job.target.list() if "/data/" in each.path)
    assert found.target_bytes <= used * 1.05
    assert used <= found.target_bytes + 120_000


def test_a_survey_after_an_interruption_tells_what_arrived_and_plans_what_is_left(folder: Path, tmp_path: Path) -> None:
    write(folder, {"z": noise(4 * MIB)})
    source = Watched(folder_source(folder))
    job = Job([source], tmp_path / "state", workers=1)
    stop = job.stop

    def stop_late(told: Object, at: int) -> None:
        if told.path == "z" and at > 2.5 * MIB:
            stop.request(Reason.SIGNAL)

    source.before_chunk = stop_late
    with pytest.raises(StoppedError):
        job.run()
    with known_work(StateFolder(tmp_path / "state"), "d") as known:
        found = survey(job.sources, known, MIB)
    assert found.arrived
    assert (found.estimate.objects + found.arrived, found.unchanged) == (33, 0)
    assert found.bytes_arrived + found.estimate.bytes == sum(
        file.stat().st_size for file in folder.rglob("*") if file.is_file()
    )
    source = Watched(folder_source(folder))  # a read that the stop left under way counts for the first
    job.sources, job.stop = [source], StopSignal()
    result = job.run()
    assert (result.objects, result.volumes) == (found.estimate.objects, found.estimate.volumes)
    assert source.fetched == found.estimate.bytes
    with known_work(StateFolder(tmp_path / "state"), "d") as known:
        found = survey(job.sources, known, MIB)
    assert (found.estimate.objects, found.arrived, found.unchanged) == (0, 0, 33)


def test_a_change_of_version_alone_is_a_change(folder: Path, tmp_path: Path) -> None:
    source = Watched(folder_source(folder))
    job = Job([source], tmp_path / "state")
    job.run()
    source.edit = lambda told: replace(told, version=told.version + "x") if told.path == "noise" else told
    with known_work(StateFolder(tmp_path / "state"), "d") as known:
        assert survey([source], known, MIB).estimate.objects == 1
