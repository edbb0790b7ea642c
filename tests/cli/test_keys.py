"""`keys`: what is written, what is printed, and whether a key opens a bundle."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from repatria.crypt.identity import generate, load_identities
from repatria.crypt.recipient import fingerprint, load_recipients
from repatria.crypt.seal import seal
from repatria.crypt.sshsig import AllowedSigners, Signer

BUNDLE = "20260101T000000Z-aaaaaa"
LATER = "20260201T000000Z-bbbbbb"


def repatria(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "repatria", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=own | environment,
        start_new_session=True,
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("options", "kind"), [((), "hybrid"), (("--classic",), "classic")])
def test_a_new_key_pair(tmp_path: Path, options: tuple[str, ...], kind: str) -> None:
    done = repatria(tmp_path, "keys", "new", "-o", "key", *options)
    assert done.returncode == 0, done.stderr
    (identity,) = load_identities(tmp_path / "key", None)
    assert load_recipients(["key.pub"], tmp_path) == (identity.recipient,)
    assert identity.recipient.kind == kind
    assert fingerprint(identity.recipient) in done.stdout
    assert identity.secret_text() not in done.stdout + done.stderr
    assert "Keep it" in done.stderr
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600

    again = repatria(tmp_path, "keys", "new", "-o", "key", *options)
    assert again.returncode == 2
    assert "there already" in again.stderr
    (same,) = load_identities(tmp_path / "key", None)
    assert same.secret_text() == identity.secret_text()


def test_a_locked_key_pair(tmp_path: Path) -> None:
    command = "echo mot de passe"
    done = repatria(tmp_path, "keys", "new", "-o", "key", "--passphrase", REPATRIA_PASSPHRASE_COMMAND=command)
    assert done.returncode == 0, done.stderr
    assert "SECRET" not in (tmp_path / "key").read_text()
    (identity,) = load_identities(tmp_path / "key", lambda _prompt: "mot de passe")
    shown = repatria(tmp_path, "keys", "show", "key", REPATRIA_PASSPHRASE_COMMAND=command)
    assert str(identity.recipient) in shown.stdout
    locked = repatria(tmp_path, "keys", "show", "key")
    assert locked.returncode == 6
    assert "passphrase" in locked.stderr


def test_without_an_answer_no_locked_key_is_written(tmp_path: Path) -> None:
    assert repatria(tmp_path, "keys", "new", "-o", "key", "--passphrase").returncode == 6
    assert not list(tmp_path.glob("key*"))


def test_show_tells_what_a_file_is(tmp_path: Path) -> None:
    repatria(tmp_path, "keys", "new", "-o", "key")
    repatria(tmp_path, "keys", "signer", "-o", "signer", "--name", "nom@ministere.sn")
    for file in ("key", "key.pub"):
        record, _summary = lines(repatria(tmp_path, "keys", "show", file, "--json"))
        assert record["type"] == "recipient"
        assert record["recipient"] == (tmp_path / "key.pub").read_text().strip()
    for file in ("signer", "signer.pub"):
        record, _summary = lines(repatria(tmp_path, "keys", "show", file, "--json"))
        assert record["fingerprint"] == Signer.load(tmp_path / "signer").fingerprint
    assert "nom@ministere.sn" in repatria(tmp_path, "keys", "show", "signer.pub").stdout
    (tmp_path / "other").write_text("nonsense\n")
    assert repatria(tmp_path, "keys", "show", "other").returncode == 6
    assert repatria(tmp_path, "keys", "show", "missing").returncode == 2


def test_a_new_signer_prints_its_allowed_signers_line_alone(tmp_path: Path) -> None:
    done = repatria(tmp_path, "keys", "signer", "-o", "signer", "--name", "nom@ministere.sn")
    assert done.returncode == 0, done.stderr
    signer = Signer.load(tmp_path / "signer")
    assert AllowedSigners.parse(done.stdout).principal_of(signer.key, "repatria") == "nom@ministere.sn"
    assert (tmp_path / "signer.pub").read_text() == signer.public_line("nom@ministere.sn") + "\n"
    assert stat.S_IMODE((tmp_path / "signer").stat().st_mode) == 0o600
    assert repatria(tmp_path, "keys", "signer", "-o", "signer", "--name", "x").returncode == 2


@pytest.mark.parametrize("name", ["a b", "a,b", '"a"', "#a", "*", "!a", "nom\nautre"])
def test_a_signer_s_name_can_stand_in_the_file(tmp_path: Path, name: str) -> None:
    assert repatria(tmp_path, "keys", "signer", "-o", "signer", "--name", name).returncode == 2
    assert not (tmp_path / "signer").exists()


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    """Make a folder with keys and two bundles; the later one is unfinished, and one of its files for another key."""
    repatria(tmp_path, "keys", "new", "-o", "key")
    repatria(tmp_path, "keys", "new", "-o", "other")
    recipients = load_recipients(["key.pub"], tmp_path)
    for bundle, names in ((BUNDLE, ("vol-000001.tar", "index-0001.db")), (LATER, ("vol-000001.tar",))):
        data = tmp_path / "vault" / "dataset" / bundle / "data"
        data.mkdir(parents=True)
        for name in names:
            (data / f"{name}.age").write_bytes(seal(bytes(100), recipients).data)
    (data / "vol-000002.tar.age").write_bytes(seal(b"", [generate().recipient]).data)
    (tmp_path / "vault" / "dataset" / BUNDLE / "bagit.txt").write_text("BagIt-Version: 1.0\n")
    return tmp_path


def test_check_counts_what_a_key_opens(vault: Path) -> None:
    done = repatria(vault, "keys", "check", f"vault/dataset/{BUNDLE}", "-i", "key")
    assert (done.returncode, done.stdout) == (0, "opens 2 of 2\n"), done.stderr
    done = repatria(vault, "keys", "check", f"vault/dataset/{BUNDLE}", "-i", "other")
    assert done.returncode == 6
    assert done.stdout.endswith("opens 0 of 2\n")
    done = repatria(vault, "keys", "check", "vault/dataset", "-i", "key")
    assert done.returncode == 6
    assert done.stdout.endswith("opens 3 of 4\n")
    assert f"dataset/{LATER}/data/vol-000002.tar.age" in done.stdout


def test_check_of_one_bundle_alone_and_as_json(vault: Path) -> None:
    done = repatria(vault, "keys", "check", f"vault/dataset/{LATER}", "--only", "-i", "key", "-i", "other", "--json")
    *records, summary = lines(done)
    assert [record["opens"] for record in records] == [True, False]
    assert (summary["code"], summary["opened"], summary["files"]) == (6, 1, 2)


def test_check_finds_a_spoiled_head(vault: Path) -> None:
    file = vault / "vault" / "dataset" / BUNDLE / "data" / "vol-000001.tar.age"
    file.write_bytes(file.read_bytes()[:100])
    done = repatria(vault, "keys", "check", f"vault/dataset/{BUNDLE}", "-i", "key")
    assert done.returncode == 6
    assert "ends within its header" in done.stdout
    assert done.stdout.endswith("opens 1 of 2\n")


def test_check_reads_heads_alone(vault: Path) -> None:
    """What follows the head may be gigabytes; a hole in its place changes nothing."""
    for file in (vault / "vault" / "dataset" / BUNDLE / "data").iterdir():
        head = file.read_bytes()[: -(100 + 16)]
        file.write_bytes(head)
        os.truncate(file, 1 << 40)
    done = repatria(vault, "keys", "check", f"vault/dataset/{BUNDLE}", "-i", "key")
    assert (done.returncode, done.stdout) == (0, "opens 2 of 2\n"), done.stderr


def test_check_of_nothing_is_no_success(vault: Path) -> None:
    done = repatria(vault, "keys", "check", "vault/nothing", "-i", "key")
    assert done.returncode == 2, done.stdout
    assert repatria(vault, "keys", "check", "vault/dataset").returncode == 2


def test_the_folder_of_a_key_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    done = repatria(tmp_path, "keys", "signer", "-o", "keys/deep/signer", "--name", "migration@ministere.sn")
    assert done.returncode == 0, done.stderr
    assert [stat.S_IMODE((tmp_path / folder).stat().st_mode) for folder in ("keys", "keys/deep")] == [0o700, 0o700]


def test_a_signer_is_shown_under_the_name_it_was_given(tmp_path: Path) -> None:
    made = repatria(tmp_path, "keys", "signer", "-o", "signer", "--name", "migration@ministere.sn")
    for file in ("signer", "signer.pub"):
        assert made.stdout in repatria(tmp_path, "keys", "show", file).stdout


def test_a_signer_whose_public_file_is_that_of_another_key_is_not_shown_under_its_name(tmp_path: Path) -> None:
    for name in ("one", "other"):
        repatria(tmp_path, "keys", "signer", "-o", name, "--name", f"{name}@ministere.sn")
    (tmp_path / "other.pub").replace(tmp_path / "one.pub")
    assert "other@ministere.sn" not in repatria(tmp_path, "keys", "show", "one").stdout


def test_a_public_key_given_as_identity_is_called_that(tmp_path: Path) -> None:
    repatria(tmp_path, "keys", "new", "-o", "key")
    done = repatria(tmp_path, "decrypt", "-i", "key.pub", "key.pub")
    assert done.returncode == 6
    assert "key.pub is a public key" in done.stderr
    assert "belongs to it: key." in done.stderr
    assert "Others may read" not in done.stderr
