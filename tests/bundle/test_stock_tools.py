"""A bundle on a disk, verified and opened without Repatria: the tools that its own README.txt names, and no others."""

import os
import re
import shutil
import sqlite3
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import bagit
import pytest

from repatria.bundle.names import hashed_name
from repatria.bundle.rows import path_bytes
from repatria.store.local import LocalStore
from tests.bundle.making import DatasetMaker, directory, file, symlink

TOOLS = ("age", "tar", "sha256sum", "ssh-keygen", "sqlite3", "bash")
BIG = os.urandom(2_600_000)
FILES = {
    "plain.txt": b"bonjour",
    "dossiers/é/à.pdf": b"%PDF",
    "latin1-\udce9": b"latin1",
    "new\nline": b"line",
    "-rf": b"dash",
    "empty": b"",
    "big.dcm": BIG,
    "long/" + "n" * 240 + "/" + "m" * 240: b"long",
    "a": b"a file",
    "a/b": b"that needs a folder of that name",
    "../escape": b"never outside",
    "/absolute": b"never outside",
    "double//slash": b"twice",
    "folder/": b"a key that ends in a slash",
    "x.part-000001": b"looks like a part",
    "n" * 300: b"too long for any disk",
    "_names/own": b"like ours",
}
LINK, TARGET = "link", "dossiers/é"


@dataclass
class Opened:
    """A bundle on a disk, and what its holder has."""

    folder: Path
    identity: Path
    signers: Path
    second: Path


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)}")
    place = tmp_path_factory.mktemp("stock")
    maker = DatasetMaker(LocalStore(place / "coffre"))
    sources = [file(path, data) for path, data in FILES.items()]
    first = maker.bundle([*sources, symlink(LINK, TARGET), directory("vide")], volumes_per_index=2)
    second = maker.bundle([file("plain.txt", b"bonsoir")], gone=["empty"])
    identity = place / "identity"
    identity.write_text(maker.identity.secret_text() + "\n")
    identity.chmod(0o600)
    signers = place / "allowed_signers"
    signers.write_text(maker.signer.key.allowed_line("senum@dakar") + "\n")
    root = place / "coffre" / maker.dataset_id
    return Opened(root / first, identity, signers, root / second)


def run(opened: Opened, script: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=folder or opened.folder,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )


def test_sha256sum_verifies_every_file(opened: Opened) -> None:
    for folder in (opened.folder, opened.second):
        done = run(opened, "sha256sum -c --strict tagmanifest-sha256.txt manifest-sha256.txt", folder)
        assert done.returncode == 0, done.stderr
        named = {line.rpartition(":")[0] for line in done.stdout.splitlines()}
        there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert there - named == {"tagmanifest-sha256.txt"}


def test_bagit_validates_the_bag(opened: Opened) -> None:
    for folder in (opened.folder, opened.second):
        bag = bagit.Bag(str(folder))
        bag.validate()
        assert bag.info["Source-Organization"] == "CHU de Fann"
        assert bag.info["External-Identifier"].endswith(folder.name)


def commands_of_readme(opened: Opened, begin: str, end: str) -> str:
    """Return the commands (indented by seven) between two words of README.txt, made to fit this test."""
    text = (opened.folder / "README.txt").read_text("utf-8")
    section = text.split(begin)[1].split(end)[0]
    commands = "\n".join(line[7:] for line in section.splitlines() if line.startswith("       "))
    return commands.replace("-f allowed_signers", f"-f {opened.signers}")


@pytest.mark.parametrize(("begin", "end", "yes"), [("VÉRIFIER", "OUVRIR", "oui"), ("VERIFY", "OPEN", "yes")])
def test_the_readme_verifies_with_its_own_commands(opened: Opened, begin: str, end: str, yes: str) -> None:
    done = run(opened, commands_of_readme(opened, begin, end))
    assert done.returncode == 0, done.stderr
    assert 'Good "repatria" signature for senum@dakar' in done.stdout
    assert len(re.findall(f"^{yes} ", done.stdout, re.MULTILINE)) == 4


