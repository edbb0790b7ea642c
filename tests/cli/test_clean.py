"""What is cleaned away at a target, and above all what is not."""

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repatria.bundle import layout
from repatria.errors import RefusedError
from repatria.store.base import Store
from repatria.store.local import LocalStore
from tests.cli.making import code, make_site
from tests.migrate.making import noise, write
from tests.work.making import MIB

FILES = {f"{number}": noise(MIB) for number in range(3)}


class GoneError(BaseException):
    """The machine is gone; no handler of the program may catch it."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a chain of two finished bundles, then one that another machine began and abandoned eight days ago."""
    folder = make_site(tmp_path, monkeypatch, capsys, FILES)
    with (folder / "d.toml").open("a") as manifest:
        manifest.write('[transfer]\nvolume_size = "1MiB"\n')
    for name in ("first", "second"):
        write(folder / "abroad", {name: name.encode()})
        assert code("copy", "d.toml", "-q") == 0
    shutil.copytree(folder / "state", folder / "elsewhere")
    write(folder / "abroad", {"third": noise(3 * MIB)})
    put = LocalStore.put

    def until_the_third(store: LocalStore, path: str, *rest: object, **more: object) -> None:
        if path.endswith("vol-000003.tar.age"):
            raise GoneError
        put(store, path, *rest, **more)  # type: ignore[arg-type]  # as they came

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put", until_the_third)
        patch.setenv("REPATRIA_STATE", str(folder / "elsewhere"))
        with pytest.raises(GoneError):
            code("copy", "d.toml", "--workers", "1", "-q")
    grow_old(folder / "vault")
    capsys.readouterr()
    return folder


def grow_old(folder: Path, days: float = 8) -> None:
    moment = time.time() - days * 86_400
    for file in folder.rglob("*"):
        os.utime(file, (moment, moment), follow_symlinks=False)


def bundles(site: Path) -> list[Path]:
    """Return the two finished bundles, then the abandoned one."""
    return sorted(site.glob("vault/d/2*"))


