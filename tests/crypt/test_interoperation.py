"""Other implementations read what we write, and we read what they write."""

import base64
import io
import json
import os
import pty
import select
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]  # it ships no types
import pytest

from repatria.crypt.identity import Identity, PassphraseIdentity, generate, load_identities, parse_identity
from repatria.crypt.key_files import identity_text, locked_with
from repatria.crypt.payload import CHUNK_SIZE
from repatria.crypt.recipient import PassphraseRecipient, Recipient, parse_recipient
from repatria.crypt.seal import decrypt_stream, encrypt_stream, seal

SIZES = [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE]
AGE = shutil.which("age")
needs_age = pytest.mark.skipif(AGE is None, reason="age is not installed: apt-get install age")


def encrypted(payload: bytes, recipients: Sequence[Recipient], armor: bool = False) -> bytes:
    sink = io.BytesIO()
    encrypt_stream(io.BytesIO(payload), sink, recipients, armor)
    return sink.getvalue()


def decrypted(file: bytes, identities: Sequence[Identity]) -> bytes:
    sink = io.BytesIO()
    decrypt_stream(io.BytesIO(file), sink, identities)
    return sink.getvalue()


@pytest.fixture(scope="module")
def identity() -> Identity:
    return generate(classic=True)


@pytest.fixture
def identity_file(identity: Identity, tmp_path: Path) -> Path:
    file = tmp_path / "identity"
    file.write_text(identity_text([identity]))
    file.chmod(0o600)
    return file


# age(1), classical recipients: the version in Debian 12 knows no others.


def age(*arguments: str | Path, given: bytes = b"") -> bytes:
    done = subprocess.run([AGE or "age", *arguments], input=given, capture_output=True, check=True)
    return done.stdout


@needs_age
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("armor", [False, True])
def test_age_opens_ours(size: int, armor: bool, identity: Identity, identity_file: Path) -> None:
    payload = os.urandom(size)
    file = encrypted(payload, [generate(True).recipient, identity.recipient], armor)
    assert age("-d", "-i", identity_file, given=file) == payload
    if not armor:
        assert age("-d", "-i", identity_file, given=bytes(seal(payload, [identity.recipient]).data)) == payload


@needs_age
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("options", [(), ("-a",)])
def test_we_open_age_s(size: int, options: tuple[str, ...], identity: Identity) -> None:
    payload = os.urandom(size)
    file = age(*options, "-r", str(identity.recipient), "-r", str(generate(True).recipient), given=payload)
    assert decrypted(file, [identity]) == payload


@needs_age
def test_age_keygen_reads_and_writes_the_same_key_files(
    identity: Identity, identity_file: Path, tmp_path: Path
) -> None:
    shown = subprocess.run(["age-keygen", "-y", identity_file], capture_output=True, check=True, text=True).stdout
    assert shown == f"{identity.recipient}\n"
    subprocess.run(["age-keygen", "-o", tmp_path / "theirs"], capture_output=True, check=True)
    (theirs,) = load_identities(tmp_path / "theirs", None)
    assert f"# public key: {theirs.recipient}" in (tmp_path / "theirs").read_text()


