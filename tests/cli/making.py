"""A small dataset at the command line: its manifest and key in a folder of the test's own."""

from pathlib import Path

import pytest

from repatria.cli.app import run_app
from tests.migrate.making import write

MANIFEST = """id = "d"
sensitivity = "public"
[[source]]
uri = "abroad"
[target]
uri = "vault"
[encryption]
recipients = ["key.pub"]
"""


def make_site(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], files: dict[str, bytes]
) -> Path:
    """Lay out a source with these files, a manifest `d.toml` and a key in `folder`, and go there."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("REPATRIA_STATE", str(folder / "state"))
    write(folder / "abroad", files)
    (folder / "d.toml").write_text(MANIFEST)
    assert code("keys", "new", "-o", "key", "-q") == 0
    capsys.readouterr()
    return folder


def code(*arguments: str) -> int:
    """Run one command in this process and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        run_app(list(arguments))
    return int(ended.value.code or 0)
