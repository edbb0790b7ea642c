"""`verify`, `bundles`, `ls` and `cat` at the command line."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from repatria.store.local import LocalStore
from tests.bundle.making import DatasetMaker, file, symlink

BIG = os.urandom(2_000_000)


@dataclass
class Place:
    """A folder in which commands are run, with a vault of one dataset in it."""

    folder: Path
    maker: DatasetMaker

    def run(self, *arguments: str, code: int = 0, environment: dict[str, str] | None = None) -> "Said":
        done = subprocess.run(
            [sys.executable, "-m", "repatria", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
            | {"REPATRIA_STATE": str(self.folder / "state")}
            | (environment or {}),
            capture_output=True,
            check=False,
        )
        said = Said(done.stdout, done.stderr.decode())
        assert done.returncode == code, said
        return said


@dataclass
class Said:
    """What a command wrote."""

    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode()

    @property
    def json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


VAULT = "vault/fann"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    maker = DatasetMaker(LocalStore(tmp_path / "vault"), dataset_id="fann")
    maker.bundle([file("a/b.txt", b"hello"), file("big", BIG), symlink("lien", "a/b.txt"), file("caf\udce9\n", b"odd")])
    maker.bundle([file("a/b.txt", b"changed")], gone=["big"])
    (tmp_path / "key").write_text(maker.identity.secret_text() + "\n")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "signers").write_text(maker.signer.key.allowed_line("senum@dakar") + "\n")
    return Place(tmp_path, maker)


def trusting(place: Place) -> Place:
    (place.folder / "repatria.toml").write_text('[defaults]\nsigners = "signers"\nidentity = "key"\n')
    return place


def test_an_unknown_signer_is_never_called_intact(place: Place) -> None:
    said = place.run("verify", VAULT, code=3)
    assert "this is not called intact" in said.text
    assert "Nobody vouches for the key SHA256:" in said.stderr
    assert place.run("verify", VAULT, "--json", code=3).json[-1]["findings"] == {"unverifiable": 2}


def test_a_chain_is_verified_and_remembered(place: Place) -> None:
    said = place.run("verify", VAULT, "--signers", "signers")
    assert said.text.splitlines()[-1].startswith("Intact: fann, 2 bundles, 5 files, ")
    fingerprint = place.maker.signer.key.fingerprint
    assert said.text.splitlines()[-1].endswith(f"Signed by senum@dakar ({fingerprint}).")
    assert f"Signed by the key remembered for this dataset ({fingerprint})." in place.run("verify", VAULT).text
    summary = place.run("verify", f"{VAULT}/{place.maker.bundles[0]}", "--json").json[-1]
    assert (summary["code"], summary["bundles"], summary["objects"]) == (0, 1, 4)
    newest = place.folder / VAULT / place.maker.bundles[1]
    newest.rename(place.folder / "elsewhere")
    assert "a newer bundle was removed" in place.run("verify", VAULT, code=1).stderr


def test_deep_verification_needs_a_key(place: Place) -> None:
    assert "No key was given" in place.run("verify", VAULT, "--deep", code=2).stderr
    said = place.run("verify", VAULT, "--deep", "-i", "key", "--signers", "signers")
    assert said.text.endswith("Every object decrypted and compared: 5.\n")


def test_a_sample_says_that_it_is_one(place: Place) -> None:
    said = trusting(place).run("verify", VAULT, "--sample", "1")
    assert "Sample only: 4 of 5 files of fann, drawn at random, were read" in said.text
    assert "percent" in place.run("verify", VAULT, "--sample", "0", code=2).stderr


def test_a_head_that_is_not_there(place: Place) -> None:
    assert "64 hexadecimal digits" in place.run("verify", VAULT, "--expect-head", "abc", code=2).stderr
    summary = trusting(place).run("verify", VAULT, "--json").json[-1]
    place.run("verify", VAULT, "--expect-head", summary["head"])
    assert place.run("verify", VAULT, "--expect-head", "0" * 64, "--json", code=1).json[0]["kind"] == "missing"


def test_an_altered_signature_is_code_6(place: Place) -> None:
    statement = place.folder / VAULT / place.maker.bundles[1] / "statement.json"
    statement.chmod(0o644)
    statement.write_bytes(statement.read_bytes().replace(b"Fann", b"Fonn"))
    assert "NOT INTACT" in trusting(place).run("verify", VAULT, code=6).text


def test_quiet_says_nothing_when_all_is_well(place: Place) -> None:
    assert trusting(place).run("verify", VAULT, "-q").stderr == ""


@pytest.mark.parametrize("where", ["vault", VAULT, "fann"])
def test_bundles_are_listed_without_a_key(place: Place, where: str) -> None:
    place.maker.bundle([file("later", b"x")], finished=False)
    if where == "fann":
        (place.folder / "state/datasets/fann").mkdir(parents=True)
        known = {"uri": f"file://{place.folder}/vault", "endpoint": None, "profile": None, "manifest": None}
        (place.folder / "state/datasets/fann/place.json").write_text(json.dumps(known))
    listed = place.run("bundles", where, "--json").json[:-1]
    assert [(each["is_finished"], each["objects"], each["total_objects"]) for each in listed] == [
        (True, 4, 4),
        (True, 1, 3),
        (False, None, None),
    ]
    assert listed[0]["signer"] == place.maker.signer.fingerprint
    assert listed[0]["vouched_by"] is None
    assert "unfinished" in place.run("bundles", where).text


def test_bundles_of_every_known_target(place: Place) -> None:
    assert "There is no bundle" in place.run("bundles").stderr


def test_a_bundle_whose_statement_cannot_be_believed_is_listed_so(place: Place) -> None:
    (place.folder / VAULT / place.maker.bundles[1] / "statement.json.sig").unlink()
    assert "missing" in place.run("bundles", "vault", code=6).text


def test_objects_are_listed_as_the_dataset_stood(place: Place) -> None:
    listed = trusting(place).run("ls", VAULT, "--json").json
    assert {each["path"]: each["number"] for each in listed[:-1]} == {"a/b.txt": 5, "lien": 3, "caf\udce9\n": 4}
    assert listed[-1]["objects"] == 3
    first = place.run("ls", f"{VAULT}/{place.maker.bundles[0]}", "--json").json
    assert {each["path"] for each in first[:-1]} == {"a/b.txt", "big", "lien", "caf\udce9\n"}


def test_objects_by_pattern_number_and_fate(place: Place) -> None:
    place = trusting(place)
    assert [each["number"] for each in place.run("ls", VAULT, "*.txt", "--json").json[:-1]] == [5]
    gone = place.run("ls", VAULT, "--with-gone", "--json").json[:-1]
    assert {each["number"]: each["stands"] for each in gone} == {1: False, 2: False, 3: True, 4: True, 5: True}
    assert place.run("ls", VAULT, "--number", "2", "--json").json[0]["path"] == "big"
    assert "2024-01-31T20:00:00Z" in place.run("ls", VAULT, "--with-gone").text
    place.run("ls", VAULT, "nothing", code=2)
    place.run("ls", VAULT, "--number", "99", code=2)


def test_names_do_no_harm_to_a_terminal(place: Place) -> None:
    assert "caf\\xe9\\n" in trusting(place).run("ls", VAULT).text


def test_a_reader_is_told_that_nobody_vouches_for_the_signer(place: Place) -> None:
    said = place.run("ls", VAULT, "-i", "key", code=3)
    assert "lien" in said.text
    assert "Nobody vouches" in said.stderr


def test_one_object_goes_to_stdout(place: Place) -> None:
    place = trusting(place)
    assert place.run("cat", VAULT, "a/b.txt").stdout == b"changed"
    assert place.run("cat", f"{VAULT}/{place.maker.bundles[0]}", "a/b.txt").stdout == b"hello"
    assert place.run("cat", f"{VAULT}/{place.maker.bundles[0]}", "big").stdout == BIG
    assert place.run("cat", VAULT, "caf\udce9\n").stdout == b"odd"
    said = place.run("cat", VAULT, "a/b.txt", "--json")
    assert said.stdout == b"changed"
    assert json.loads(said.stderr.splitlines()[-1])["code"] == 0


@pytest.mark.parametrize("path", ["big", "nothing", "a"])
def test_an_object_that_does_not_stand_is_not_given(place: Place, path: str) -> None:
    said = trusting(place).run("cat", VAULT, path, code=2)
    assert said.stdout == b""
    assert "no such object" in said.stderr


def test_an_object_whose_bytes_were_altered_is_code_6(place: Place) -> None:
    volume = place.folder / VAULT / place.maker.bundles[0] / "data/vol-000002.tar.age"
    volume.chmod(0o644)
    data = bytearray(volume.read_bytes())
    data[len(data) // 2] ^= 1
    volume.write_bytes(data)
    said = trusting(place).run("cat", f"{VAULT}/{place.maker.bundles[0]}", "big", code=6)
    assert "data/vol-000002.tar.age of the bundle" in said.stderr
    assert BIG.startswith(said.stdout)
    assert len(said.stdout) < len(BIG)


@pytest.mark.parametrize("command", [("verify",), ("ls", "-i", "key"), ("cat", "-i", "key")])
def test_a_bundle_that_is_not_there_is_a_wrong_argument(place: Place, command: tuple[str, ...]) -> None:
    name, *options = command
    said = place.run(name, "vault/other", *(["x"] if name == "cat" else []), *options, code=2)
    assert "There is no finished bundle other" in said.stderr


def test_another_key_opens_nothing(place: Place) -> None:
    place.run("keys", "new", "-o", "other", "--classic")
    said = trusting(place).run("cat", VAULT, "a/b.txt", "-i", "other", code=6)
    assert said.stdout == b""


def piped(place: Place, command: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a shell's command with the program as `$R`; the code is that of the program."""
    return subprocess.run(
        ["bash", "-c", f"R='{sys.executable} -m repatria'; {command}; exit ${{PIPESTATUS[0]}}"],
        cwd=place.folder,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "REPATRIA_STATE": str(place.folder / "state")},
        capture_output=True,
        check=False,
    )


