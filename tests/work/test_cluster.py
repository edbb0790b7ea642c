"""A Dask cluster: what is asked of it before anything travels, and what happens when parts of it die."""

import functools
import gc
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import dask
import pytest

from repatria import __version__
from repatria.errors import StoppedError, UsageError
from repatria.work.cluster import Cluster, WorkersLostError, open_cluster
from repatria.work.cluster_address import ClusterAddress, exposed, parse_address
from repatria.work.cluster_asking import Asking
from repatria.work.cluster_post import AbandonedError
from repatria.work.cluster_setup import require_dask
from repatria.work.cluster_talk import Talk
from repatria.work.cluster_worker import Outfit, WorkerFacts
from repatria.work.patience import Patience
from repatria.work.stop import Reason, StopSignal
from tests.cluster import ROOT, DaskCluster, Relay, as_environment, certificates, dask_cluster, frozen

FACTS = WorkerFacts("tcp://10.0.0.7:40001", "1.2", spills=False, has_nanny=False, equipment="tesseract 5.3.0")


def tool(name: str) -> str:
    return name


def tool_or_death(name: str, doom: Path) -> str:
    """End the first worker that is asked."""
    try:
        doom.unlink()
    except FileNotFoundError:
        return name
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


OUTFIT = Outfit("saw 1", functools.partial(tool, "saw 1"))


def double(number: int) -> int:
    return 2 * number


def length(_unit: None, held: bytes) -> int:
    return len(held)


def refuse(_unit: str) -> None:
    raise UsageError("no", advice="do so")


def fail(unit: str) -> None:
    raise ValueError(unit)


def ask_thrice(unit: str, asking: Asking) -> None:
    for number in range(3):
        assert asking.ask((unit, number, os.getpid())) == number
    if unit == "wrong":
        raise UsageError("no")


def ask_for_another(unit: str, asking: Asking) -> None:
    with pytest.raises(AbandonedError):
        Asking(asking.inbox, "another").ask(unit)


def ask_once_and_say_nothing_more(unit: str, asking: Asking) -> None:
    asking.ask(unit)
    time.sleep(3)


def never_over() -> None:
    pass


def end_worker(_unit: None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def answer_with_its_number(talk: Talk) -> None:
    heard = talk.heard()
    assert heard is not None
    talk.answer(heard.attempt, heard.question[1])


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as made:
        yield made


@contextmanager
def opened(made: DaskCluster, outfit: Outfit = OUTFIT, patience: Patience | None = None) -> Iterator[Cluster]:
    with open_cluster(made.address, outfit, patience or Patience()) as cluster:
        yield cluster


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("dask://10.0.0.5:8787", ClusterAddress("10.0.0.5", 8787)),
        ("dask://coffre.example.sn", ClusterAddress("coffre.example.sn", 8786)),
        ("dask://[::1]:9/", ClusterAddress("::1", 9)),
    ],
)
def test_an_address_names_host_and_port(text: str, address: ClusterAddress) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text", ["dask://", "dask://h:0", "dask://h:70000", "dask://h:1/x", "tcp://h:1", "dask://u@h:1"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no address of a Dask scheduler"):
        parse_address(text)


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        (replace(FACTS, version="1.1"), "runs Repatria 1.1, this machine 1.2"),
        (replace(FACTS, has_nanny=True), "runs under a nanny"),
        (replace(FACTS, spills=True), "may write what it holds to its disk, in the clear"),
        (replace(FACTS, equipment="", lack="Nothing reads ara."), "tcp://10.0.0.7:40001: Nothing reads ara."),
        (replace(FACTS, equipment="tesseract 4.1"), "has tesseract 4.1, this machine tesseract 5.3.0"),
    ],
)
def test_a_worker_that_cannot_take_part_is_told_why(facts: WorkerFacts, fault: str) -> None:
    outfit = Outfit("tesseract 5.3.0", functools.partial(tool, ""), version="1.2")
    assert outfit.fits(FACTS)
    assert not outfit.fault_of(FACTS)
    assert not outfit.fits(facts)
    assert fault in outfit.fault_of(facts)
    assert FACTS.address in outfit.fault_of(facts)


def test_without_dask_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as refused:
        require_dask()
    assert refused.value.code == 2
    assert refused.value.advice.endswith("pip install '.[dask]'")


def test_nothing_travels_to_another_machine_without_tls() -> None:
    with (
        pytest.raises(UsageError, match="is not on this machine, and Dask has no TLS certificates"),
        open_cluster(ClusterAddress("192.0.2.1"), OUTFIT, Patience()),
    ):
        pass


def test_a_scheduler_that_does_not_answer_is_told_at_once() -> None:
    with (
        pytest.raises(UsageError, match=r"dask://127\.0\.0\.1:1 does not answer as a Dask scheduler"),
        open_cluster(ClusterAddress("127.0.0.1", 1), OUTFIT, Patience()),
    ):
        pass


