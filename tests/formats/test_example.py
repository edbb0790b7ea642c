"""The worked example of docs/formats: made anew to the byte, and checked with nothing of ours."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from repatria.crypt.allowed_signers import AllowedSigners
from repatria.store.local import LocalStore
from repatria.store.memory import MemoryStore
from repatria.verify.dataset import DatasetCheck, Wish
from repatria.verify.report import BundleResult
from repatria.verify.trust import Trust
from tests.formats.document import Document
from tests.formats.example import DATASET, FIRST, Example

FORMATS = Path(__file__).parents[2] / "docs" / "formats"
PAGE, FOLDER = FORMATS / "example.md", FORMATS / "example"
TOOLS = ("sha256sum", "ssh-keygen", "age", "sqlite3", "tar", "basenc")


def made() -> tuple[str, dict[str, bytes]]:
    """Return the page, and every file of the example by path under its folder."""
    store = MemoryStore()
    example = Example(store)
    files = {}
    for told in store.list():
        with store.read(told.path) as reading:
            files[told.path] = b"".join(reading.chunks)
    page = Document(example, files).text()
    keys = {"identity": example.identity_text.encode(), "allowed_signers": example.allowed_signers.encode()}
    return page, files | keys


def test_page_and_files_are_those_that_the_writer_makes(request: pytest.FixtureRequest) -> None:
    page, files = made()
    if request.config.getoption("--accept"):
        shutil.rmtree(FOLDER, ignore_errors=True)
        for path, data in files.items():
            (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / path).write_bytes(data)
        PAGE.write_text(page, encoding="utf-8")
    again = "another format, or another page: read the difference, then run this test with --accept"
    there = {str(path.relative_to(FOLDER)): path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()}
    assert there.keys() == files.keys(), again
    assert [path for path in files if there[path] != files[path]] == [], again
    assert PAGE.read_text(encoding="utf-8") == page, again


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return the first bundle, in a copy of what is published."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)}")
    shutil.copytree(FOLDER, tmp_path / "example")
    return tmp_path / "example" / DATASET / FIRST


def sh(script: str, folder: Path) -> str:
    return subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_stock_tools_give_every_digest_on_the_page(bundle: Path) -> None:
    whole, digests = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    said = sh(whole, bundle)
    assert said.endswith("\nok\n")
    assert said.count('Good "repatria" signature for migration@exemple') == 2
    assert "FAILED" not in said
    steps = re.findall(r"^# (.+)\n(.+)\n#=> ([0-9a-f]+)$", digests, re.MULTILINE)
    assert len(steps) == digests.count("#=>") >= 20
    told = sh("\n".join(command for _what, command, _digest in steps), bundle).splitlines()
    assert [line.split()[0] for line in told] == [digest for _what, _command, digest in steps]


def test_stock_tools_unpack_it(bundle: Path) -> None:
    sh("mkdir clear; age -d -i ../../identity data/vol-000001.tar.age | tar -xi -C clear", bundle)
    clear = bundle / "clear"
    assert (clear / "reçu.txt").read_text() == "Bonjour\n"
    assert (clear / "dernier").readlink() == Path("reçu.txt")
    assert (clear / "vide").is_dir()
    assert [path.read_text() for path in (clear / "_names").iterdir()] == ["Un nom qui sort du dossier.\n"]


def test_repatria_finds_it_intact() -> None:
    example = Example(MemoryStore())
    trust = Trust(AllowedSigners.parse(example.allowed_signers))
    told = list(DatasetCheck(LocalStore(FOLDER), DATASET, trust, Wish(deep=True, identities=[example.identity])).run())
    assert [each.code for each in told if isinstance(each, BundleResult)] == [0, 0]
    assert len(told) == 2