def content(*folders: Path) -> dict[str, str]:
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def cleaned(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Clean, and return what was listed and the summary."""
    capsys.readouterr()
    assert code("clean", "vault", "--json", *arguments) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line["type"] == "litter"], lines[-1]


def test_an_abandoned_bundle_is_listed_then_removed_and_the_finished_stay_to_the_byte(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    *finished, abandoned = bundles(site)
    before = content(*finished)
    listed, summary = cleaned(capsys)
    assert [(each["kind"], each["name"], each["keep"]) for each in listed] == [
        ("unfinished bundle", abandoned.name, None)
    ]
    assert summary["removed"] == 0
    assert abandoned.exists()
    _listed, summary = cleaned(capsys, "--execute")
    assert summary["removed"] == 1
    assert not [file for file in abandoned.rglob("*") if file.is_file()]
    assert content(*finished) == before
    assert cleaned(capsys)[1]["unneeded"] == 0
    assert code("verify", "d", "--deep", "-i", "key", "-q") == 0


def test_what_is_said_at_a_terminal(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert site
    assert code("clean", "vault") == 0
    assert "1 of these (2.0 MiB) is of no use to anyone. Nothing was removed: add --execute." in (
        capsys.readouterr().out
    )
    assert code("clean", "vault", "--execute") == 0
    assert "Removed 1 of these (2.0 MiB)." in capsys.readouterr().out
    assert code("clean", f"file://{site}/vault/d") == 0
    assert "nothing to clean" in capsys.readouterr().out


def test_what_this_machine_goes_on_with_stays(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REPATRIA_STATE", str(site / "elsewhere"))
    for lease in site.glob("vault/d/leases/*"):
        lease.unlink()
    ((only,), _summary) = cleaned(capsys, "--execute")
    assert only["keep"] == "ours"
    assert code("copy", "d.toml", "-q") == 0, "it goes on"


def test_what_was_written_a_week_ago_stays(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow_old(bundles(site)[-1], days=6)
    ((only,), _summary) = cleaned(capsys, "--execute")
    assert only["keep"] == "young"
    assert cleaned(capsys, "--execute", "--idle", "5")[1]["removed"] == 1


def test_what_a_run_may_be_at_work_on_stays(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    write(site / "vault/d/leases", {f"{stamp}-{'a' * 16}-0001.json": b"{}"})
    ((only,), _summary) = cleaned(capsys, "--execute")
    assert only["keep"] == "held"


KILLED = """
import os, sys
from pathlib import Path
from repatria.store.registry import open_store
from repatria.work.lease import Lease
from repatria.work.state import StateFolder
from repatria.work.stop import StopSignal
Lease(open_store(Path("vault").absolute().as_uri()), "d", StateFolder(Path("lost")), StopSignal()).__enter__()
os.kill(os.getpid(), 9)
"""


def test_a_run_that_was_killed_on_this_machine_works_no_more_though_its_state_is_lost(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run([sys.executable, "-c", KILLED], cwd=site, check=False)
    shutil.rmtree(site / "lost")
    assert len(list(site.glob("vault/d/leases/*"))) == 1
    listed, _summary = cleaned(capsys, "--execute")
    assert {(each["kind"], each["keep"]) for each in listed} == {("unfinished bundle", None), ("lease", None)}
    assert not list(site.glob("vault/d/leases/*"))


def test_leases_that_are_long_over_are_removed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(site / "vault/d/leases", {f"20260131T200000Z-{'a' * 16}-0001.json": b"{}"})
    grow_old(site / "vault/d/leases")
    listed, _summary = cleaned(capsys, "--execute")
    assert {each["kind"] for each in listed} == {"unfinished bundle", "lease"}
    assert not list(site.glob("vault/d/leases/*"))


TAG_FILES = (
    *(layout.TAGMANIFEST, layout.STATEMENT, layout.STATEMENT_SIGNATURE),
    *(layout.MANIFEST, layout.BAGIT, layout.BAG_INFO, layout.README),
)


@pytest.mark.parametrize("hidden", [TAG_FILES[:count] for count in range(1, len(TAG_FILES) + 1)])
def test_a_finished_bundle_that_somebody_makes_look_abandoned_stays(
    site: Path, capsys: pytest.CaptureFixture[str], hidden: tuple[str, ...]
) -> None:
    """Whoever may delete at the target hides tag files, so that someone else deletes what may not be deleted."""
    base, head, _abandoned = bundles(site)
    for bundle, name in itertools.product((base, head), hidden):
        (bundle / name).unlink()
    before = content(base, head)
    cleaned(capsys, "--execute", "--idle", "0")
    assert content(base, head) == before


def test_a_base_stays_whose_follower_cannot_be_read(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REPATRIA_STATE", str(site / "empty"))  # nothing is remembered here
    base, head, abandoned = bundles(site)
    for name in TAG_FILES:
        (base / name).unlink()
    (head / layout.STATEMENT).write_bytes(b"{}")
    before = content(base, head)
    _listed, summary = cleaned(capsys, "--execute")
    assert content(base, head) == before
    assert summary["removed"] == 1
    assert not [file for file in abandoned.rglob("*") if file.is_file()]


def test_a_stray_volume_in_a_finished_bundle_is_removed_where_its_manifest_is_believed(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _base, head, _abandoned = bundles(site)
    write(head / "data", {"vol-000099.tar.age": b"late"})
    before = content(head)
    listed, _summary = cleaned(capsys, "--execute")
    assert [each["name"] for each in listed if each["kind"] == "stray volume"] == [
        f"d/{head.name}/data/vol-000099.tar.age"
    ]
    del before[str(head / "data/vol-000099.tar.age")]
    assert content(head) == before
    assert code("verify", "d", "-q") == 0


def test_no_volume_is_a_stray_because_somebody_struck_it_from_the_list(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base, head, _abandoned = bundles(site)
    manifest = head / layout.MANIFEST
    manifest.write_text("".join(line for line in manifest.read_text().splitlines(True) if "vol-" not in line))
    before = content(base, head)
    cleaned(capsys, "--execute")
    monkeypatch.setenv("REPATRIA_STATE", str(site / "empty"))
    write(base / "data", {"vol-000099.tar.age": b"late"})
    cleaned(capsys, "--execute")
    assert content(base, head) == {**before, **content(base)}, "nobody vouches for the signer here"


def test_names_that_are_none_of_ours_are_left_alone(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    others = {
        "D/20200101T000000Z-aaaaaa/data/vol-000001.tar.age": b"",
        "d/20200101T000000Z-AAAAAA/data/vol-000001.tar.age": b"",
        "d/20200101T000000Z-aaaaaa": b"a file",
        "d/records/20200101T000000Z-aaaaaa.json": b"{}",
        "photos/1.jpg": b"",
    }
    write(site / "vault", others)
    (site / "vault/d/20200101T000000Z-bbbbbb").symlink_to(bundles(site)[0])
    grow_old(site / "vault")
    before = content(bundles(site)[1])
    cleaned(capsys, "--execute")
    assert all((site / "vault" / name).exists() for name in others)
    assert content(bundles(site)[-2]) == before or content(*bundles(site)).items() >= before.items()
    assert code("verify", "d", "--deep", "-i", "key", "-q") == 1, "only because of what does not belong there"


def test_a_target_that_keeps_everything_says_so(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def kept(_store: Store, path: str) -> None:
        raise RefusedError(f"{path} is kept.", public=False)

    monkeypatch.setattr(LocalStore, "delete", kept)
    before = content(*bundles(site))
    assert code("clean", "vault", "--execute") == 5
    said = capsys.readouterr().err
    assert "does not let this user remove anything" in said
    assert "That is as it should be for who writes" in said
    assert content(*bundles(site)) == before


def test_half_written_files_of_killed_runs_are_removed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(site / "vault/.repatria-tmp", {"left": b"half"})
    grow_old(site / "vault/.repatria-tmp")
    listed, _summary = cleaned(capsys)
    assert ("file aside", ".repatria-tmp/left") in [(each["kind"], each["name"]) for each in listed]
    cleaned(capsys, "--execute")
    assert not (site / "vault/.repatria-tmp/left").exists()


def test_the_log_tells_what_was_removed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert site
    cleaned(capsys, "--execute")
    assert code("log") == 0
    assert "clean" in capsys.readouterr().out
