"""`copy`, `status` and `log`: codes, what is said where, and what is never said."""

import json
import logging
import os
from pathlib import Path

import pytest

from repatria.cli.output import LOG, Output
from repatria.model import Finding, FindingKind
from tests.cli.making import MANIFEST, code, make_site
from tests.cli.test_terminal import Terminal
from tests.migrate.making import write


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    return make_site(tmp_path, monkeypatch, capsys, {"dossier/diop.txt": b"fievre", "b": b"2"})


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.usefixtures("site")
def test_the_last_line_is_the_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    assert code("copy", "d.toml", "-q") == 0
    first = capsys.readouterr()
    assert code("copy", "d", "-q") == 0
    second = capsys.readouterr()
    assert first.out.splitlines()[-1] == second.out.splitlines()[-1]
    assert second.out.startswith("Nothing new: 2 objects")
    assert first.err == second.err == ""


def test_a_source_that_moved_is_warned_of_once(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code("copy", "d.toml")
    (site / "abroad").rename(site / "elsewhere")
    (site / "elsewhere" / "b").unlink()
    (site / "d.toml").write_text(MANIFEST.replace("abroad", "elsewhere"))
    capsys.readouterr()
    code("copy", "d.toml")
    assert "/abroad and is " in capsys.readouterr().err
    code("copy", "d.toml")
    assert "/abroad" not in capsys.readouterr().err


@pytest.mark.usefixtures("site")
def test_a_signer_is_made_once_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    code("copy", "d.toml")
    assert 'namespaces="repatria" ssh-ed25519' in capsys.readouterr().err
    code("copy", "d.toml")
    assert "ssh-ed25519" not in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["source", "target"])
def test_a_wrong_profile_leaves_no_signing_key(
    site: Path, wrong: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(site))
    folder = {"source": "abroad", "target": "vault"}[wrong]
    bucket = 's3://b/x"\nendpoint = "http://127.0.0.1:9"\nprofile = "nobody'
    (site / "d.toml").write_text(MANIFEST.replace(folder, bucket))
    assert code("copy", "d.toml") == 2
    assert "There is no AWS profile named nobody" in capsys.readouterr().err
    assert not list((site / "state").rglob("signer*"))
    assert not list((site / "state").rglob("journal*"))


