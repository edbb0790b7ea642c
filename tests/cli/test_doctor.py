"""What doctor sees of a target on a network: that it keeps what it is given, and who may delete there."""

import shutil
from pathlib import Path

import pytest

from repatria.cli.checks import State
from repatria.cli.dataset_checks import PROBE, dataset_checks
from repatria.crypt.identity import generate
from repatria.errors import RefusedError
from repatria.manifest import load_manifest
from repatria.settings import Settings
from repatria.store.memory import MemoryStore
from repatria.store.registry import open_store
from repatria.store.room import room_at
from repatria.work.state import Remembered, StateFolder
from tests.cli.making import code, make_site
from tests.servers import Server


def target_states(folder: Path, target: str, endpoint: str | None, profile: str | None) -> dict[str, State]:
    """Return how doctor finds the target and the rights there, by the name of the check."""
    (folder / "source").mkdir(exist_ok=True)
    settings = f'endpoint = "{endpoint}"\n' if endpoint else ""
    settings += f'profile = "{profile}"\n' if profile else ""
    file = folder / "m.toml"
    file.write_text(
        f'id = "m"\n[[source]]\nuri = "source"\n[target]\nuri = "{target}"\n{settings}'
        f'[encryption]\nrecipients = ["{generate(classic=True).recipient}"]\n',
        encoding="utf-8",
    )
    checks = dataset_checks(load_manifest(file), Settings(state=folder / "state"))
    return {check.name: check.state for check in checks if check.name in {"target", "rights"}}


@pytest.mark.parametrize("name", ["moto_s3", "rclone_s3"])
def test_a_bucket_where_this_machine_may_delete_is_warned_of_and_left_clean(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    server: Server = request.getfixturevalue(name)
    server.use(monkeypatch)
    target = server.new_place()
    for _time in range(2):
        states = target_states(tmp_path, target, server.endpoint, server.profile)
        assert states == {"target": State.OK, "rights": State.WARNING}
    assert list(open_store(target, endpoint=server.endpoint, profile=server.profile).list()) == []


def test_an_sftp_target(tmp_path: Path, sshd: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    sshd.use(monkeypatch)
    assert target_states(tmp_path, sshd.new_place(), None, None) == {"target": State.OK}


def test_where_nothing_may_be_deleted_one_file_stays_and_serves_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(store: MemoryStore, path: str) -> None:
        raise RefusedError(path, role=store.role)

    monkeypatch.setattr(MemoryStore, "delete", refuse)
    target = f"memory://{tmp_path.name}"
    for _time in range(2):
        assert target_states(tmp_path, target, None, None) == {"target": State.OK, "rights": State.OK}
    assert [kept.path for kept in open_store(target).list()] == [PROBE]


def test_a_target_that_keeps_other_bytes_is_a_problem(tmp_path: Path) -> None:
    target = f"memory://{tmp_path.name}"
    open_store(target).put(PROBE, [b"other"], 5)
    assert target_states(tmp_path, target, None, None) == {"target": State.PROBLEM}


def test_an_sftp_target_tells_its_room(tmp_path: Path, sshd: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    sshd.use(monkeypatch)
    store = open_store(sshd.new_place())
    store.put("a", [b"a"], 1)
    room = room_at(store)
    assert room is not None
    assert room > 0
    store.close()


@pytest.mark.parametrize(("free", "warned"), [(1 << 10, True), (1 << 40, False)])
def test_a_target_without_room_for_the_next_copy_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, *, warned: bool
) -> None:
    monkeypatch.setattr("repatria.store.room.room_at", lambda _store: free)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a").write_bytes(bytes(5000))
    file = tmp_path / "m.toml"
    file.write_text(
        'id = "m"\n[[source]]\nuri = "source"\n[target]\nuri = "vault"\n'
        f'[encryption]\nrecipients = ["{generate(classic=True).recipient}"]\n',
        encoding="utf-8",
    )
    found = [
        each.state for each in dataset_checks(load_manifest(file), Settings(state=tmp_path)) if each.name == "space"
    ]
    assert found == ([State.WARNING] if warned else [])


def chain_states(folder: Path) -> list[tuple[State, str]]:
    manifest, settings = load_manifest(folder / "d.toml"), Settings(state=folder / "state")
    return [
        (each.state, each.seen + each.advice) for each in dataset_checks(manifest, settings) if each.name == "chain"
    ]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    site = make_site(tmp_path, monkeypatch, capsys, {"a": b"1"})
    assert chain_states(site) == []
    assert code("copy", "d.toml", "-q") == 0
    return site


def test_a_chain_that_this_machine_knows_is_ready(copied: Path) -> None:
    assert [state for state, _told in chain_states(copied)] == [State.OK]


def test_a_chain_that_this_machine_does_not_know_is_to_be_adopted(copied: Path) -> None:
    shutil.rmtree(copied / "state")
    ((state, told),) = chain_states(copied)
    assert state is State.PROBLEM
    assert "repatria adopt d" in told


def test_recipients_that_differ_from_the_chain_are_told(copied: Path) -> None:
    assert code("keys", "new", "-o", "new", "-q") == 0
    new = (copied / "new.pub").read_text().split()[-1]
    manifest = (copied / "d.toml").read_text()
    (copied / "d.toml").write_text(manifest.replace("key.pub", "new.pub"))
    ((state, told),) = chain_states(copied)
    assert state is State.WARNING
    (copied / "d.toml").write_text(manifest)
    assert code("rewrap", "d", "-i", "key", "-r", "new.pub", "--signer", "state/signer", "-q") == 0
    ((state, told),) = chain_states(copied)
    assert state is State.PROBLEM
    assert f'"{new}",' in told
    assert code("copy", "d.toml", "-q") == 2


def test_a_signing_key_that_the_manifest_does_not_name_is_told(tmp_path: Path) -> None:
    for folder in ("manifests", "keys", "source"):
        (tmp_path / folder).mkdir()
    (tmp_path / "keys/signer").write_text("a key")
    file = tmp_path / "manifests/m.toml"
    file.write_text(
        'id = "m"\n[[source]]\nuri = "../source"\n[target]\nuri = "../vault"\n'
        f'[encryption]\nrecipients = ["{generate(classic=True).recipient}"]\n',
        encoding="utf-8",
    )
    found = {each.name: each for each in dataset_checks(load_manifest(file), Settings(state=tmp_path / "state"))}
    assert found["signer"].state is State.WARNING
    assert 'signer = "../keys/signer"' in found["signer"].advice
    StateFolder(tmp_path / "state").remember("m", Remembered("SHA256:x", "20260101T000000Z-aaaaaa", "00"))
    found = {each.name: each for each in dataset_checks(load_manifest(file), Settings(state=tmp_path / "state"))}
    assert found["signer"].state is State.OK, "who signs this dataset is settled"


def test_a_target_that_fails_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "source").mkdir()
    file = tmp_path / "m.toml"
    file.write_text(
        'id = "m"\n[[source]]\nuri = "source"\n[target]\nuri = "s3://b/x"\nprofile = "nobody"\n'
        f'[encryption]\nrecipients = ["{generate(classic=True).recipient}"]\n',
        encoding="utf-8",
    )
    found = list(dataset_checks(load_manifest(file), Settings(state=tmp_path / "state")))
    assert [each.name for each in found if each.state is State.PROBLEM] == ["target"]
