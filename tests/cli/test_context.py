"""What an argument means: manifests and bundles by file, id and URI; passphrases without a terminal."""

from collections.abc import Callable
from pathlib import Path

import pytest

from repatria.cli.context import ask_passphrase, find_manifest, open_bundle, open_place, resolved_uri
from repatria.cli.places import RememberedPlace, remember, remembered, remembered_datasets
from repatria.errors import CryptError, ManifestError, UsageError
from repatria.manifest import StoreTable
from repatria.settings import Settings

FIRST, SECOND, THIRD = "20240130T080000Z-aaaaaa", "20240131T080000Z-bbbbbb", "20240131T090000Z-cccccc"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return Settings(state=tmp_path / "state", stores={"coffre": StoreTable(uri=f"file://{tmp_path}/coffre")})


@pytest.fixture
def write_manifest(tmp_path: Path) -> Callable[..., Path]:
    def write(file: str = "manifests/fann.toml", dataset: str = "fann") -> Path:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'id = "{dataset}"\n[[source]]\nuri = "{tmp_path}/in"\n[target]\nuri = "{tmp_path}/coffre"\n'
            '[encryption]\nrecipients = ["age1abc"]\n',
            encoding="utf-8",
        )
        return path

    return write


@pytest.fixture
def bundles(tmp_path: Path) -> None:
    for bundle in (FIRST, SECOND, THIRD):
        folder = tmp_path / "coffre" / "fann" / bundle
        folder.mkdir(parents=True)
        (folder / "bagit.txt").touch()


@pytest.mark.parametrize("file", ["manifests/fann.toml", "fann.toml"])
def test_a_manifest_is_found_by_its_id(settings: Settings, write_manifest: Callable[..., Path], file: str) -> None:
    written = write_manifest(file)
    assert find_manifest("fann", settings).file == written


def test_a_manifest_is_found_by_its_file(settings: Settings, write_manifest: Callable[..., Path]) -> None:
    write_manifest("elsewhere/other-name.toml")
    assert find_manifest("elsewhere/other-name.toml", settings).id == "fann"


@pytest.mark.parametrize("state", ["in/state", "."])
def test_a_source_that_holds_the_state_folder_is_refused(
    tmp_path: Path, settings: Settings, write_manifest: Callable[..., Path], state: str
) -> None:
    write_manifest()
    with pytest.raises(ManifestError, match="holds the state folder"):
        find_manifest("fann", Settings(state=tmp_path / state, stores=settings.stores))


def test_a_manifest_beside_repatria_toml_is_found_from_below(
    tmp_path: Path, settings: Settings, write_manifest: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_manifest()
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    beside = Settings(state=settings.state, file=tmp_path / "repatria.toml")
    assert find_manifest("fann", beside).file == file


def test_a_manifest_seen_once_is_found_from_anywhere(
    tmp_path: Path, settings: Settings, write_manifest: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_manifest("elsewhere/fann.toml")
    find_manifest(str(file), settings)
    monkeypatch.chdir("/")
    assert find_manifest("fann", settings).file == file


def test_an_unknown_id_is_an_error_that_says_where_manifests_are(settings: Settings) -> None:
    with pytest.raises(UsageError, match="no manifest for fann"):
        find_manifest("fann", settings)


def test_a_file_named_after_another_dataset_is_refused(settings: Settings, write_manifest: Callable[..., Path]) -> None:
    write_manifest("manifests/fann.toml", "thies")
    with pytest.raises(ManifestError, match="describes the dataset thies"):
        find_manifest("fann", settings)


@pytest.mark.usefixtures("bundles")
@pytest.mark.parametrize(
    ("argument", "bundle"),
    [
        ("fann", None),
        (f"fann@{FIRST}", FIRST),
        ("fann@2024013", None),
        ("fann@20240130", FIRST),
        ("coffre/fann", None),
        (f"coffre/fann/{SECOND}/", SECOND),
        ("coffre:fann", None),
        (f"coffre:fann/{THIRD}", THIRD),
        ("file://coffre/fann", None),
    ],
)
def test_a_bundle_by_uri_name_or_dataset(
    settings: Settings, write_manifest: Callable[..., Path], argument: str, bundle: str | None
) -> None:
    write_manifest()
    if argument == "fann@2024013":
        with pytest.raises(UsageError, match="start of several bundles"):
            open_bundle(argument, settings)
        return
    opened = open_bundle(argument, settings)
    assert (opened.dataset_id, opened.bundle_id) == ("fann", bundle)
    assert any(item.path == f"fann/{FIRST}/bagit.txt" for item in opened.store.list("fann/"))


@pytest.mark.usefixtures("bundles")
def test_a_bundle_of_a_dataset_whose_manifest_is_gone(settings: Settings, write_manifest: Callable[..., Path]) -> None:
    file = write_manifest()
    find_manifest("fann", settings)
    file.unlink()
    assert open_bundle(f"fann@{FIRST}", settings).bundle_id == FIRST


@pytest.mark.parametrize("argument", ["coffre/Fann", "s3://fann", "/"])
def test_what_is_no_bundle(settings: Settings, argument: str) -> None:
    with pytest.raises(UsageError, match="is no bundle"):
        open_bundle(argument, settings)


def test_a_place_of_an_unknown_kind(settings: Settings) -> None:
    with pytest.raises(UsageError, match="is not supported"):
        open_place("gopher://host/x", settings)
    with pytest.raises(UsageError, match=r"no \[stores.other\]"):
        resolved_uri("other:x", settings)


def test_places_are_remembered_in_the_state_folder(tmp_path: Path) -> None:
    place = RememberedPlace(uri="s3://b", endpoint="https://s3", profile=None, manifest=tmp_path / "m.toml")
    remember(tmp_path / "state", "fann", place)
    assert remembered(tmp_path / "state", "fann") == place
    assert remembered_datasets(tmp_path / "state") == ["fann"]
    assert remembered(tmp_path / "state", "thies") is None


def test_a_damaged_memory_of_a_place_is_as_none(tmp_path: Path) -> None:
    remember(tmp_path, "fann", RememberedPlace("s3://b", None, None, None))
    (tmp_path / "datasets/fann/place.json").write_text("{", encoding="utf-8")
    assert remembered(tmp_path, "fann") is None


def test_a_passphrase_is_what_a_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPATRIA_PASSPHRASE_COMMAND", "printf 'two words\\nmore'")
    assert ask_passphrase("?") == "two words"


@pytest.mark.parametrize("command", ["false", "no-such-program-at-all", "'unclosed"])
def test_a_passphrase_command_that_fails(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("REPATRIA_PASSPHRASE_COMMAND", command)
    with pytest.raises(CryptError, match="failed"):
        ask_passphrase("?")
