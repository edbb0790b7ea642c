"""A machine that was replaced, or a state folder that was lost: another takes over."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from repatria.bundle.chain import Chain
from repatria.crypt.identity import load_identities
from repatria.errors import RefusedError
from repatria.store.base import Store
from repatria.store.local import LocalStore
from repatria.verify.first_sight import FirstSight
from repatria.verify.trust import Trust
from repatria.work import publishing
from repatria.work.index_range import Limits
from tests.cli.making import code, make_site
from tests.migrate.making import noise, write
from tests.work.making import MIB

FILES = {f"dossiers/{number}": noise(400_000 + number) for number in range(12)}
CUT_OFF = 6
"""Volumes after which the first machine is gone; its indexes cover two each."""


class GoneError(BaseException):
    """The machine is gone; no handler of the program may catch it."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.setattr(publishing, "LIMITS", Limits(volumes=2, objects=10_000, pages=10, row_bytes=1 << 20))
    folder = make_site(tmp_path, monkeypatch, capsys, FILES)
    with (folder / "d.toml").open("a") as manifest:
        manifest.write('[transfer]\nvolume_size = "1MiB"\n')
    return folder


def cut_off(monkeypatch: pytest.MonkeyPatch, ends: Callable[[str], bool], workers: str = "1") -> None:
    """Copy until a file is put of which `ends` says so, then be gone: as by a power cut that nobody comes back from."""
    put = LocalStore.put

    def until_the_end(store: LocalStore, path: str, *rest: object, **more: object) -> None:
        if ends(path):
            raise GoneError
        put(store, path, *rest, **more)  # type: ignore[arg-type]  # as they came

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put", until_the_end)
        patch.setattr("repatria.work.lease.Lease._end", lambda _self: None)
        with pytest.raises(GoneError):
            code("copy", "d.toml", "--workers", workers, "-q")
    for lease in Path("vault").rglob("leases/*"):  # 40 minutes later
        lease.unlink()


def lose_state(folder: Path) -> None:
    shutil.rmtree(folder / "state")


def at_volume(number: int) -> Callable[[str], bool]:
    """End when a volume is put and the indexes of those before it are signed, which happens beside the sending."""

    def is_reached(path: str) -> bool:
        if not path.endswith(f"vol-{number:06d}.tar.age"):
            return False
        signed = f"vault/d/*/checkpoints/{(number - 1) // 2:04d}.json.sig"
        deadline = time.monotonic() + 60
        while not any(Path().glob(signed)):
            assert time.monotonic() < deadline, "no index was signed"
            time.sleep(0.01)
        return True

    return is_reached


def standing(folder: Path) -> dict[str, bytes]:
    chain = Chain.load(LocalStore(folder / "vault"), "d", identities=load_identities(folder / "key", None))
    try:
        return {row.path: b"".join(owner.read_object(row)) for owner, row in chain.objects()}
    finally:
        chain.close()