@pytest.mark.parametrize("text", ["0", "1001", "100000"])
@pytest.mark.usefixtures("site")
def test_how_many_workers_there_may_be_is_said(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("copy", "d.toml", "--workers", text) == 2
    assert "Give a number from 1 to 1,000" in capsys.readouterr().err


def test_findings_are_code_1_and_their_names_only_where_they_may_be(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(site / "abroad/fall.pipe")
    os.mkfifo(site / "abroad/fall.too")
    log = site / "log.txt"
    assert code("copy", "d.toml", "--log-file", str(log)) == 1
    said = capsys.readouterr()
    assert said.err.count("failed: ") == 1, "a line for each reason, not for each object"
    assert "failed: 2 objects of the source. A device" in said.err
    assert "repatria copy d on a terminal, or with --json" in said.err
    assert "fall" not in said.err + said.out + log.read_text()
    assert code("copy", "d.toml", "--json") == 1
    found = [line for line in lines(capsys.readouterr().out) if line["type"] == "finding"]
    assert [each["path"] for each in found] == ["fall.pipe", "fall.too"]


def test_a_terminal_gets_names_and_a_log_file_none(tmp_path: Path) -> None:
    screen = Terminal()
    log = logging.FileHandler(tmp_path / "log.txt")
    LOG.addHandler(log)
    LOG.setLevel(logging.INFO)
    try:
        Output(stderr=screen).finding(Finding(FindingKind.FAILED, "object 7", "Refused.", path="dossier/diop.txt"))
    finally:
        LOG.removeHandler(log)
        log.close()
    assert "object 7 (dossier/diop.txt). Refused." in " ".join(screen.getvalue().split())
    assert (tmp_path / "log.txt").read_text() == "failed: object 7. Refused.\n"


@pytest.mark.usefixtures("site")
def test_no_name_of_an_object_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    code("copy", "d.toml", "-v")
    code("inventory", "d.toml")
    code("plan", "d.toml")
    code("status")
    code("log")
    said = capsys.readouterr()
    assert "diop" not in said.out + said.err


def test_a_dry_run_writes_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("copy", "d.toml", "--dry-run", "--json") == 0
    plan = lines(capsys.readouterr().out)[0]
    assert (plan["type"], plan["objects"], plan["volumes"]) == ("plan", 2, 1)
    assert not (site / "vault").exists()


def test_an_archive_is_not_copied(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "d.toml").write_text(MANIFEST + '[archive]\nfonds = "x"\n')
    assert code("copy", "d.toml") == 2
    assert "repatria ocr d" in capsys.readouterr().err


def test_a_target_that_cannot_be_written_is_code_5(site: Path) -> None:
    (site / "vault").write_text("a file where a folder should be")
    assert code("copy", "d.toml") == 5


def test_a_missing_source_is_code_4_and_the_log_says_so(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "abroad").rename(site / "elsewhere")
    assert code("copy", "d.toml") == 4
    capsys.readouterr()
    assert code("log", "--json") == 0
    [began, ended] = [line["entry"] for line in lines(capsys.readouterr().out) if line["type"] == "log"]
    assert isinstance(began, dict)
    assert isinstance(ended, dict)
    assert (began["command"], began["dataset"], began["began"]) == ("copy", "d", True)
    assert (ended["command"], ended["dataset"], ended["code"]) == ("copy", "d", 4)


def test_an_altered_log_is_code_1(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code("copy", "d.toml")
    code("copy", "d.toml")
    file = site / "state/log.jsonl"
    file.write_text(file.read_text().replace('"objects":2', '"objects":3', 1))
    capsys.readouterr()
    assert code("log") == 1
    assert "at line 3: that line, or the one before it" in capsys.readouterr().err
    assert code("log", "another") == 1, "a log that does not hold together is so for every dataset"


@pytest.mark.usefixtures("site")
def test_the_log_of_one_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    code("copy", "d.toml")
    Path("e.toml").write_text(MANIFEST.replace('id = "d"', 'id = "e"'))
    code("copy", "e.toml")
    for named in ("e", "e.toml"):
        capsys.readouterr()
        assert code("log", named, "--json") == 0
        told = [line["entry"] for line in lines(capsys.readouterr().out) if line["type"] == "log"]
        assert [each["dataset"] for each in told if isinstance(each, dict)] == ["e", "e"]
    assert code("log", "f") == 0
    assert "tells of no run on f" in capsys.readouterr().err


@pytest.mark.usefixtures("site")
def test_status_ends_with_one_sentence_for_the_director(capsys: pytest.CaptureFixture[str]) -> None:
    assert code("status") == 0
    assert capsys.readouterr().out == "No dataset was worked on from here yet.\n"
    code("copy", "d.toml")
    capsys.readouterr()
    assert code("status") == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1] == "1 dataset, 1 home and signed for (7 B). Nothing is lost."
    assert "repatria verify d" in shown[1]


@pytest.mark.usefixtures("site")
def test_status_of_a_dataset_that_was_never_copied(capsys: pytest.CaptureFixture[str]) -> None:
    assert code("status", "d.toml", "--json") == 0
    [standing, summary] = lines(capsys.readouterr().out)
    assert (standing["dataset"], standing["bundle"], standing["next"]) == ("d", None, "repatria copy d")
    assert summary["type"] == "summary"


@pytest.mark.usefixtures("site")
def test_inventory_warns_when_the_manifest_says_less_than_was_seen(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site / "abroad", {"p.csv": b"nom;ddn;diagnostic\nDiop;1987;paludisme\nFall;1990;grippe\n"})
    assert code("inventory", "d.toml", "--export-csv", "objects.csv") == 0
    said = capsys.readouterr().err
    assert "is public, but what was seen is health" in said
    assert "objects.csv holds every object's name in clear" in said
    assert (site / "objects.csv").read_text().count("\n") == 4


@pytest.mark.usefixtures("site")
def test_several_recipients_need_no_warning(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code("copy", "d.toml")
    assert "one recipient" in capsys.readouterr().err
    code("keys", "new", "-o", "second", "-q")
    (site / "d.toml").write_text(MANIFEST.replace('"key.pub"', '"key.pub", "second.pub"'))
    write(site / "abroad", {"c": b"3"})
    capsys.readouterr()
    assert code("copy", "d.toml") == 0
    assert "one recipient" not in capsys.readouterr().err
