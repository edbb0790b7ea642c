"""A copy by a Dask cluster: nothing is lost with a worker, nothing fetched twice but what it had under way."""

import json
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import dask
import pytest

from repatria.manifest import load_manifest
from repatria.migrate import pacing
from repatria.migrate.errand import Site
from repatria.migrate.unproven import MOST_VOLUMES
from repatria.store.registry import open_store
from tests.cli.making import code
from tests.cluster import ROOT, DaskCluster, as_environment, certificates, dask_cluster, frozen
from tests.migrate.making import noise
from tests.servers import ACCESS_KEY, SECRET_KEY, Server
from tests.store.meddling import Answer, Asked, Meddler, error
from tests.work.making import MIB

FILES = {
    **{f"dossier {number}/Awa Diallo {number}.txt": noise(3_001 + number) for number in range(40)},
    **{f"scanner/{number:02}.dcm": noise(700_000 + number) for number in range(12)},
    "scanner/large.dcm": noise(5 * MIB + 77),
    "vide": b"",
}
GONE = {"parti.txt": b"is listed, then gone"}
MANIFEST = """id = "d"
sensitivity = "public"
[[source]]
uri = "{source}"
endpoint = "{endpoint}"
profile = "{profile}"
[target]
uri = "vault"
[encryption]
recipients = ["key.pub"]
[transfer]
volume_size = "1MiB"
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as made:
        yield made


@pytest.fixture
def abroad(
    rclone_s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Meddler]:
    """Lay a dataset at an S3 service behind a proxy that keeps what it was asked, and write its manifest, `d.toml`."""
    rclone_s3.use(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPATRIA_STATE", str(tmp_path / "state"))
    place = rclone_s3.new_place()
    store = open_store(place, endpoint=rclone_s3.endpoint, profile=rclone_s3.profile)
    for path, data in {**FILES, **GONE}.items():
        store.put(path, [data] if data else [], len(data))
    store.close()
    assert rclone_s3.endpoint is not None
    with Meddler(rclone_s3.endpoint) as proxy:
        told = MANIFEST.format(source=place, endpoint=proxy.endpoint, profile=rclone_s3.profile)
        (tmp_path / "d.toml").write_text(told)
        assert code("keys", "new", "-o", "key", "-q") == 0
        capsys.readouterr()
        yield proxy


def is_read(asked: Asked) -> bool:
    return asked.method == "GET" and "list-type" not in asked.path


def bytes_read_again(proxy: Meddler) -> int:
    """Return how many bytes were read more than once."""
    reads: Counter[tuple[str, str]] = Counter()
    for asked in filter(is_read, proxy.asked):
        reads[unquote(asked.path).split("/", 3)[3], asked.headers.get("range", "")] += 1
    return sum((times - 1) * _length(path, told) for (path, told), times in reads.items() if path in FILES)


def _length(path: str, told: str) -> int:
    begins, ends = re.findall(r"\d+", told) or (0, len(FILES[path]) - 1)
    return int(ends) - int(begins) + 1


def restored(folder: Path) -> dict[str, bytes]:
    assert code("restore", "d", str(folder), "-i", "key", "-q") == 0
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def when_volumes_are_there(folder: Path, count: int, act: Callable[[], object]) -> threading.Thread:
    """Do something once so many volumes are at the target."""

    def watch() -> None:
        while len(volumes_put_here(folder)) < count:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def copy_only_scans(folder: Path) -> dict[str, bytes]:
    """Have the manifest leave out all but ten scans; return these."""
    manifest = folder / "d.toml"
    manifest.write_text(manifest.read_text().replace("[target]", 'include = ["scanner/0*"]\n[target]'))
    return {path: data for path, data in FILES.items() if path.startswith("scanner/0")}


def volumes_put_here(folder: Path) -> list[Path]:
    return sorted(folder.glob("vault/d/*/data/vol-*"))


def volumes_put(proxy: Meddler) -> list[str]:
    return [asked.path for asked in proxy.asked if asked.method == "PUT" and "/data/vol-" in asked.path]


def slowly(abroad: Meddler, seconds: float) -> None:
    """Have each read take so long at least."""
    abroad.meddle = lambda asked: time.sleep(seconds) if is_read(asked) else None


def test_workers_bring_volumes_and_one_that_is_killed_costs_only_what_it_had_under_way(
    cluster: DaskCluster, abroad: Meddler, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def meddle(asked: Asked) -> Answer | None:
        if is_read(asked):
            time.sleep(0.02)
            if asked.path.endswith("parti.txt"):
                return Answer(404, error("NoSuchKey"))
        return None

    abroad.meddle = meddle
    with cluster.working(2) as workers:
        killing = when_volumes_are_there(tmp_path, 4, workers[0].kill)
        assert code("copy", "d.toml", "--workers", str(cluster.address), "--bandwidth", "1gbit", "--json") == 1
        killing.join()
        logs = workers[1].log.read_text() + cluster.log.read_text()
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (copied,) = [line for line in told if line["type"] == "copied"]
    assert (copied["objects"], copied["bytes"]) == (len(FILES), sum(map(len, FILES.values())))
    assert [line["path"] for line in told if line["type"] == "finding"] == list(GONE)
    assert code("verify", "d", "--deep", "-i", "key", "-q") == 0
    assert restored(tmp_path / "home") == FILES
    assert bytes_read_again(abroad) <= MOST_VOLUMES * MIB
    for secret in ("Awa", "scanner", SECRET_KEY):
        assert secret not in logs


def test_an_object_larger_than_volumes_goes_on_at_another_worker_where_its_worker_died(
    cluster: DaskCluster, abroad: Meddler, tmp_path: Path
) -> None:
    manifest = tmp_path / "d.toml"
    manifest.write_text(manifest.read_text().replace("[target]", 'include = ["large.dcm"]\n[target]'))
    slowly(abroad, 0.05)
    with ExitStack() as stack:
        (first,) = stack.enter_context(cluster.working(1))

        def replace_first() -> None:
            first.kill()
            stack.enter_context(cluster.working(1))

        replacing = when_volumes_are_there(tmp_path, 3, replace_first)
        assert code("copy", "d.toml", "--workers", str(cluster.address), "-q") == 0
        replacing.join()
    assert code("verify", "d", "--deep", "-i", "key", "-q") == 0
    assert restored(tmp_path / "home") == {"scanner/large.dcm": FILES["scanner/large.dcm"]}
    assert bytes_read_again(abroad) <= MOST_VOLUMES * MIB


def test_a_stop_waits_for_volumes_on_their_way_and_frees_workers_for_the_next_run_which_goes_on_within_an_object(
    cluster: DaskCluster, abroad: Meddler, tmp_path: Path, rclone_s3: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "d.toml"
    vault = f'"{rclone_s3.new_place()}"\nendpoint = "{abroad.endpoint}"\nprofile = "{rclone_s3.profile}"'
    manifest.write_text(manifest.read_text().replace('"vault"', vault))
    command = ("copy", "d.toml", "--workers", str(cluster.address), "-q")
    running: list[subprocess.Popen[bytes]] = []

    def meddle(asked: Asked) -> None:
        if asked.method == "PUT" and "/data/vol-" in asked.path and len(volumes_put(abroad)) > 11:
            running[0].terminate()
            time.sleep(2)
        elif is_read(asked):
            time.sleep(0.02)

    abroad.meddle = meddle
    with cluster.working(1):
        running.append(subprocess.Popen([sys.executable, "-m", "repatria", *command], stderr=subprocess.PIPE))
        assert (running[0].communicate()[1], running[0].returncode) == (b"", 8)
        abroad.meddle = lambda asked: None
        assert code(*command) == 0
    assert capsys.readouterr().err == ""
    assert code("verify", "d", "--deep", "-i", "key", "-q") == 0
    assert restored(tmp_path / "home") == {**FILES, **GONE}
    assert len(volumes_put(abroad)) == len(set(volumes_put(abroad)))
    assert bytes_read_again(abroad) <= MOST_VOLUMES * MIB


def test_a_window_that_closes_ends_the_copy_and_a_plain_one_goes_on_from_several_sources_sftp_among_them(
    cluster: DaskCluster,
    abroad: Meddler,
    sshd: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sshd_place = sshd.new_place()
    for name, value in sshd.env.items():
        monkeypatch.setenv(name, value)
    papers = {path: data for path, data in FILES.items() if path.startswith(("dossier", "scanner/0"))}
    store = open_store(sshd_place)
    for path, data in papers.items():
        store.put(path, [data], len(data))
    store.close()
    manifest = tmp_path / "d.toml"
    first = f'[[source]]\nname = "papiers"\nuri = "{sshd_place}"\n[[source]]\nname = "scanner"\n'
    manifest.write_text(manifest.read_text().replace("[[source]]\n", f'timezone = "UTC"\n{first}'))
    monkeypatch.setattr(pacing, "SECONDS_BETWEEN_LOOKS", 0.0)

    def close_window() -> None:
        hours = [datetime.now(UTC) + timedelta(hours=ahead) for ahead in (2, 3)]
        changed = tmp_path / "changed"
        changed.write_text(f'{manifest.read_text()}window = "{hours[0]:%H:%M}-{hours[1]:%H:%M}"\n')
        changed.rename(manifest)

    slowly(abroad, 0.02)
    with cluster.working(2):
        closing = when_volumes_are_there(tmp_path, 10, close_window)
        assert code("copy", "d.toml", "--workers", str(cluster.address)) == 8
        closing.join()
    told = " ".join(capsys.readouterr().err.split())
    assert re.search(r"\d+ of \d+ volumes are safe at the target", told)
    assert "The window opens on" in told
    assert 10 <= len(volumes_put_here(tmp_path)) < sum(map(len, [*papers.values(), *FILES.values()])) // MIB
    abroad.meddle = lambda asked: None
    assert code("copy", "d.toml", "--window", "Mon-Sun", "-q") == 0
    scanned = {f"scanner/{path}": data for path, data in {**FILES, **GONE}.items()}
    assert restored(tmp_path / "home") == {f"papiers/{path}": data for path, data in papers.items()} | scanned
    assert bytes_read_again(abroad) <= 2 * MOST_VOLUMES * MIB


def test_a_scheduler_that_dies_ends_the_run_resumably(
    abroad: Meddler, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slowly(abroad, 0.02)
    with dask_cluster(tmp_path) as cluster, cluster.working(2):
        killing = when_volumes_are_there(tmp_path, 4, cluster.process.kill)
        assert code("copy", "d.toml", "--workers", str(cluster.address)) == 8
        killing.join()
    told = " ".join(capsys.readouterr().err.split())
    assert f"{cluster.address} no longer answers." in told
    assert "volumes are safe at the target" in told
    assert code("copy", "d.toml", "-q") == 0
    assert code("verify", "d", "--deep", "-i", "key", "-q") == 0
    assert restored(tmp_path / "home") == {**FILES, **GONE}
    assert bytes_read_again(abroad) <= 2 * MOST_VOLUMES * MIB


def test_workers_that_are_all_gone_are_waited_for_as_long_as_a_lost_link(
    cluster: DaskCluster, abroad: Meddler, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = copy_only_scans(tmp_path)
    with (tmp_path / "d.toml").open("a") as manifest:
        manifest.write('patience = "2s"\n')
    slowly(abroad, 0.02)
    with cluster.working(2) as workers:

        def kill_all() -> None:
            for worker in workers:
                worker.kill()

        killing = when_volumes_are_there(tmp_path, 2, kill_all)
        assert code("copy", "d.toml", "--workers", str(cluster.address)) == 8
        killing.join()
    told = " ".join(capsys.readouterr().err.split())
    in_vain = rf"{cluster.address} has no workers\. It was waited for in vain\."
    assert re.search(rf"{in_vain}|Worker after worker of the cluster ended at the same volumes\.", told)
    assert "volumes are safe at the target" in told
    assert code("copy", "d.toml", "-q") == 0
    assert restored(tmp_path / "home") == scans


def test_a_worker_that_hangs_for_a_while_goes_on_where_it_was(
    cluster: DaskCluster, abroad: Meddler, tmp_path: Path
) -> None:
    scans = copy_only_scans(tmp_path)
    slowly(abroad, 0.02)
    with cluster.working(2) as workers, ExitStack() as hanging:

        def freeze() -> None:
            hanging.enter_context(frozen(workers[0].process))
            when_volumes_are_there(tmp_path, 5, hanging.close).join()

        freezing = when_volumes_are_there(tmp_path, 2, freeze)
        assert code("copy", "d.toml", "--workers", str(cluster.address), "-q") == 0
        freezing.join()
    assert restored(tmp_path / "home") == scans
    assert bytes_read_again(abroad) == 0


@pytest.mark.soak
def test_a_worker_that_hangs_for_longer_than_dask_waits_is_done_without_and_sent_home_when_it_wakes(
    abroad: Meddler, tmp_path: Path
) -> None:
    slowly(abroad, 0.02)
    with (
        dask_cluster(tmp_path, environment={"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "6s"}) as cluster,
        cluster.working(2) as workers,
        ExitStack() as hanging,
    ):
        freezing = when_volumes_are_there(tmp_path, 4, lambda: hanging.enter_context(frozen(workers[0].process)))
        assert code("copy", "d.toml", "--workers", str(cluster.address), "-q") == 0
        freezing.join()
        put = volumes_put_here(tmp_path)
        hanging.close()
        workers[0].process.wait(60)
    assert volumes_put_here(tmp_path) == put
    assert code("verify", "d", "--deep", "-i", "key", "-q") == 0
    assert restored(tmp_path / "home") == {**FILES, **GONE}
    assert bytes_read_again(abroad) <= MOST_VOLUMES * MIB


@pytest.mark.soak
def test_a_scheduler_that_hangs_for_a_while_costs_that_while(abroad: Meddler, tmp_path: Path) -> None:
    slowly(abroad, 0.02)
    with dask_cluster(tmp_path) as cluster, cluster.working(2):

        def freeze() -> None:
            with frozen(cluster.process):
                time.sleep(20)  # longer than any call to it may take

        freezing = when_volumes_are_there(tmp_path, 4, freeze)
        assert code("copy", "d.toml", "--workers", str(cluster.address), "-q") == 0
        freezing.join()
    assert code("verify", "d", "--deep", "-i", "key", "-q") == 0
    assert restored(tmp_path / "home") == {**FILES, **GONE}
    assert bytes_read_again(abroad) == 0


def test_a_worker_that_sees_another_place_or_may_not_read_is_named(
    cluster: DaskCluster, abroad: Meddler, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("copy", "d.toml", "--workers", str(cluster.address))
    with cluster.working(1, environment=[{"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null"}]):
        assert code(*command) == 2
    assert "At the Dask worker tcp://127.0.0.1:" in capsys.readouterr().err
    stranger = tmp_path / "stranger"
    stranger.write_text(f"[test]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = wrong\n")
    with cluster.working(1, environment=[{"AWS_SHARED_CREDENTIALS_FILE": str(stranger)}]):
        assert code(*command) == 4
    assert re.search(r"The Dask worker \S+ cannot read what this machine lists", capsys.readouterr().err)


LIES = {
    "leaves a volume out": """
