"""Pages on a Dask cluster: nothing is lost with a worker, nothing done twice but what it had."""

import os
import pickle
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from repatria.cli.worker_options import workers_of
from repatria.errors import StoppedError, UsageError
from repatria.ocr.batch import Wishes
from repatria.ocr.isolation import Ending, IsolationError
from repatria.work.patience import Patience
from repatria.work.stop import Reason, StopSignal
from tests.cli.making import code
from tests.cluster import ROOT, DaskCluster, DaskWorker, dask_cluster
from tests.ocr.archives import Archive
from tests.ocr.making import CRASHES, FAKE, encoded, page, write_scans


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as made:
        yield made


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


def sheet(width: int) -> Image.Image:
    return Image.new("L", (width, 400), 200)


def reads(file: Path) -> "Counter[str]":
    return Counter(file.read_text().split()) if file.exists() else Counter()


def kill_after(pages: int, file: Path, worker: DaskWorker) -> threading.Thread:
    """Kill a worker once it has begun to read so many pages."""
    return when_read(pages, file, worker.kill)


def when_read(pages: int, file: Path, act: Callable[[], object]) -> threading.Thread:
    """Do something once so many pages have begun to be read."""

    def watch() -> None:
        while reads(file).total() < pages:
            time.sleep(0.005)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_pages_are_read_by_workers_and_one_that_is_killed_costs_only_what_it_had(
    cluster: DaskCluster, archive: Archive, tmp_path: Path
) -> None:
    boite = tmp_path / "boite"
    widths = [*range(600, 620), *range(699, 710)]
    write_scans(boite, **{f"p{width}__png": encoded(sheet(width)) for width in widths[:20]})
    write_scans(boite, folle__png=encoded(sheet(CRASHES)))
    first, *others = [sheet(width) for width in widths[20:]]
    write_scans(boite, registre__tif=encoded(first, "TIFF", save_all=True, append_images=others))
    logs = [tmp_path / "first", tmp_path / "second"]
    environment = [{"FAKE_ENGINE_READS": str(log)} for log in logs]
    with cluster.working(2, environment=environment) as workers:
        killing = kill_after(6, logs[0], workers[0])
        result = archive.digitise(boite, wishes=Wishes(FAKE, workers=1, cluster=cluster.address))
        killing.join()
    assert (result.documents, result.pages) == (22, 32)
    assert [finding.path for finding in result.findings] == ["boite/folle.png"]
    by_first, by_second = (reads(log) for log in logs)
    assert set(by_first | by_second) == {str(2 * width) for width in (*widths, CRASHES)}
    assert max(by_first.values()) == max(by_second.values()) == 1  # what both read, the first had when it was killed:
    assert len(by_first & by_second) <= 4  # two at a worker, and two on their way
    assert archive.read("text/boite/p607.txt") == b"page de largeur 1214\n"
    assert archive.read("text/boite/registre.txt").count(b"\f") == 10
    assert "largeur" not in workers[1].log.read_text() + cluster.log.read_text()


def test_a_stop_in_the_middle_keeps_what_was_read_and_the_next_run_goes_on(
    cluster: DaskCluster, archive: Archive, tmp_path: Path
) -> None:
    boite = tmp_path / "boite"
    widths = range(600, 620)
    write_scans(boite, **{f"p{width}__png": encoded(sheet(width)) for width in widths})
    logs = [tmp_path / "first", tmp_path / "second"]
    wishes = Wishes(FAKE, workers=1, cluster=cluster.address)
    patience = Patience(StopSignal())
    with cluster.working(1, environment=[{"FAKE_ENGINE_READS": str(logs[0])}]):
        stopping = when_read(5, logs[0], lambda: patience.stop.request(Reason.SIGNAL))
        with pytest.raises(StoppedError) as stopped:
            archive.digitise(boite, wishes=wishes, patience=patience)
        stopping.join()
    assert stopped.value.code == 8
    with cluster.working(1, environment=[{"FAKE_ENGINE_READS": str(logs[1])}]):
        assert archive.digitise(boite, wishes=wishes).findings == []
    first, second = map(reads, logs)
    assert 5 <= first.total() < len(widths)
    assert set(first | second) == {str(2 * width) for width in widths}
    assert (first & second).total() <= 2  # one at the worker, and one on its way: of these nobody heard
    assert len(archive.documents()) == len(widths)


def test_a_worker_that_lacks_the_engine_or_a_language_is_named_with_what_to_install(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPATRIA_STATE", str(tmp_path / "state"))
    write_scans(tmp_path / "scans", lettre__png=encoded(page()))
    assert code("keys", "new", "-o", "key", "-q") == 0
    command = ("ocr", "scans", "--to", "vault", "-r", "key.pub", "--workers", str(cluster.address))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import sys\nsys.modules['tesserocr'] = None\n")
    without_engine = {"PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{ROOT}", "PATH": str(tmp_path)}
    for lacking, fault, advice in (
        ({"TESSDATA_PREFIX": str(tmp_path)}, "no data for: fra", "tesseract-ocr-fra"),
        (without_engine, "No engine for text recognition is installed", "pip install '.[ocr]'"),
    ):
        with cluster.working(1, environment=[lacking]):
            assert code(*command) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert re.search(rf"At the Dask worker tcp://127\S+: .*{fault}", told)
        assert advice in told
        assert not list(tmp_path.glob("vault/scans/*/data"))


def test_the_command_reads_on_a_cluster_whose_workers_may_take_part(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPATRIA_STATE", str(tmp_path / "state"))
    write_scans(tmp_path / "scans", lettre__png=encoded(page()))
    assert code("keys", "new", "-o", "key", "-q") == 0
    command = ("ocr", "scans", "--to", "vault", "-r", "key.pub", "--workers", str(cluster.address))
    with cluster.working(1, "--nanny"):
        assert code(*command) == 2
    assert "runs under a nanny" in capsys.readouterr().err
    assert not list(tmp_path.glob("vault/scans/*/data"))
    with cluster.working(1):
        assert code(*command, "-q") == 0
    assert capsys.readouterr().err == ""
    assert code("cat", "scans", "text/scans/lettre.txt", "-i", "key") == 0
    assert "vaccination" in capsys.readouterr().out


@pytest.mark.parametrize("workers", ["0", "-1", "many", "tcp://127.0.0.1:8786", "dask://"])
def test_workers_are_a_number_or_a_cluster(workers: str) -> None:
    with pytest.raises(UsageError):
        workers_of(workers)


def test_a_failure_travels_from_a_worker_as_it_is() -> None:
    error = pickle.loads(pickle.dumps(IsolationError(Ending.TIMED_OUT, "180 s")))  # noqa: S301 -- our own
    assert (error.ending, error.reason, str(error)) == (Ending.TIMED_OUT, "180 s", "timed out: 180 s")
