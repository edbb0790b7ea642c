"""`rewrap` at the command line: what it refuses, what it says, and what a kill at any instant leaves."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from repatria.cli.output import Output
from repatria.crypt.key_files import identity_text, write_key_pair
from repatria.crypt.recipient import fingerprint
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


def test_without_a_signer_the_manifests_own_signs_never_a_stray_one(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code("keys", "signer", "-o", "stray-key", "-q") == 0
    Path("state").mkdir()
    for end in ("", ".pub"):
        shutil.copy(f"stray-key{end}", f"state/signer{end}")
    arguments = ("rewrap", f"vault/{DATASET}", "-i", "old", "-r", "new.pub")
    assert code(*arguments, "-q") == 2  # what lies in the state folder was made on the fly
    Path("scans").mkdir()
    Path(f"{DATASET}.toml").write_text(
        f'id = "{DATASET}"\nsensitivity = "public"\n[[source]]\nuri = "scans"\n[target]\nuri = "vault"\n'
        '[encryption]\nrecipients = ["old.pub"]\nsigner = "signer"\n'
    )
    capsys.readouterr()
    assert code(*arguments) == 0
    assert str(Path("signer").absolute()) in capsys.readouterr().err
    assert code("verify", f"vault/{DATASET}", "-q") == 0


class TestWhoCanOpenIt:
    """Who can open the chain no longer, and who newly, is said before anything is touched."""

    def test_a_dry_run_shows_it_and_touches_nothing(self, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
        before = {file: file.read_bytes() for file in Path("vault").rglob("*") if file.is_file()}
        assert code(*REWRAP, "-i", "old", "--dry-run") == 0
        shown = capsys.readouterr().out
        assert f"Will no longer open: {fingerprint(OLD.recipient)} ({OLD.recipient})" in shown
        assert f"Will newly open: {fingerprint(NEW.recipient)} ({NEW.recipient})" in shown
        assert {file: file.read_bytes() for file in Path("vault").rglob("*") if file.is_file()} == before
        assert code(*REWRAP, "-i", "old", "--dry-run", "--json") == 0
        plan = json.loads(capsys.readouterr().out.splitlines()[0])
        assert (plan["removed"], plan["added"]) == ([str(OLD.recipient)], [str(NEW.recipient)])

    def test_without_a_terminal_it_is_said_and_goes_on(self, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert code(*REWRAP, "-i", "old") == 0
        assert f"Will no longer open: {fingerprint(OLD.recipient)}" in capsys.readouterr().err

    @pytest.mark.parametrize(("answer", "expected"), [("yes\n", 0), ("\n", 2), ("", 2)])
    def test_at_a_terminal_it_is_asked(
        self, site: Path, monkeypatch: pytest.MonkeyPatch, answer: str, expected: int
    ) -> None:
        monkeypatch.setattr(Output, "interactive", property(lambda _self: True))
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        assert code(*REWRAP, "-i", "old", "-q") == expected
        assert bool(list(Path("vault").rglob("statements/0001.json"))) == (expected == 0)

    def test_where_nobody_is_removed_it_is_not_asked(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Output, "interactive", property(lambda _self: True))
        assert code(*REWRAP, "-r", "old.pub", "-i", "old", "-q") == 0


class TestAnotherSigner:
    """A rewrap is signed by a key of its own, as docs/keys.md advises."""

    def lines(self, *files: str) -> str:
        return "".join(f"{file}@dakar {Path(f'{file}.pub').read_text()}" for file in files)

    def test_once_named_it_stays_known_whoever_signs_next(self, site: Path) -> None:
        assert code("keys", "signer", "-o", "other", "-q") == 0
        Path("signers").write_text(self.lines("signer", "other"))
        vault = f"vault/{DATASET}"
        rewrap = ("rewrap", vault, "-r", "new.pub", "-i", "old", "--signer", "other", "--signers", "signers", "-q")
        assert code("prove", vault, "b", "-i", "old", "-o", "proof", "-q") in {0, 3}
        assert code(*rewrap) == 0
        shutil.rmtree("state")
        assert code("verify", vault, "-q") == 3
        assert code("verify", vault, "--signers", "signers", "-q") == 0
        assert code("verify", vault, "-q") == 0
        assert code("prove", "--check", "proof", "-q") == 0
        assert code("rewrap", vault, "-r", "old.pub", "-i", "new", "--signer", "signer", "-q") == 0
        assert code("verify", vault, "-q") == 0
        assert code("ls", vault, "-i", "old", "-q") == 0

    def test_adopting_such_a_chain_asks_for_the_signers_and_prints_all_of_them(
        self, site: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert code("keys", "signer", "-o", "other", "-q") == 0
        Path("signers").write_text(self.lines("other"))
        vault = f"vault/{DATASET}"
        Path("both").write_text(self.lines("signer", "other"))
        assert code("rewrap", vault, "-r", "new.pub", "-i", "old", "--signer", "other", "--signers", "both", "-q") == 0
        shutil.rmtree("state")
        assert code("adopt", vault, "-i", "new", "--signers", "signers") == 0
        told = capsys.readouterr().err
        assert "other@dakar" in told
        assert "OLD-MACHINE" not in told
        assert code("verify", vault, "-q") == 0


def test_where_damage_is_known_it_does_not_begin(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volume = min(Path("vault").rglob("vol-000001.tar.age"))
    whole = volume.read_bytes()
    volume.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    Path("signers").write_text(f"senum@dakar {Path('signer.pub').read_text()}")
    verified = ("verify", f"vault/{DATASET}", "--signers", "signers", "-q")
    assert code(*verified) == 1
    before = {file: file.read_bytes() for file in Path("vault").rglob("*") if file.is_file()}
    capsys.readouterr()
    for arguments in (("--dry-run",), ()):
        assert code(*REWRAP, "-i", "old", *arguments) == 1
        told = " ".join(capsys.readouterr().err.split())
        assert "found 1 damaged file at the target" in told
        assert "Nothing was changed" in told
    assert {file: file.read_bytes() for file in Path("vault").rglob("*") if file.is_file()} == before
    volume.write_bytes(whole)
    assert code(*verified) == 0
    assert code(*REWRAP, "-i", "old", "-q") == 0


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


def test_asked_to_stop_it_ends_soon_with_code_8_and_goes_on(
    site: Path, pristine: tuple[Path, DatasetMaker], capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = rewrap_killed_at(site, 60, "state", signal.SIGTERM)
    assert stopped.returncode == 8, stopped.stderr
    assert verify(LocalStore(site / "vault"), trust_in(pristine[1].signer)).code == 3
    capsys.readouterr()
    assert code("bundles", str(site / "vault")) == 0
    assert "Its recipients are being changed" in capsys.readouterr().err
    assert code(*REWRAP, "-i", "old", "-q") == 0
    assert code("verify", f"vault/{DATASET}", "--deep", "-i", "new", "-q") == 0
