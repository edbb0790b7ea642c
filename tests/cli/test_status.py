"""`status`: what is safe while a copy runs, what is really next, and an end without words."""

import json
import os
import shutil
from pathlib import Path

import pytest

from repatria.errors import UnreachableError
from repatria.store.local import LocalStore
from repatria.work.lock import dataset_lock
from repatria.work.state import StateFolder
from tests.cli.making import code, make_site
from tests.work.making import Site, store_all, told


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    return make_site(tmp_path, monkeypatch, capsys, {"a": b"1"})


def standing(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    capsys.readouterr()
    assert code("status", "--json", *arguments) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[0])
    return found


@pytest.mark.usefixtures("site")
def test_a_bundle_is_to_be_verified_until_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    code("copy", "d.toml", "-q")
    assert standing(capsys)["next"] == "repatria verify d"
    assert code("verify", "d", "-q") == 0
    found = standing(capsys)
    assert found["next"] is None
    assert found["verified"]


def test_what_the_last_copy_did_not_bring_is_shown_until_one_brings_it(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(site / "abroad/pipe")
    assert code("copy", "d.toml", "-q") == 1
    found = standing(capsys)
    assert (found["left_out"], found["next"]) == (1, "repatria verify d")
    assert code("verify", "d", "-q") == 0
    assert standing(capsys)["next"] == "repatria copy d"
    assert code("status") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 object that the last copy did not bring; verified on" in shown
    (site / "abroad/pipe").unlink()
    assert code("copy", "d.toml", "-q") == 0
    found = standing(capsys)
    assert (found["left_out"], found["next"]) == (0, None)


def test_what_a_verification_found_damaged_is_to_be_sent_again(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code("copy", "d.toml", "-q")
    code("verify", "d", "-q")
    for volume in (site / "vault").glob("d/*/data/vol-000001.tar.age"):
        volume.write_bytes(bytes(volume.stat().st_size))
    assert code("verify", "d", "-q") == 1
    bundle = next((site / "vault/d").glob("2*")).name
    assert standing(capsys)["next"] == f"repatria copy d --repair d@{bundle}"
    assert code("status") == 0
    shown = capsys.readouterr().out
    assert "found 1 damaged file at the target" in shown
    assert "Nothing is lost" not in shown
    assert code("verify", "d") == 1
    assert f"repatria copy d --repair d@{bundle}" in capsys.readouterr().err
    assert code("copy", "d", "--repair", f"d@{bundle}", "-q") == 0
    assert code("verify", "d") == 1
    assert f"what the source still had of {bundle} was sent again on" in capsys.readouterr().err
    assert standing(capsys)["next"] is None, "there is nothing more to be done from here"
    assert code("status") == 0
    assert "1 file damaged, what the source still had was sent again" in " ".join(capsys.readouterr().out.split())


def test_an_archive_without_manifest_has_a_standing_and_its_own_command(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = site / "state/datasets/mauv"
    folder.mkdir(parents=True)
    place = {"uri": "file:///vault", "endpoint": None, "profile": None, "manifest": None}
    (folder / "place.json").write_text(json.dumps(place))
    assert standing(capsys, "mauv")["next"] == "repatria ocr SCANS --to file:///vault --id mauv"


def test_while_a_copy_runs_its_safe_volumes_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REPATRIA_STATE", str(tmp_path / "state"))
    made = Site(StateFolder(tmp_path / "state").path)
    with made.open() as run, dataset_lock(made.state, "d"):
        store_all(run, [(told("b", b"45"), b"45")])
        assert code("status") == 0
    assert "volume safe at the target (2 B)" in capsys.readouterr().out


@pytest.mark.usefixtures("site")
def test_following_ends_without_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("repatria.cli.status.time.sleep", interrupted)
    assert code("status", "--follow") == 130
    assert capsys.readouterr().err == ""


def test_a_dataset_of_which_the_state_is_lost_is_to_be_adopted(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert standing(capsys, "d.toml")["next"] == "repatria copy d", "nothing lies there yet"
    code("copy", "d.toml", "-q")
    shutil.rmtree(site / "state")
    found = standing(capsys, "d.toml")
    assert (found["lost"], found["next"]) == (True, "repatria adopt d")
    assert code("status", "d.toml") == 0
    assert "1 bundle at the target, of which nothing is known here" in " ".join(capsys.readouterr().out.split())
    assert code("adopt", "d", "-i", "key") == 0
    found = standing(capsys)
    assert (found["lost"], found["next"]) == (False, "repatria verify d")


def test_a_journal_that_is_gone_is_missed_without_asking_the_target(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code("copy", "d.toml", "-q")
    (site / "state/datasets/d/journal.db").unlink()
    (site / "vault").rename(site / "moved")
    found = standing(capsys)
    assert (found["lost"], found["next"]) == (True, "repatria adopt d")


@pytest.mark.usefixtures("site")
def test_a_target_that_cannot_be_asked_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(*_asked: object, **_more: object) -> None:
        raise UnreachableError("The vault is away.")

    monkeypatch.setattr(LocalStore, "list", away)
    assert code("status", "d.toml") == 0
    assert "The vault is away." in capsys.readouterr().err