def test_what_listens_beyond_this_machine_needs_tls() -> None:
    within = ["tcp://127.0.0.1:8786", "tcp://[::1]:8786", "tcp://localhost:8786", "inproc://127.0.0.1/1/1"]
    beyond = [
        "tcp://192.0.2.1:8786",
        "tcp://[2001:db8::1]:8786",
        "tcp://0.0.0.0:8786",
        "tcp://dask.example.sn:8786",
        "ucx://",
    ]
    assert exposed([*within, *beyond]) == beyond


def test_units_run_on_workers_what_goes_wrong_comes_back_and_logs_hold_nothing(scheduler: DaskCluster) -> None:
    patience = Patience(StopSignal())
    with scheduler.working(1, threads=2) as (worker,), opened(scheduler, patience=patience) as cluster:
        assert cluster.threads == 2
        assert cluster.call(double, 21) == 42
        with cluster.holding(b"diallo awa" * 1000) as held:
            assert [cluster.call(length, None, held) for _each in range(2)] == [10_000] * 2
        with pytest.raises(UsageError) as refused:
            cluster.call(refuse, "diallo awa")
        assert refused.value.advice == "do so"
        with pytest.raises(ValueError, match="diallo awa"):
            cluster.call(fail, "diallo awa")
        assert "diallo" not in worker.log.read_text() + scheduler.log.read_text()
        patience.stop.at(time.time() + 0.2)
        with pytest.raises(StoppedError):
            cluster.call(time.sleep, 2.0)


def test_a_unit_asks_back_and_another_attempt_begins_anew_where_its_worker_died(scheduler: DaskCluster) -> None:
    with scheduler.working(2) as workers, opened(scheduler) as cluster:
        by_process = {worker.process.pid: worker for worker in workers}
        heard_numbers, attempts = [], set()
        with cluster.talking(ask_thrice, "awa", never_over) as talk:
            while (heard := talk.heard()) is not None:
                _unit, number, process = heard.question
                heard_numbers.append(number)
                attempts.add(heard.attempt)
                if len(heard_numbers) == 2:
                    by_process[process].kill()
                else:
                    talk.answer(heard.attempt, number)
        assert heard_numbers == [0, 1, 0, 1, 2]
        assert len(attempts) == 2
        with cluster.talking(ask_thrice, "wrong", never_over) as talk:
            for _time in range(3):
                answer_with_its_number(talk)
            with pytest.raises(UsageError, match="no"):
                talk.heard()


def test_a_unit_that_nobody_listens_to_any_more_is_told_so(scheduler: DaskCluster) -> None:
    with scheduler.working(1), opened(scheduler) as cluster:
        with cluster.talking(ask_for_another, "awa", never_over) as talk:
            assert talk.heard() is None
        assert cluster.call(double, 21) == 42


def test_questions_and_answers_outlive_the_connections_that_carry_them(scheduler: DaskCluster) -> None:
    relay = Relay(scheduler.address)
    with (
        closing(relay),
        scheduler.working(1),
        open_cluster(relay.address, OUTFIT, Patience()) as cluster,
        cluster.talking(ask_thrice, "awa", never_over) as talk,
    ):
        for _time in range(3):
            answer_with_its_number(talk)
            while not relay.reset(b"queue_get"):
                time.sleep(0.05)  # the one before was broken, too: there is no other yet
        assert talk.heard() is None


def test_a_unit_that_says_nothing_for_longer_than_patience_lasts_is_given_up(scheduler: DaskCluster) -> None:
    with (
        scheduler.working(1),
        opened(scheduler, patience=Patience(seconds=1.0)) as cluster,
        cluster.talking(ask_once_and_say_nothing_more, "awa", never_over) as talk,
    ):
        heard = talk.heard()
        assert heard is not None
        talk.answer(heard.attempt, None)
        with pytest.raises(AbandonedError):
            talk.heard()


def test_a_scheduler_that_is_frozen_is_waited_for_no_longer_than_patience_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repatria.work.cluster_scheduler.SECONDS_TO_ANSWER", 0.5)
    with (
        dask_cluster(tmp_path) as made,
        made.working(1),
        opened(made, patience=Patience(seconds=1.0, first_pause=0.1)) as cluster,
        frozen(made.process),
        pytest.raises(StoppedError, match=r"no longer answers\. It was waited for in vain") as stopped,
    ):
        cluster.call(double, 21)
    assert stopped.value.code == 8


def test_a_unit_that_ends_its_workers_is_given_up_and_where_none_is_left_the_run_stops_resumably(
    scheduler: DaskCluster,
) -> None:
    patience = Patience(seconds=0.5, first_pause=0.1)
    with scheduler.working(2), opened(scheduler, patience=patience) as cluster:
        with pytest.raises(WorkersLostError):
            cluster.call(end_worker, None)
        assert cluster.threads == 1
        with pytest.raises(StoppedError, match=r"has no workers\. It was waited for in vain") as stopped:
            cluster.call(double, 21)
    assert stopped.value.code == 8


