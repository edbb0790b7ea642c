"""`rewrap` at the command line: what it refuses, what it says, and what a kill at any instant leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from repatria.crypt.key_files import identity_text, write_key_pair
from repatria.store.local import LocalStore
from tests.bundle.making import DatasetMaker
from tests.cli.making import code
from tests.work.rewrapping import DATASET, NEW, OLD, contents, make_chain, trust_in, verify

KILLED_AT = """
import os, sys
from repatria.__main__ import main
at, number, done = int(sys.argv.pop(1)), int(sys.argv.pop(1)), 0

def instant(function):
    def counted(*arguments, **keywords):
        global done
        done += 1
        if done == at:
            os.kill(os.getpid(), number)
        return function(*arguments, **keywords)
    return counted

for name in ("fsync", "unlink", "rename", "link"):
    setattr(os, name, instant(getattr(os, name)))
try:
    main()
finally:
    print(done, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DatasetMaker]:
    place = tmp_path_factory.mktemp("pristine")
    maker = make_chain(LocalStore(place / "vault"))
    for name, identity in (("old", OLD), ("new", NEW)):
        write_key_pair(place / name, identity_text([identity]), f"{identity.recipient}\n")
    write_key_pair(place / "signer", maker.signer.private_text(), f"{maker.signer.public_line('senum@dakar')}\n")
    return place, maker


@pytest.fixture
def site(pristine: tuple[Path, DatasetMaker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    shutil.copytree(pristine[0], folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("REPATRIA_STATE", str(folder / "state"))
    return folder


REWRAP = ("rewrap", f"vault/{DATASET}", "-r", "new.pub", "--signer", "signer")


def test_the_whole_of_it(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(*REWRAP, "-i", "old", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["type"] == "rewrapped"
    assert (lines[0]["bundles"], lines[0]["resumed"]) == (3, False)
    assert lines[-1]["type"] == "summary"
    assert code("verify", f"vault/{DATASET}", "--deep", "-i", "new", "-q") == 0
    assert code("cat", f"vault/{DATASET}", "a", "-i", "new", "-q") == 0
    assert code("ls", f"vault/{DATASET}", "-i", "old", "-q") == 6
    assert code("keys", "check", f"vault/{DATASET}", "-i", "new", "-q") == 0
    assert code("prove", f"vault/{DATASET}", "b", "-i", "new", "-o", "proof", "-q") == 0
    assert code("prove", "--check", "proof", "-q") == 0
    capsys.readouterr()
    assert code("search", "1949", f"vault/{DATASET}", "-i", "new") == 0
    assert "registre" in capsys.readouterr().out
    assert code(*REWRAP, "-i", "new", "-q") == 0
    assert "Nothing to do" in capsys.readouterr().out
    log = [json.loads(line) for line in Path("state/log.jsonl").read_text().splitlines()]
    assert [line["code"] for line in log if line["command"] == "rewrap" and "code" in line] == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("-i", "new"), 6),
        (("-i", "old", "-r", "hybrid.pub"), 6),
        (("-i", "missing"), 6),
    ],
)
def test_with_wrong_keys_nothing_is_touched(site: Path, arguments: tuple[str, ...], expected: int) -> None:
    assert code("keys", "new", "-o", "hybrid", "-q") == 0
    before = {file: file.read_bytes() for file in Path("vault").rglob("*") if file.is_file()}
    assert code(*REWRAP, *arguments, "-q") == expected
    assert {file: file.read_bytes() for file in Path("vault").rglob("*") if file.is_file()} == before


def test_what_nobody_vouches_for_is_not_signed_anew(site: Path) -> None:
    assert code("keys", "signer", "-o", "other", "-q") == 0
    arguments = ("rewrap", f"vault/{DATASET}", "-r", "new.pub", "-i", "old", "--signer", "other", "-q")
    assert code(*arguments) == 3
    Path("signers").write_text(f"senum@dakar {Path('signer.pub').read_text()}")
    assert code(*arguments, "--signers", "signers") == 3  # the key that signs is not among them
    assert not list(Path("vault").rglob("rewrap*"))
    Path("signers").write_text("".join(f"senum@dakar {Path(name).read_text()}" for name in ("signer.pub", "other.pub")))
    assert code(*arguments, "--signers", "signers") == 0
    assert code("verify", f"vault/{DATASET}", "--signers", "signers", "-q") == 0


def test_a_bundle_in_the_middle_is_no_chain(site: Path) -> None:
    first = sorted(Path("vault", DATASET).iterdir())[0]
    assert code("rewrap", str(first), "-r", "new.pub", "--signer", "signer", "-i", "old", "-q") == 2


def test_without_recipient_or_signer(site: Path) -> None:
    assert code("rewrap", f"vault/{DATASET}", "-i", "old", "--signer", "signer", "-q") == 2
    assert code("rewrap", f"vault/{DATASET}", "-i", "old", "-r", "new.pub", "-q") == 2
    assert code("rewrap", "vault/nothing", "-i", "old", "-r", "new.pub", "--signer", "signer", "-q") == 2
    assert not Path("vault/nothing").exists()


def test_damage_is_named_and_stops_it(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volume = sorted(Path("vault").rglob("vol-000002*"))[0]
    data = bytearray(volume.read_bytes())
    data[-1000] ^= 1
    volume.write_bytes(data)
    assert code(*REWRAP, "-i", "old") == 1
    assert "vol-000002.tar.age" in capsys.readouterr().err
    assert volume.read_bytes() == data


def rewrap_killed_at(
    site: Path, instant: int, state: str, number: int = signal.SIGKILL
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLED_AT, str(instant), str(int(number)), *REWRAP, "-i", "old", "-q"],
        cwd=site,
        env={**os.environ, "REPATRIA_STATE": str(site / state), "REPATRIA_LANG": "en"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_killed_at_instants_all_over_it_is_ended_by_another_machine(
    site: Path, pristine: tuple[Path, DatasetMaker], tmp_path: Path
) -> None:
    whole = rewrap_killed_at(site, 0, "state")
    assert whole.returncode == 0
    instants = int(whole.stderr.split()[-1])
    signer = pristine[1].signer
    before = contents(LocalStore(pristine[0] / "vault"), OLD)
    codes = []
    for number, instant in enumerate(range(instants // 6, instants, instants // 6)):
        machine = tmp_path / str(number)
        shutil.copytree(pristine[0], machine)
        assert rewrap_killed_at(machine, instant, "state").returncode == -9
        vault = LocalStore(machine / "vault")
        codes.append(verify(vault, trust_in(signer)).code)
        shutil.rmtree(machine / "vault" / DATASET / "leases", ignore_errors=True)  # or wait until it expires
        ended = rewrap_killed_at(machine, 0, "other state")
        assert ended.returncode == 0, ended.stderr
        assert verify(vault, trust_in(signer), NEW).code == 0
        assert contents(vault, NEW) == before
    assert set(codes) <= {0, 3}
    assert codes.count(3) > 2


def test_asked_to_stop_it_ends_soon_with_code_8_and_goes_on(site: Path, pristine: tuple[Path, DatasetMaker]) -> None:
    stopped = rewrap_killed_at(site, 60, "state", signal.SIGTERM)
    assert stopped.returncode == 8, stopped.stderr
    assert verify(LocalStore(site / "vault"), trust_in(pristine[1].signer)).code == 3
    assert code(*REWRAP, "-i", "old", "-q") == 0
    assert code("verify", f"vault/{DATASET}", "--deep", "-i", "new", "-q") == 0