send = unit._Bringing.send
def send_last(self, volume):
    number = volume.facts.row.number
    return send(self, volume) if number == self._errand.volumes[-1][0] else number
unit._Bringing.send = send_last
""",
    "gives up what it was not asked for": """
news = unit._Bringing._news
unit._Bringing._news = lambda self: replace(news(self), given_up=(987_654,))
""",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_worker_that_tells_of_something_else_than_it_was_to_bring_is_refused_and_nothing_is_lost(
    lie: str, cluster: DaskCluster, abroad: Meddler, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with cluster.working(1, environment=[changed(tmp_path, lie)]):
        assert code("copy", "d.toml", "--workers", str(cluster.address)) == 5
    told = " ".join(capsys.readouterr().err.split())
    assert re.search(r"The Dask worker tcp://127\S+ tells of other objects or volumes than it was to bring", told)
    assert code("copy", "d.toml", "-q") == 0
    assert restored(tmp_path / "home") == {**FILES, **GONE}
    assert abroad.asked


def test_what_nobody_foresaw_at_a_worker_is_named_by_its_line_and_no_object_with_it(
    cluster: DaskCluster, abroad: Meddler, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = """
def send(self, volume):
    raise ValueError("Awa Diallo.txt")
unit._Bringing.send = send
"""
    with cluster.working(1, environment=[changed(tmp_path, fault)]):
        assert code("copy", "d.toml", "--workers", str(cluster.address)) == 5
    told = " ".join(capsys.readouterr().err.split())
    assert re.search(r"At the Dask worker tcp://127\S+: something unforeseen went wrong \(ValueError, \S+\.py", told)
    assert "Awa" not in told
    assert abroad.asked


def changed(folder: Path, change: str) -> dict[str, str]:
    """Return the environment of a worker on which the unit is not what it is here."""
    site = folder / "site"
    site.mkdir()
    begin = "from dataclasses import replace\nimport repatria.migrate.cluster_unit as unit\n"
    (site / "sitecustomize.py").write_text(begin + change)
    return {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}


def test_what_a_worker_is_told_holds_no_secret(abroad: Meddler, tmp_path: Path) -> None:
    manifest = load_manifest(tmp_path / "d.toml")
    site = Site(manifest.sources, manifest.target, "d", "b", ("age1",), MIB, 60.0, "fr")
    packed = pickle.dumps(site)
    assert abroad.endpoint.encode() in packed
    assert not [secret for secret in (ACCESS_KEY, SECRET_KEY) if secret.encode() in packed]


def test_a_copy_by_a_cluster_whose_certificates_dask_s_configuration_names_goes_over_tls(
    abroad: Meddler, tmp_path: Path
) -> None:
    scans = copy_only_scans(tmp_path)
    settings = certificates(tmp_path / "tls")
    with (
        dask_cluster(tmp_path, scheme="tls", environment=as_environment(settings)) as secured,
        secured.working(1) as workers,
        dask.config.set(settings),
    ):
        assert code("copy", "d.toml", "--workers", str(secured.address), "-q") == 0
        assert "tls://127.0.0.1:" in workers[0].log.read_text()
    assert restored(tmp_path / "home") == scans
    assert abroad.asked