def test_a_verification_that_nobody_reads_still_has_its_own_code(place: Place) -> None:
    trusting(place)
    for volume in (place.folder / VAULT).glob("*/data/vol-000001.tar.age"):
        volume.write_bytes(bytes(volume.stat().st_size))
    assert piped(place, f"$R verify {VAULT} --json | true").returncode == 1


def test_a_table_whose_reader_has_enough_is_no_error(place: Place) -> None:
    trusting(place)
    assert piped(place, f"$R ls {VAULT} | true").returncode == 0
    for volume in (place.folder / VAULT).glob("*/data/vol-000001.tar.age"):
        volume.unlink()
    assert piped(place, f"$R verify {VAULT} | true").returncode == 1


@pytest.mark.parametrize("command", ["ls", "cat"])
def test_results_that_cannot_be_written_are_an_error_of_the_target(place: Place, command: str) -> None:
    trusting(place)
    what = f"{VAULT}/{place.maker.bundles[0]} big" if command == "cat" else VAULT
    done = piped(place, f"$R {command} {what} > /dev/full")
    assert (done.returncode, b"could not be written" in done.stderr) == (5, True)


def test_a_closed_stdout_is_no_defect(place: Place) -> None:
    trusting(place)
    done = piped(place, f"$R ls {VAULT} >&-")
    assert (done.returncode, b"Repatria itself" in done.stderr) == (0, False)


def test_an_object_is_not_read_for_a_closed_stdout(place: Place) -> None:
    trusting(place)
    done = piped(place, f"$R cat {VAULT}/{place.maker.bundles[0]} big >&-")
    assert (done.returncode, b"Standard output is closed" in done.stderr) == (2, True)


def test_a_reader_who_has_enough_is_no_error(place: Place) -> None:
    trusting(place)
    pipe = (
        f"{sys.executable} -m repatria cat {VAULT}/{place.maker.bundles[0]} big | head -c 10; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(
        ["bash", "-c", pipe],
        cwd=place.folder,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "REPATRIA_STATE": str(place.folder / "state")},
        capture_output=True,
        check=False,
    )
    assert done.stdout == BIG[:10]
    assert (done.returncode, done.stderr) == (0, b"")
