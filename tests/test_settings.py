"""repatria.toml is found upward, the environment goes before it, and state has one place."""

from pathlib import Path

import pytest

from repatria.errors import ManifestError
from repatria.settings import find_settings_file, load_settings

TEXT = """
[defaults]
identity = "keys/ministere"
recipients = ["age1abc", "keys/ministere.pub"]
search = ["archives"]

[stores.coffre]
uri = "s3://coffre"
profile = "home"

[stores.disque]
uri = "disque"
"""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)


def test_the_nearest_file_upward_counts_then_the_users_then_the_systems(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    user, system = tmp_path / "user", tmp_path / "system"
    for folder in (system, user, tmp_path, tmp_path / "a"):
        folder.mkdir(exist_ok=True)
        (folder / "repatria.toml").touch()
    for expected in (tmp_path / "a", tmp_path, user, system):
        found = find_settings_file(deep, user, system)
        assert found == expected / "repatria.toml"
        found.unlink()
    assert find_settings_file(deep, user, system) is None


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "repatria.toml").write_text(TEXT, encoding="utf-8")
    settings = load_settings({}, tmp_path)
    assert settings.identity == tmp_path / "keys/ministere"
    assert settings.recipients == ("age1abc", str(tmp_path / "keys/ministere.pub"))
    assert settings.stores["coffre"].profile == "home"
    assert settings.stores["disque"].uri == f"file://{tmp_path}/disque"
    assert settings.search == ("archives",)


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "repatria.toml").write_text(TEXT, encoding="utf-8")
    settings = load_settings({"REPATRIA_IDENTITY": "/keys/other", "REPATRIA_STATE": "/srv/state"}, tmp_path)
    assert (settings.identity, settings.state) == (Path("/keys/other"), Path("/srv/state"))


def test_state_lies_beside_a_file_found_upward(tmp_path: Path) -> None:
    (tmp_path / "repatria.toml").touch()
    (tmp_path / "below").mkdir()
    assert load_settings({}, tmp_path / "below").state == tmp_path / ".repatria"


def test_state_of_a_user_without_files_is_the_platforms(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path).state == tmp_path / "home/.local/state/repatria"


def test_the_users_own_file_has_no_state_beside_it(tmp_path: Path) -> None:
    config = tmp_path / "home/.config/repatria"
    config.mkdir(parents=True)
    (config / "repatria.toml").write_text('[defaults]\nsearch = ["a"]\n', encoding="utf-8")
    (tmp_path / "work").mkdir()
    settings = load_settings({}, tmp_path / "work")
    assert settings.search == ("a",)
    assert settings.state == tmp_path / "home/.local/state/repatria"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[default]", "did you mean defaults?"),
        ('[defaults]\nidentiy = "x"', "did you mean identity?"),
        ('[stores.coffre]\nurl = "s3://x"', "did you mean uri?"),
        ('[stores.coffre]\nuri = "gopher://x"', "is not supported"),
    ],
)
def test_faults_name_their_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "repatria.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError) as caught:
        load_settings({}, tmp_path)
    assert said in "\n".join([caught.value.message, *caught.value.details])