def test_a_worker_that_joins_later_takes_part_unless_it_is_unfit(scheduler: DaskCluster) -> None:
    patience = Patience()
    with scheduler.working(1) as (first,), opened(scheduler, patience=patience) as cluster:
        first.kill()
        with scheduler.working(1):
            assert cluster.call(double, 21) == 42
        with scheduler.working(1, "--memory-limit", "4 GiB"):
            with pytest.raises(StoppedError, match="may write what it holds to its disk"):
                cluster.call(double, 21)
            assert patience.stop.reason is Reason.LINK
            with pytest.raises(UsageError, match="may write what it holds to its disk") as refused, opened(scheduler):
                pass
    assert refused.value.advice.endswith("--no-nanny --memory-limit 0")


def test_a_worker_that_dies_while_it_is_looked_at_is_done_without(scheduler: DaskCluster, tmp_path: Path) -> None:
    doom = tmp_path / "doom"
    doom.touch()
    outfit = Outfit("saw 1", functools.partial(tool_or_death, "saw 1", doom))
    with scheduler.working(2), opened(scheduler, outfit) as cluster:
        assert not doom.exists()
        assert cluster.threads == 1
        assert cluster.call(double, 21) == 42


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # Dask's, when a peer is killed
def test_with_certificates_all_goes_over_tls_and_a_lost_scheduler_stops_the_run_resumably(tmp_path: Path) -> None:
    settings = certificates(tmp_path / "tls")
    with (
        dask_cluster(tmp_path, scheme="tls", environment=as_environment(settings)) as scheduler,
        dask.config.set(settings),
        scheduler.working(1),
        opened(scheduler) as cluster,
    ):
        assert cluster.call(double, 21) == 42
        scheduler.process.kill()
        with pytest.raises(StoppedError, match="no longer answers") as stopped:
            cluster.call(double, 21)
    gc.collect()  # what Dask forgot to close is collected in this test, not in another
    assert stopped.value.code == 8


def test_certificates_that_do_not_fit_are_told_and_what_to_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repatria.work.cluster_contact.SECONDS_TO_ANSWER", 1.0)
    settings = certificates(tmp_path / "tls")
    with dask_cluster(tmp_path, scheme="tls", environment=as_environment(settings)) as scheduler:
        with pytest.raises(UsageError, match="does not answer as a Dask scheduler") as refused, opened(scheduler):
            pass
        assert "speaks TLS; then name certificates in this machine's Dask configuration, too" in refused.value.advice
        with (
            dask.config.set(certificates(tmp_path / "other")),
            pytest.raises(UsageError, match="does not answer as a Dask scheduler") as refused,
            opened(scheduler),
        ):
            pass
        assert "does not speak TLS with certificates of the same CA" in refused.value.advice
        (tmp_path / "tls" / "key").unlink()
        with (
            dask.config.set(settings),
            pytest.raises(UsageError, match=r"cannot be used \(No such file or directory\)") as refused,
            opened(scheduler),
        ):
            pass
        assert "ca-file, client.cert and client.key" in refused.value.advice
        del settings["distributed.comm.tls.ca-file"]
        with (
            dask.config.set(settings),
            pytest.raises(UsageError, match=r"cannot be used \(ca-file\)"),
            opened(scheduler),
        ):
            pass


def test_a_worker_that_hangs_at_the_first_contact_is_named(
    scheduler: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repatria.work.cluster_scheduler.SECONDS_TO_ANSWER", 0.5)
    monkeypatch.setattr("repatria.work.cluster_contact._SECONDS_BETWEEN_LOOKS", 0.0)
    with (
        scheduler.working(1) as (worker,),
        frozen(worker.process),
        pytest.raises(UsageError, match=r"The Dask worker tcp://127\S+ does not answer: it hangs"),
        opened(scheduler),
    ):
        pass


OTHER_VERSIONS = {
    "that knows the question": "import repatria\nrepatria.__version__ = '0.0.9'\n",
    "that does not": """
import sys
sys.modules["repatria.work.cluster_worker"] = None
from importlib import metadata
metadata.version = lambda name: "0.0.9"
metadata.version.__module__, metadata.version.__qualname__ = "importlib.metadata", "version"
""",
}


@pytest.mark.parametrize("change", OTHER_VERSIONS.values(), ids=OTHER_VERSIONS)
def test_a_worker_of_another_version_is_refused_by_name_and_version(
    change: str, scheduler: DaskCluster, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(change)
    with (
        scheduler.working(1, environment=[{"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}]),
        pytest.raises(UsageError) as refused,
        opened(scheduler),
    ):
        pass
    assert re.search(
        rf"The Dask worker tcp://127\S+ runs Repatria 0\.0\.9, this machine {__version__}", str(refused.value)
    )
    assert refused.value.advice.startswith("Start each worker with this very version of Repatria")


def test_a_worker_without_repatria_is_named_with_what_is_missing(scheduler: DaskCluster, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['repatria'] = None\n")
    with (
        scheduler.working(1, environment=[{"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}]),
        pytest.raises(UsageError, match=r"tcp://127\S+ cannot run Repatria \(ModuleNotFoundError.*repatria"),
        opened(scheduler),
    ):
        pass