def at_terminal(command: Sequence[str | Path], answers: Sequence[str]) -> int:
    """Run a command at a terminal of its own; type an answer at each prompt; return its exit code."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover -- becomes the other program
        try:
            os.execvp(command[0], [str(word) for word in command])  # noqa: S606 -- a list of arguments is what is wanted
        finally:
            os._exit(127)
    try:
        for answer in answers:
            ready, _write, _errors = select.select([terminal], [], [], 60)
            assert ready, "no prompt came"
            os.read(terminal, 4096)
            os.write(terminal, answer.encode() + b"\n")
        while True:
            try:
                if not os.read(terminal, 4096):
                    break
            except OSError:  # the terminal is gone with the program
                break
    finally:
        _child, status = os.waitpid(child, 0)
        os.close(terminal)
    return os.waitstatus_to_exitcode(status)


@needs_age
def test_age_opens_our_passphrase_files_and_we_its(tmp_path: Path) -> None:
    ours, theirs, plain = tmp_path / "ours.age", tmp_path / "theirs.age", tmp_path / "plain"
    ours.write_bytes(encrypted(b"secret", [PassphraseRecipient("un deux trois", 10)]))
    assert at_terminal(["age", "-d", "-o", plain, ours], ["un deux trois"]) == 0
    assert plain.read_bytes() == b"secret"
    assert at_terminal(["age", "-p", "-o", theirs, plain], ["un deux trois", "un deux trois"]) == 0
    assert decrypted(theirs.read_bytes(), [PassphraseIdentity(lambda: "un deux trois")]) == b"secret"


@needs_age
def test_age_uses_our_locked_identity_files(identity: Identity, tmp_path: Path) -> None:
    locked, file, plain = tmp_path / "locked", tmp_path / "file.age", tmp_path / "plain"
    locked.write_text(locked_with("un deux trois", identity_text([identity])))
    file.write_bytes(encrypted(b"secret", [identity.recipient]))
    assert at_terminal(["age", "-d", "-i", locked, "-o", plain, file], ["un deux trois"]) == 0
    assert plain.read_bytes() == b"secret"


# pyrage, the Rust implementation.


@pytest.mark.parametrize("size", SIZES)
def test_rage_both_ways(size: int, identity: Identity) -> None:
    payload = os.urandom(size)
    theirs = pyrage.x25519.Identity.from_str(identity.secret_text())
    assert str(theirs.to_public()) == str(identity.recipient)
    assert pyrage.decrypt(encrypted(payload, [identity.recipient]), [theirs]) == payload
    file = pyrage.encrypt(payload, [theirs.to_public()])  # with grease stanzas, now and then
    assert decrypted(file, [identity]) == payload


def test_rage_opens_our_passphrase_files() -> None:
    """Not the reverse: it takes seconds to find a work factor for the machine."""
    file = encrypted(b"secret", [PassphraseRecipient("mot de passe", 10)])
    assert pyrage.passphrase.decrypt(file, "mot de passe") == b"secret"


# typage, the TypeScript implementation: the one at hand that knows hybrid recipients.

TYPAGE = "age-encryption@0.3.1"


@pytest.fixture(scope="session")
def typage_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder, kept between runs, in which node finds the package."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is absent: hybrid files are not exchanged with another implementation")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "repatria-tests"
    folder = cache / TYPAGE
    if not (folder / "node_modules").is_dir():
        fresh = tmp_path_factory.mktemp("typage")
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(fresh)]
        done = subprocess.run([*command, TYPAGE], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install {TYPAGE}: hybrid files are not exchanged with another implementation")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(fresh / "node_modules", folder / "node_modules", dirs_exist_ok=True)
    return folder


class Typage:
    """A running node that answers one line with another."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, verb: str, **fields: Any) -> dict[str, str]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"verb": verb, **fields}) + "\n")
        stdin.flush()
        answer: dict[str, str] = json.loads(stdout.readline())
        return answer


@pytest.fixture(scope="module")
def typage(typage_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typage]:
    folder = tmp_path_factory.mktemp("node")
    (folder / "node_modules").symlink_to(typage_folder / "node_modules")
    script = shutil.copy(Path(__file__).with_name("typage.mjs"), folder)
    with subprocess.Popen(
        ["node", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
    ) as process:
        yield Typage(process)
        assert process.stdin is not None
        process.stdin.close()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("armor", [False, True])
def test_typage_opens_our_hybrid_files(typage: Typage, size: int, armor: bool) -> None:
    identity, payload = generate(), os.urandom(size)
    assert typage.ask("recipient", identity=identity.secret_text())["recipient"] == str(identity.recipient)
    file = encrypted(payload, [generate().recipient, identity.recipient], armor)
    answer = typage.ask("decrypt", identity=identity.secret_text(), file=base64_of(file), armored=armor)
    assert base64.b64decode(answer["payload"]) == payload


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("armor", [False, True])
def test_we_open_typage_s_hybrid_files(typage: Typage, size: int, armor: bool) -> None:
    theirs, payload = typage.ask("generate"), os.urandom(size)
    identity = parse_identity(theirs["identity"])
    assert str(parse_recipient(theirs["recipient"])) == str(identity.recipient) == theirs["recipient"]
    recipients = [theirs["recipient"], str(generate().recipient)]
    file = typage.ask("encrypt", recipients=recipients, payload=base64_of(payload), armored=armor)["file"]
    assert decrypted(base64.b64decode(file), [identity]) == payload


def test_typage_too_refuses_our_file_with_another_key(typage: Typage) -> None:
    file = encrypted(b"secret", [generate().recipient])
    answer = typage.ask("decrypt", identity=generate().secret_text(), file=base64_of(file), armored=False)
    assert "error" in answer