def copied(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """Copy, and return what the copy says of itself."""
    capsys.readouterr()
    assert code("copy", "d.toml", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return next(line for line in lines if line["type"] == "copied")


def test_with_a_key_the_unfinished_bundle_goes_on(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off(monkeypatch, at_volume(CUT_OFF))
    before = {file: file.stat().st_mtime_ns for file in site.glob("vault/d/*/data/vol-*")}
    lose_state(site)
    assert code("adopt", "d.toml", "-i", "key") == 0
    said = capsys.readouterr()
    assert "goes on: 4 volumes" in said.out
    assert "1 volume " in said.out, "one came after the last signature"
    assert "Nobody vouched for the key" in said.err
    result = copied(capsys)
    taken = result["before"]
    assert isinstance(taken, dict)
    assert (taken["volumes"], result["objects"]) == (4, len(FILES) - taken["objects"])
    assert result["bytes"] == sum(map(len, FILES.values())) - taken["bytes"], "only what was missing is fetched"
    assert standing(site) == FILES
    assert code("verify", "d", "--deep", "-i", "key") == 0
    assert len(list(site.glob("vault/d/*/statement.json"))) == 1
    assert all(file.stat().st_mtime_ns == moment for file, moment in before.items())


def test_without_a_key_everything_is_sent_again_once_that_is_accepted(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code("copy", "d.toml", "-q") == 0
    (site / "abroad/dossiers/0").unlink()
    write(site / "abroad", {"new": b"new"})
    cut_off(monkeypatch, lambda path: path.endswith("index-0001.db.age"))
    lose_state(site)
    assert code("copy", "d.toml", "-q") == 2, "no second chain is begun beside the first"
    assert "repatria adopt d" in capsys.readouterr().err
    assert code("adopt", "d.toml") == 2
    said = capsys.readouterr().err
    assert "sends everything again" in said
    assert "12 objects" in said
    assert "is lost: 1 volume" in said
    assert not (site / "state/datasets/d/trust.json").exists()
    assert code("adopt", "d.toml", "--anew") == 0
    result = copied(capsys)
    assert result["objects"] == len(FILES)
    expected = {**FILES, "new": b"new"}
    del expected["dossiers/0"]
    assert standing(site) == expected, "what is gone from the source no longer stands"
    assert code("verify", "d", "--deep", "-i", "key") == 3, "the first bundle has another signer"
    assert copied(capsys)["unchanged"] == len(FILES), "the new bundle is the ground of the next"


def test_a_finished_chain_of_two_bundles_is_known_again(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("copy", "d.toml", "-q") == 0
    write(site / "abroad", {"dossiers/1": b"changed", "new": b"new"})
    (site / "abroad/dossiers/2").unlink()
    assert code("copy", "d.toml", "-q") == 0
    signer = [(file, file.read_bytes()) for file in (site / "state").glob("signer*")]
    lose_state(site)
    (site / "state").mkdir()
    for file, data in signer:
        file.write_bytes(data)
        file.chmod(0o600)
    assert code("adopt", "d.toml", "-i", "key") == 0
    said = capsys.readouterr()
    assert "12 objects are known again" in said.out
    assert "vouched" not in said.err
    assert "another" not in said.err
    result = copied(capsys)
    assert (result["bundle"], result["unchanged"]) == (None, 12)
    write(site / "abroad", {"third": b"3"})
    (site / "abroad/new").unlink()
    result = copied(capsys)
    assert (result["objects"], result["gone"]) == (1, 1)
    assert code("verify", "d", "--deep", "-i", "key") == 0


def test_a_bundle_that_lacks_only_its_last_file_is_finished(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off(monkeypatch, lambda path: path.endswith("tagmanifest-sha256.txt"))
    lose_state(site)
    assert code("adopt", "d.toml", "-i", "key") == 0
    assert copied(capsys)["bundle"] is None
    assert code("verify", "d", "--deep", "-i", "key") == 0


@pytest.mark.parametrize(
    "file",
    ["index-0002.db.age", "checkpoints/0002.json", "checkpoints/0002.json.sig", "bagit.txt", "statement.json"],
)
def test_whichever_file_the_machine_ended_at(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    cut_off(monkeypatch, lambda path: path.endswith(file))
    lose_state(site)
    assert code("adopt", "d.toml", "-i", "key") == 0
    copied(capsys)
    assert standing(site) == FILES
    assert code("verify", "d", "--deep", "-i", "key") == 0
    assert len(list(site.glob("vault/d/2*"))) == 1


def test_where_nothing_may_be_removed_what_is_in_the_way_makes_it_begin_anew(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def kept(_store: Store, path: str) -> None:
        raise RefusedError(f"{path} is kept")

    cut_off(monkeypatch, lambda path: path.endswith("checkpoints/0002.json"))
    lose_state(site)
    monkeypatch.setattr(LocalStore, "delete", kept)
    assert code("adopt", "d.toml", "-i", "key") == 0
    assert "cannot be gone on with" in capsys.readouterr().out
    copied(capsys)
    assert standing(site) == FILES
    assert code("verify", "d", "--deep", "-i", "key") == 0
    assert len(list(site.glob("vault/d/2*"))) == 2


def test_a_checkpoint_that_was_tampered_with_is_where_trust_ends(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off(monkeypatch, at_volume(CUT_OFF))
    lose_state(site)
    (second,) = site.glob("vault/d/*/checkpoints/0002.json")
    second.write_bytes(second.read_bytes().replace(b'"next":', b'"next": '))
    assert code("adopt", "d.toml", "-i", "key") == 0
    assert "goes on: 2 volumes" in capsys.readouterr().out
    copied(capsys)
    assert standing(site) == FILES
    assert code("verify", "d", "--deep", "-i", "key") == 0


def test_a_foreign_signature_is_not_followed(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off(monkeypatch, at_volume(CUT_OFF))
    lose_state(site)
    assert code("keys", "signer", "-o", "other", "--name", "known@ministere", "-q") == 0
    line = capsys.readouterr().out.strip().splitlines()[-1]
    (site / "allowed").write_text(f"{line}\n")
    assert code("adopt", "d.toml", "-i", "key", "--signers", "allowed") == 0
    assert "cannot be gone on with" in capsys.readouterr().out
    assert copied(capsys)["objects"] == len(FILES)


def test_a_finished_chain_of_a_foreign_signer_is_refused(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("copy", "d.toml", "-q") == 0
    lose_state(site)
    assert code("keys", "signer", "-o", "other", "--name", "known@ministere", "-q") == 0
    line = capsys.readouterr().out.strip().splitlines()[-1]
    (site / "allowed").write_text(f"{line}\n")
    assert code("adopt", "d.toml", "-i", "key", "--signers", "allowed") == 3
    assert "Nothing was adopted." in capsys.readouterr().err
    assert not (site / "state/datasets/d/trust.json").exists()


def test_a_volume_that_is_gone_from_the_target_is_not_believed_to_be_there(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off(monkeypatch, at_volume(CUT_OFF))
    lose_state(site)
    next(site.glob("vault/d/*/data/vol-000003.tar.age")).unlink()
    assert code("adopt", "d.toml", "-i", "key") == 0
    assert "data/vol-000003.tar.age is not there as it was signed" in " ".join(capsys.readouterr().out.split())
    copied(capsys)
    assert standing(site) == FILES


def test_a_machine_that_knows_the_dataset_has_nothing_to_adopt(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("copy", "d.toml", "-q") == 0
    assert code("adopt", "d", "-i", "key") == 0
    assert "knows d as it is at the target" in capsys.readouterr().out


def test_the_wrong_key_changes_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("copy", "d.toml", "-q") == 0
    lose_state(site)
    assert code("keys", "new", "-o", "wrong", "-q") == 0
    assert code("adopt", "d.toml", "-i", "wrong") == 6
    assert code("copy", "d.toml", "-q") == 2
    assert "repatria adopt d" in capsys.readouterr().err


def test_ctrl_c_at_the_question_ends_it_at_once(site: Path) -> None:
    assert code("copy", "d.toml", "-q") == 0
    lose_state(site)
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "repatria", "adopt", "d.toml"]
    environment = {**os.environ, "REPATRIA_LANG": "en"}
    with subprocess.Popen(command, env=environment, stdin=its_end, stdout=its_end, stderr=its_end) as program:
        os.close(its_end)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(terminal, 4096)
        program.send_signal(signal.SIGINT)
        with suppress(OSError):  # the terminal's other end was closed
            while True:
                said += os.read(terminal, 4096)
    os.close(terminal)
    assert program.returncode == 130
    assert b"Interrupted. Nothing is lost" in said
    assert b"broken off" not in said


def test_an_empty_target_has_nothing_to_adopt(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("adopt", "d.toml", "-i", "key") == 2
    assert "no bundle of d at the target" in capsys.readouterr().err


def test_a_dataset_is_adopted_from_its_address_alone(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("copy", "d.toml", "-q") == 0
    lose_state(site)
    assert code("adopt", f"file://{site}/vault/d", "-i", "key") == 0
    assert "12 objects are known again" in capsys.readouterr().out
    assert copied(capsys)["bundle"] is None


LARGE = noise(9 * MIB + 5)


def lose_machine_within_large_object(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(site / "abroad", {"base.sql": LARGE, "a/b": b"x"})
    cut_off(monkeypatch, at_volume(10), workers="2")
    lose_state(site)


def test_a_large_object_goes_on_after_the_parts_that_were_signed_for(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lose_machine_within_large_object(site, monkeypatch)
    assert code("adopt", "d.toml", "-i", "key") == 0
    assert "1 object of which only parts had arrived goes on after these." in capsys.readouterr().out
    asked: list[int] = []
    read = LocalStore.read

    def counted(store: LocalStore, path: str, start: int = 0, *rest: object, **more: object) -> object:
        if path == "base.sql":
            asked.append(start)
        return read(store, path, start, *rest, **more)  # type: ignore[arg-type]  # as they came

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "read", counted)
        copied(capsys)
    assert min(asked) > 2 * MIB, "what was proven is not fetched again"
    assert standing(site) == {**FILES, "base.sql": LARGE, "a/b": b"x"}
    assert code("verify", "d", "--deep", "-i", "key") == 0


def test_a_large_object_that_changed_meanwhile_begins_again_under_a_name_of_its_own(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lose_machine_within_large_object(site, monkeypatch)
    assert code("adopt", "d.toml", "-i", "key") == 0
    changed = LARGE[::-1]
    write(site / "abroad", {"base.sql": changed})
    copied(capsys)
    assert standing(site) == {**FILES, "base.sql": changed, "a/b": b"x"}
    assert code("verify", "d", "--deep", "-i", "key") == 0


def test_parts_that_do_not_tell_their_version_are_sent_again(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("repatria.bundle.volume.part_comment", lambda _told: b"")
    lose_machine_within_large_object(site, monkeypatch)
    assert code("adopt", "d.toml", "-i", "key") == 0
    assert "1 object of which only parts had arrived begins again" in capsys.readouterr().out
    copied(capsys)
    assert standing(site) == {**FILES, "base.sql": LARGE, "a/b": b"x"}
    assert code("verify", "d", "--deep", "-i", "key") == 0


def damage(site: Path, name: str, where: float = 0.5) -> None:
    """Change one byte of a file, at this share of its length."""
    (file,) = site.glob(f"vault/d/*/{name}")
    data = bytearray(file.read_bytes())
    data[int(len(data) * where)] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)


@pytest.mark.parametrize("where", [0.1, 0.5], ids=["header of a part", "bytes of a part"])
@pytest.mark.parametrize("number", [6, 8], ids=["in the middle", "at the end"])
def test_a_large_object_of_which_a_part_is_damaged_begins_again(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, where: float
) -> None:
    lose_machine_within_large_object(site, monkeypatch)
    damage(site, f"data/vol-{number:06d}.tar.age", where)
    assert code("adopt", "d.toml", "-i", "key") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 object of which only parts had arrived begins again" in said
    assert f"data/vol-{number:06d}.tar.age is damaged at the target" in said
    copied(capsys)
    assert standing(site) == {**FILES, "base.sql": LARGE, "a/b": b"x"}


@pytest.mark.parametrize("where", [0.01, 0.3, 0.99])
def test_a_damaged_index_is_named_and_the_next_copy_begins_anew(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: float
) -> None:
    cut_off(monkeypatch, at_volume(CUT_OFF))
    lose_state(site)
    damage(site, "data/index-0002.db.age", where)
    assert code("adopt", "d.toml", "-i", "key") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "cannot be gone on with: data/index-0002.db.age is damaged" in said
    assert copied(capsys)["objects"] == len(FILES)
    assert standing(site) == FILES
    assert code("verify", "d", "--deep", "-i", "key") == 0


def test_a_second_key_is_not_taken_at_first_sight(site: Path) -> None:
    from repatria.crypt.sshsig import Signer

    sight = FirstSight(Trust())
    first, second = Signer.generate().key, Signer.generate().key
    assert sight.knows(first)
    assert sight.knows(first)
    assert not sight.knows(second)
