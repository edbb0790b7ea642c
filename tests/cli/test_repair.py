"""Volumes that rotted away, and whose objects are still at the source: they are sent again."""

import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from repatria.model import FindingKind
from repatria.store.base import Reading
from repatria.store.local import LocalStore
from repatria.work.searched import Searched
from tests.bundle.making import refuse_volume
from tests.cli.making import code, make_site
from tests.migrate.making import noise, write
from tests.work.making import MIB

FILES = {f"{number}": noise(MIB - 70_000 + number) for number in range(4)}
"""One to a volume."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = make_site(tmp_path, monkeypatch, capsys, FILES)
    with (folder / "d.toml").open("a") as manifest:
        manifest.write('[transfer]\nvolume_size = "1MiB"\n')
    assert code("copy", "d.toml", "--workers", "1", "-q") == 0
    capsys.readouterr()
    return folder


def volume(site: Path, number: int) -> Path:
    return next(site.glob(f"vault/d/*/data/vol-{number:06d}.tar.age"))


def volume_of(site: Path, bundle: str) -> Path:
    return site / "vault" / "d" / bundle / "data" / "vol-000001.tar.age"


def rot(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def repaired(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    """Repair, and return what the copy says of itself."""
    capsys.readouterr()
    assert code("copy", "d.toml", "--repair", "d", "--json", *arguments) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return next(line for line in lines if line["type"] == "copied")


def restored(site: Path, name: str) -> dict[str, bytes]:
    assert code("restore", "d", name, "-i", "key", "-q") == 0
    return {str(file.relative_to(site / name)): file.read_bytes() for file in (site / name).rglob("*")}


def test_with_a_key_only_what_lies_in_the_damaged_volume_is_sent_again(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rot(volume(site, 2))
    assert code("verify", "d", "-q") == 1
    first = next(iter(site.glob("vault/d/2*"))).name
    result = repaired(capsys, "-i", "key")
    assert (result["objects"], result["unchanged"]) == (1, 3)
    assert restored(site, "whole") == FILES
    capsys.readouterr()
    assert code("verify", "d") == 1, "the old bundle is still damaged, and says so"
    assert f"{first}/data/vol-000002.tar.age" in capsys.readouterr().err
    newest = max(site.glob("vault/d/2*")).name
    assert code("verify", f"d@{newest}", "--only", "--deep", "-i", "key", "-q") == 0


def test_after_a_repair_it_is_said_that_the_dataset_is_whole(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rot(volume(site, 2))
    first = next(iter(site.glob("vault/d/2*"))).name
    assert code("verify", "d") == 1
    assert f"repatria copy d --repair d@{first}" in capsys.readouterr().err
    repaired(capsys, "-i", "key")
    latest = max(site.glob("vault/d/2*")).name
    assert code("verify", "d") == 1, "a damaged bundle is never intact"
    said = capsys.readouterr().err
    assert f"d as it stands is whole all the same: what the source still had of {first} was sent again" in said
    assert f"repatria verify d@{latest} --only" in said
    assert code("verify", f"d@{first}") == 1
    assert "is whole" not in capsys.readouterr().err, "without the bundles that it was sent into, nobody can tell"
    assert code("verify", f"d@{latest}", "--only", "-q") == 0


@pytest.mark.parametrize("key", [("-i", "key"), ()])
def test_a_deep_verification_after_a_repair(
    site: Path, key: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    rot(volume(site, 2))
    repaired(capsys, *key)
    assert code("verify", "d", "--deep", "-i", "key") == 1
    told = capsys.readouterr()
    assert "--repair" not in told.err
    assert "Every object that stands was decrypted and compared. d as it stands is whole all the same" in told.err
    assert "NOT INTACT: d: files: 1 altered; objects: 1 altered. Decrypted, compared and intact:" in told.out
    assert code("status", "--json") == 0
    (line,) = [json.loads(each) for each in capsys.readouterr().out.splitlines() if '"type": "status"' in each]
    assert (line["damaged"], line["damaged_objects"]) == (1, 1)


def test_a_deep_verification_of_what_rotted_after_a_repair(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rot(volume(site, 2))
    first = next(iter(site.glob("vault/d/2*"))).name
    repaired(capsys, "-i", "key")
    rot(next(site.glob(f"vault/d/{first}/data/vol-000003.tar.age")))
    assert code("verify", "d", "--deep", "-i", "key") == 1
    said = capsys.readouterr().err
    assert "is whole" not in said
    assert f"repatria copy d --repair d@{first}" in said


def test_what_rots_after_a_repair_is_to_be_repaired_again(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rot(volume(site, 2))
    first = next(iter(site.glob("vault/d/2*"))).name
    repaired(capsys, "-i", "key")
    rot(next(site.glob(f"vault/d/{first}/data/vol-000003.tar.age")))
    for once in range(2):
        assert code("verify", "d") == 1
        said = capsys.readouterr().err
        assert "is whole" not in said
        assert f"repatria copy d --repair d@{first}" in said, once
    assert code("copy", "d.toml", "--repair", f"d@{first}", "-i", "key", "-q") == 0
    capsys.readouterr()
    assert code("verify", "d") == 1
    assert "d as it stands is whole all the same" in capsys.readouterr().err
    assert restored(site, "whole") == FILES


def test_a_repair_without_a_key_covers_what_rots_later(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rot(volume(site, 2))
    first = next(iter(site.glob("vault/d/2*"))).name
    repaired(capsys)
    rot(next(site.glob(f"vault/d/{first}/data/vol-000003.tar.age")))
    assert code("verify", "d") == 1
    assert "d as it stands is whole all the same" in capsys.readouterr().err
    assert restored(site, "whole") == FILES
    rot(next(site.glob(f"vault/d/{first}/data/index-0001.db.age")))
    assert code("verify", "d") == 1
    said = capsys.readouterr().err
    assert "is whole" not in said, "without the index the chain cannot be read"
    assert "An index is damaged" in said
    assert f"What still stands of {first} was sent again" in said
    latest = max(site.glob("vault/d/2*")).name
    assert code("restore", "d", "no", "-i", "key", "-q") == 6
    assert code("restore", f"d@{latest}", "alone", "--only", "-i", "key", "-q") == 0


def test_without_a_key_the_whole_bundle_counts(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volume(site, 3).unlink()
    write(site / "abroad", {"later": b"later"})
    assert code("copy", "d.toml", "--repair", "d") == 0
    said = capsys.readouterr().err
    assert "Damaged: " in said
    assert "4 objects" in said
    assert "only a key can tell" in said
    assert restored(site, "whole") == {**FILES, "later": b"later"}


def test_a_damaged_index_counts_as_the_whole_bundle(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rot(next(site.glob("vault/d/*/data/index-0001.db.age")))
    assert repaired(capsys, "-i", "key")["objects"] == 4


def test_what_has_gone_or_changed_at_the_source_since_is_treated_as_ever(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rot(volume(site, 1))
    rot(volume(site, 2))
    (site / "abroad/0").unlink()
    write(site / "abroad", {"1": b"changed"})
    result = repaired(capsys, "-i", "key")
    assert (result["objects"], result["gone"]) == (1, 1)
    assert restored(site, "now") == {"1": b"changed", "2": FILES["2"], "3": FILES["3"]}


def test_a_bundle_without_damage_is_copied_after_as_ever(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("copy", "d.toml", "--repair", "d") == 0
    said = capsys.readouterr()
    assert "is damaged" in said.err
    assert "Nothing new" in said.out


def test_what_is_repaired_is_not_sent_a_third_time(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rot(volume(site, 2))
    first = next(iter(site.glob("vault/d/2*"))).name
    assert repaired(capsys, "-i", "key")["objects"] == 1
    assert code("copy", "d.toml", "--repair", f"d@{first}", "-i", "key") == 0
    said = capsys.readouterr()
    assert "Nothing new" in said.out


def test_a_manifest_that_was_altered_tells_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = next(site.glob("vault/d/*/manifest-sha256.txt"))
    manifest.write_bytes(manifest.read_bytes().replace(b"vol-000001", b"vol-000009"))
    assert code("copy", "d.toml", "--repair", "d") == 3
    assert "not the one that was signed" in capsys.readouterr().err


def test_a_key_is_for_a_repair_alone(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert site
    assert code("copy", "d.toml", "-i", "key") == 2
    assert "needs no private key" in capsys.readouterr().err


def test_without_a_damaged_index_the_chain_is_read_again_once_all_was_sent_again(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rot(next(site.glob("vault/d/*/data/index-0001.db.age")))
    assert code("restore", "d", "home", "-i", "key") == 6
    assert code("verify", "d") == 1
    assert "repatria adopt d --anew" in capsys.readouterr().err
    assert code("adopt", "d", "--anew") == 0
    assert code("copy", "d.toml", "-q") == 0
    assert restored(site, "whole") == FILES
    assert code("ls", "d", "-i", "key", "-q") == 0
    latest = max(site.glob("vault/d/2*")).name
    capsys.readouterr()
    assert code("verify", "d") == 1, "a damaged bundle is never intact"
    assert f"d as it stands is whole all the same: {latest} holds all of it again" in capsys.readouterr().err
    rot(volume_of(site, latest))
    assert code("verify", "d") == 1
    said = capsys.readouterr().err
    assert "is whole" not in said
    assert f"repatria copy d --repair d@{latest}" in said


def test_a_search_that_is_stopped_ends_soon_and_goes_on_where_it_ended(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rot(volume(site, 2))
    read, note = LocalStore.read, Searched.note
    given_up = time.monotonic() + 5.0

    def slowly(reading: Reading) -> Iterator[bytes]:
        """Give a file so slowly that only a stop ends it in time."""
        while time.monotonic() < given_up:
            yield b""
            time.sleep(0.01)
        yield from reading.chunks

    def read_slowly(store: LocalStore, path: str, start: int = 0, length: int | None = None, **more: str) -> Reading:
        reading = read(store, path, start, length, **more)
        is_slow = "/data/" in path and "vol-000001" not in path
        return Reading(reading.object, slowly(reading)) if is_slow else reading

    def note_and_stop(*noted: object) -> None:
        note(*noted)  # type: ignore[arg-type]  # as it was called
        os.kill(os.getpid(), signal.SIGTERM)

    capsys.readouterr()
    with monkeypatch.context() as stopping:
        stopping.setattr(LocalStore, "read", read_slowly)
        stopping.setattr(Searched, "note", note_and_stop)
        assert code("copy", "d.toml", "--repair", "d", "-i", "key") == 8
    said = capsys.readouterr().err
    assert "Stopped. Nothing is lost" in said
    assert "broken off" not in said
    assert len((site / "state/datasets/d/repair.read").read_text().splitlines()) == 1, "the others were not waited for"
    rot(volume(site, 1))
    assert repaired(capsys, "-i", "key")["objects"] == 1, "volume 1 was right when it was read"
    assert code("copy", "d.toml", "--repair", f"d@{min(site.glob('vault/d/2*')).name}", "-i", "key") == 0
    said = capsys.readouterr().err
    assert "read before" not in said, "a copy that came to its end forgets the search"
    assert restored(site, "whole") == FILES


def test_what_an_earlier_search_read_is_told(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rot(volume(site, 2))
    bundle = next(site.glob("vault/d/2*"))
    lines = bundle.joinpath("manifest-sha256.txt").read_bytes()
    searched = Searched(site / "state/datasets/d")
    searched.note(hashlib.sha256(lines).hexdigest(), "data/vol-000001.tar.age", FindingKind.INTACT)
    assert code("copy", "d.toml", "--repair", "d", "-i", "key") == 0
    assert f"1 file of {bundle.name} was read before" in capsys.readouterr().err


@pytest.mark.parametrize("is_rotten", [False, True])
def test_a_volume_that_the_store_refuses_to_give_is_not_called_damaged(
    site: Path, is_rotten: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if is_rotten:
        rot(volume(site, 3))
    refuse_volume(monkeypatch, 2)
    capsys.readouterr()
    assert code("copy", "d.toml", "--repair", "d", "-i", "key", "--json") == 3
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (finding,) = [line for line in told if line["type"] == "finding"]
    assert (finding["kind"], finding["subject"][-23:]) == ("unverifiable", "data/vol-000002.tar.age")
    assert [line["objects"] for line in told if line["type"] == "repair"] == ([1] if is_rotten else [])


def test_a_part_that_is_intact_does_not_make_known_damage_forgotten(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = volume(site, 2)
    rot(damaged)
    assert code("verify", "d", "-q") == 1
    assert code("copy", "d.toml", "--repair", "d", "-i", "key", "-q") == 0
    latest = max(site.glob("vault/d/2*")).name
    assert code("verify", "d", "-q") == 1
    assert code("verify", f"d@{latest}", "--only", "-q") == 0
    capsys.readouterr()
    assert code("status") == 0
    assert "1 file damaged" in capsys.readouterr().out
    rot(damaged)
    assert code("verify", "d", "-q") == 0
    capsys.readouterr()
    assert code("status") == 0
    assert "damaged" not in capsys.readouterr().out, "the right bytes are back"


def test_damage_of_another_copy_is_none_of_the_dataset(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("verify", "d", "-q") == 0
    shutil.copytree(site / "vault", site / "second")
    rot(next(site.glob("second/d/*/data/vol-000002.tar.age")))
    assert code("verify", str(site / "second" / "d")) == 1
    said = capsys.readouterr().err
    assert "--repair" not in said, "that would repair what is not damaged"
    assert "Do not erase" in said
    assert code("status") == 0
    assert "damaged" not in capsys.readouterr().out


def test_a_copy_warns_of_damage_that_was_found_before(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def warned(*options: str) -> str:
        capsys.readouterr()
        assert code("copy", "d.toml", *options) == 0, "of what it copied itself, all is well"
        return capsys.readouterr().err

    first = next(iter(site.glob("vault/d/2*"))).name
    assert "verification" not in warned()
    rot(volume(site, 2))
    assert "verification" not in warned(), "nobody has looked yet"
    assert code("verify", "d", "-q") == 1
    assert (
        "Warning: The last verification found 1 damaged file at the target. This sends again what the source still has"
        f" of it: repatria copy d --repair d@{first}"
    ) in warned()
    assert '"type": "warning"' in warned("--json")
    assert "This tells how the dataset stands now: repatria verify d" in warned("--repair", f"d@{first}", "-i", "key")
    assert code("verify", "d", "-q") == 1
    assert "verification" not in warned(), "all that the source still had was sent again, and that was verified"


def test_a_copy_after_an_index_was_found_damaged_asks_for_a_verification_that_tells_what_to_do(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rot(next(site.glob("vault/d/*/data/index-0001.db.age")))
    assert code("verify", "d", "-q") == 1
    capsys.readouterr()
    assert code("copy", "d.toml") == 0
    said = capsys.readouterr().err
    assert "--repair" not in said
    assert "This tells how the dataset stands now: repatria verify d" in said