@pytest.mark.parametrize(("begin", "word", "clear"), [("OUVRIR", "IDENTITE", "clair"), ("OPEN", "IDENTITY", "clear")])
def test_the_readme_opens_the_bundle_with_its_own_commands(
    opened: Opened, tmp_path: Path, begin: str, word: str, clear: str
) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(opened.folder, copy)
    done = run(opened, commands_of_readme(opened, begin, "\n\n").replace(word, str(opened.identity)), copy)
    assert done.returncode == 0, done.stderr
    assert all("Ignoring unknown extended header keyword" in line for line in done.stderr.splitlines()), done.stderr
    assert "|plain.txt|7|" in done.stdout
    joined = run(opened, 'cat "$0".part-* > "$0"'.replace("$0", "big.dcm"), copy / clear)
    assert joined.returncode == 0, joined.stderr
    check_unpacked(copy / clear)


def check_unpacked(clear: Path) -> None:
    """Compare every object with the bytes that went in; nothing is outside the folder."""
    for path, data in FILES.items():
        name = path if is_kept(path) else hashed_name(path)
        unpacked = Path(os.fsdecode(os.fsencode(clear) + b"/" + path_bytes(name)))
        assert unpacked.read_bytes() == data, path
    link = clear / LINK
    assert link.is_symlink()
    assert str(link.readlink()) == TARGET
    assert (clear / "vide").is_dir()
    assert stat.S_IMODE((clear / "plain.txt").stat().st_mode) == 0o640
    assert int((clear / "plain.txt").stat().st_mtime) == 1_706_644_800
    assert not (clear.parent / "escape").exists()


def is_kept(path: str) -> bool:
    own = ("plain.txt", "latin1-\udce9", "new\nline", "-rf", "empty", "big.dcm", "a")
    return path in own or path.startswith(("dossiers/", "long/"))


def test_the_index_tells_the_true_names(opened: Opened, tmp_path: Path) -> None:
    seen: dict[bytes, str] = {}
    for file_name in sorted((opened.folder / "data").glob("index-*.db.age")):
        database = tmp_path / file_name.stem
        done = run(opened, f"age -d -i {opened.identity} -o {database} {file_name}")
        assert done.returncode == 0, done.stderr
        with sqlite3.connect(database) as connection:
            for path, digest in connection.execute("SELECT CAST(path AS BLOB), hex(sha256) FROM objects"):
                seen[path] = digest.lower()
    assert seen.keys() == {path_bytes(path) for path in FILES} | {LINK.encode(), b"vide"}
    for path, data in FILES.items():
        digest = subprocess.run(["sha256sum"], input=data, capture_output=True, check=True).stdout[:64]
        assert digest.decode() == seen[path_bytes(path)]


def test_a_delta_says_what_it_builds_on_and_what_is_gone(opened: Opened, tmp_path: Path) -> None:
    readme = (opened.second / "README.txt").read_text("utf-8")
    assert f"suit le lot {opened.folder.name}" in readme
    assert f"follows the bundle {opened.folder.name}" in readme
    database = tmp_path / "index.db"
    run(opened, f"age -d -i {opened.identity} -o {database} data/index-0001.db.age", opened.second)
    query = "SELECT object FROM tombstones"
    done = run(opened, f"sqlite3 {database} '{query}'")
    assert done.stdout == f"{list(FILES).index('empty') + 1}\n"


def test_no_name_of_an_object_is_in_clear(opened: Opened) -> None:
    for path in opened.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"plain.txt" not in content
            assert b"dossiers" not in content


def test_a_hybrid_bundle_names_the_age_that_it_needs() -> None:
    from repatria.crypt.identity import generate
    from repatria.store.memory import MemoryStore

    maker = DatasetMaker(MemoryStore(), identity=generate(classic=False))
    bundle_id = maker.bundle([file("a", b"b")])
    with maker.store.read(f"{maker.dataset_id}/{bundle_id}/README.txt") as reading:
        text = b"".join(reading.chunks).decode()
    assert "age 1.3 ou plus récent" in text
    assert "age 1.3 or later" in text
