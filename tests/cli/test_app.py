"""The command line as a whole: every command answers --help, in both languages, and starts quickly enough."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from repatria.cli.app import GROUPS, build_app
from repatria.cli.completion import dataset_names


def commands() -> Iterator[tuple[str, ...]]:
    def below(group: TyperGroup, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, command in group.commands.items():
            yield (*path, name)
            if isinstance(command, TyperGroup):
                yield from below(command, (*path, name))

    root = typer.main.get_command(build_app())
    assert isinstance(root, TyperGroup)
    return below(root, ())


def repatria(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "repatria", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "PYTHONUTF8": "1", "COLUMNS": "100", **environment},
    )


def test_every_module_of_commands_is_registered() -> None:
    folder = Path(__file__).parents[2] / "src/repatria/cli"
    with_commands = {file.stem for file in folder.glob("*.py") if "\ndef register(" in file.read_text(encoding="utf-8")}
    assert with_commands == set(GROUPS)


@pytest.mark.parametrize("command", [*commands()], ids=" ".join)
def test_every_command_has_a_page_of_help(command: tuple[str, ...]) -> None:
    page = repatria(*command, "--help", LANG="C")
    assert page.returncode == 0, page.stderr
    assert page.stdout.startswith(f"Usage: repatria {' '.join(command)} ")
    assert "--help" in page.stdout


def test_help_is_french_where_the_locale_is() -> None:
    page = repatria("new", "--help", LANG="fr_SN.UTF-8")
    assert page.stdout == repatria("new", "--help", "--lang", "fr", LANG="C").stdout
    assert page.stdout == repatria("new", "--help", REPATRIA_LANG="fr").stdout
    assert "Usage:" not in page.stdout.replace("Usage :", "")


@pytest.mark.parametrize("locale", ["C", "en_US.UTF-8", "de_DE.UTF-8", "wo_SN", ""])
def test_everything_else_is_english(locale: str) -> None:
    assert repatria("new", "--help", LANG=locale).stdout.startswith("Usage: ")


def test_without_a_command_there_is_help_and_code_2() -> None:
    page = repatria()
    assert page.returncode == 2
    assert page.stderr.startswith("Usage: ")


def test_usage_errors_are_json_where_json_is_asked_for() -> None:
    done = repatria("new", "--nope", "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["type"] == "error"
    assert json.loads(done.stdout) == {"type": "summary", "v": 1, "code": 2, "bundle": None, "next": None}


def test_heavy_libraries_are_not_loaded_before_they_are_needed() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", "import sys, repatria.cli.app as a; a.build_app(); print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    heavy = {"boto3", "botocore", "apsw", "cryptography", "numpy", "PIL", "pydantic", "tesserocr", "pypdf"}
    assert heavy.isdisjoint(listed)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    script = repatria("--show-completion", shell)
    assert script.returncode == 0
    assert "_REPATRIA_COMPLETE" in script.stdout


def test_completion_knows_commands_and_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = repatria(COMP_WORDS="repatria doc", COMP_CWORD="1", _REPATRIA_COMPLETE="complete_bash").stdout.split()
    assert words == ["doctor"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPATRIA_STATE", str(tmp_path / "state"))
    (tmp_path / "manifests").mkdir()
    for name in ("fann", "fatick", "thies"):
        (tmp_path / "manifests" / f"{name}.toml").touch()
    assert dataset_names("fa") == ["fann", "fatick"]
