"""`encrypt` and `decrypt` as age(1) has them: what goes where, and no output file after any failure."""

import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest

from repatria.crypt.identity import generate
from repatria.crypt.key_files import identity_text
from repatria.crypt.seal import seal

COMMAND = [sys.executable, "-m", "repatria"]
CLASSIC, HYBRID, STRANGER = generate(True), generate(), generate()


@dataclass(frozen=True)
class Shell:
    """A folder with keys and an input, and the command line run in it."""

    folder: Path

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "COLUMNS": "100"}

    def run(self, *arguments: str, given: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*COMMAND, *arguments],
            input=given,
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=self.environment() | environment,
        )

    def good(self, *arguments: str, given: bytes = b"", **environment: str) -> bytes:
        done = self.run(*arguments, given=given, **environment)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def at_terminal(self, *arguments: str, typed: Sequence[str] = ()) -> tuple[int, str]:
        """Run at a terminal of its own, type an answer at each prompt; return the code and what was shown."""
        child, terminal = pty.fork()
        if child == 0:  # pragma: no cover -- becomes the command
            os.chdir(self.folder)
            os.execve(COMMAND[0], [*COMMAND, *arguments], self.environment())  # noqa: S606 -- no shell is wanted
        shown, answers = b"", list(typed)
        while True:
            ready, _write, _errors = select.select([terminal], [], [], 60)
            assert ready, f"nothing more came after {shown!r}"
            try:
                more = os.read(terminal, 65536)
            except OSError:  # the terminal is gone with the command
                break
            if not more:
                break
            shown += more
            if answers and shown.endswith(b": "):
                os.write(terminal, answers.pop(0).encode() + b"\n")
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()

    @property
    def files(self) -> set[str]:
        return {file.name for file in self.folder.iterdir()}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    for name, identity in (("key", HYBRID), ("classic", CLASSIC), ("stranger", STRANGER)):
        (tmp_path / name).write_text(identity_text([identity]))
        (tmp_path / name).chmod(0o600)
        (tmp_path / f"{name}.pub").write_text(f"{identity.recipient}\n")
    (tmp_path / "input").write_bytes(b"du texte\n")
    return Shell(tmp_path)


def test_through_pipes(shell: Shell) -> None:
    payload = os.urandom(200_000)
    sealed = shell.good("encrypt", "-r", "key.pub", given=payload)
    assert sealed.startswith(b"age-encryption.org/v1\n-> mlkem768x25519 ")
    assert shell.good("decrypt", "-i", "key", given=sealed) == payload


def test_from_file_to_file(shell: Shell) -> None:
    assert shell.good("encrypt", "-r", str(HYBRID.recipient), "-o", "sealed", "input") == b""
    assert shell.good("decrypt", "-i", "key", "-o", "plain", "sealed") == b""
    assert (shell.folder / "plain").read_bytes() == b"du texte\n"
    assert shell.good("decrypt", "-i", "stranger", "-i", "key", "-o", "-", "sealed") == b"du texte\n"


def test_as_text(shell: Shell) -> None:
    sealed = shell.good("encrypt", "-a", "-r", "key.pub", "-o", "-", "-", given=b"secret")
    assert sealed.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert shell.good("decrypt", "-i", "key", given=sealed) == b"secret"


def test_to_the_owner_of_an_identity_file(shell: Shell) -> None:
    sealed = shell.good("encrypt", "-i", "key", "-R", "stranger.pub", "input")
    assert shell.good("decrypt", "-i", "key", given=sealed) == b"du texte\n"
    assert shell.good("decrypt", "-i", "stranger", given=sealed) == b"du texte\n"


def test_keys_may_come_from_the_environment_and_the_settings(shell: Shell) -> None:
    (shell.folder / "repatria.toml").write_text('[defaults]\nrecipients = ["key.pub"]\n')
    sealed = shell.good("encrypt", "input")
    assert shell.good("decrypt", given=sealed, REPATRIA_IDENTITY="key") == b"du texte\n"


def test_an_output_file_is_replaced_and_keeps_its_mode(shell: Shell) -> None:
    (shell.folder / "sealed").write_text("an earlier file")
    (shell.folder / "sealed").chmod(0o640)
    shell.good("encrypt", "-r", "key.pub", "-o", "sealed", "input")
    assert stat.S_IMODE((shell.folder / "sealed").stat().st_mode) == 0o640
    assert shell.good("decrypt", "-i", "key", "sealed") == b"du texte\n"


def test_an_output_may_be_a_link_or_a_device(shell: Shell) -> None:
    (shell.folder / "link").symlink_to("target")
    shell.good("encrypt", "-r", "key.pub", "-o", "link", "input")
    assert (shell.folder / "link").is_symlink()
    assert shell.good("decrypt", "-i", "key", "target") == b"du texte\n"
    shell.good("encrypt", "-r", "key.pub", "-o", "/dev/null", "input")


FAILURES: dict[str, tuple[int, tuple[str, ...]]] = {
    "the wrong key": (6, ("decrypt", "-i", "stranger", "sealed")),
    "no key": (2, ("decrypt", "sealed")),
    "a key file that is missing": (6, ("decrypt", "-i", "missing", "sealed")),
    "an input that is missing": (2, ("decrypt", "-i", "key", "missing")),
    "an input that is no age file": (6, ("decrypt", "-i", "key", "input")),
    "a truncated input": (6, ("decrypt", "-i", "key", "truncated")),
    "an altered input": (6, ("decrypt", "-i", "key", "altered")),
    "a bad recipient": (6, ("encrypt", "-r", "age1bad", "input")),
    "no recipient": (2, ("encrypt", "input")),
    "recipients of two kinds": (6, ("encrypt", "-r", "key.pub", "-r", "classic.pub", "input")),
    "a passphrase beside a recipient": (2, ("encrypt", "-p", "-r", "key.pub", "input")),
    "a missing input to encrypt": (2, ("encrypt", "-r", "key.pub", "missing")),
    "a folder as the input": (2, ("encrypt", "-r", "key.pub", ".")),
    "a passphrase that cannot be asked for": (6, ("encrypt", "-p", "input")),
}


@pytest.mark.parametrize(("name", "existing"), [*zip(FAILURES, cycle([False, True]), strict=False)])
def test_no_output_file_on_failure(shell: Shell, name: str, existing: bool) -> None:
    large = bytes(seal(bytes(3_000_000), [HYBRID.recipient]).data)
    (shell.folder / "sealed").write_bytes(large)
    (shell.folder / "truncated").write_bytes(large[:-1])
    (shell.folder / "altered").write_bytes(large[:-1] + bytes([large[-1] ^ 1]))
    if existing:
        (shell.folder / "output").write_text("an earlier file")
    before = shell.files
    code, arguments = FAILURES[name]
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 -- a process of its own session has no terminal
        done = subprocess.run(
            [*COMMAND, *arguments[:1], "-o", "output", *arguments[1:]],
            stdin=nothing,
            capture_output=True,
            check=False,
            cwd=shell.folder,
            env=shell.environment(),
            start_new_session=True,
        )
    assert done.returncode == code, done.stderr.decode()
    assert done.stdout == b""
    assert len(done.stderr.decode().splitlines()) >= 2, "a sentence and an advice"
    assert shell.files == before
    if existing:
        assert (shell.folder / "output").read_text() == "an earlier file"


def test_no_room_is_told_and_leaves_nothing(shell: Shell) -> None:
    done = shell.run("encrypt", "-r", "key.pub", "-o", "/dev/full", "input")
    assert done.returncode == 5
    assert b"no room" in done.stderr


@pytest.mark.parametrize("size", [10, 3_000_000])
@pytest.mark.parametrize(
    "command", ["encrypt -r key.pub plain", "encrypt -a -r key.pub plain", "decrypt -i key sealed"]
)
def test_no_room_for_what_goes_to_stdout_is_told(shell: Shell, command: str, size: int) -> None:
    (shell.folder / "plain").write_bytes(bytes(size))
    shell.good("encrypt", "-r", "key.pub", "-o", "sealed", "plain")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, *command.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            cwd=shell.folder,
            env=shell.environment(),
        )
    assert done.returncode == 5, done.stderr
    assert b"could not be written: the disk is full" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs an administrator")
@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("command", ["encrypt -r key.pub", "decrypt -i key"])
def test_a_disk_that_fills_up_keeps_what_it_held(shell: Shell, command: str, existing: bool) -> None:
    (shell.folder / "input").write_bytes(seal(bytes(3_000_000), [HYBRID.recipient]).data)
    disk = shell.folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", disk], check=False).returncode:
        pytest.skip("no disk may be mounted here")
    try:
        if existing:
            (disk / "output").write_text("an earlier file")
        done = shell.run(*command.split(), "-o", "disk/output", "input")
        assert done.returncode == 5, done.stderr
        assert b"no room" in done.stderr
        assert {file.name: file.read_text() for file in disk.iterdir()} == (
            {"output": "an earlier file"} if existing else {}
        )
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(
    "line",
    [
        "encrypt -r key.pub input >&-",
        "encrypt -r key.pub -o - input >&-",
        "decrypt -i key sealed >&-",
        "encrypt -r key.pub -o output <&-",
        "encrypt -r key.pub - <&-",
        "decrypt -i key -o output <&-",
    ],
)
def test_a_stream_that_is_closed_is_neither_empty_nor_a_place_for_bytes(shell: Shell, line: str) -> None:
    shell.good("encrypt", "-r", "key.pub", "-o", "sealed", "input")
    command = ["bash", "-c", f"{sys.executable} -m repatria {line}"]
    done = subprocess.run(command, capture_output=True, check=False, cwd=shell.folder, env=shell.environment())
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"is closed" in done.stderr
    assert "output" not in shell.files


@pytest.mark.parametrize("command", ["encrypt -r key.pub plain", "decrypt -i key sealed"])
def test_a_reader_who_has_enough_is_no_error(shell: Shell, command: str) -> None:
    (shell.folder / "plain").write_bytes(bytes(3_000_000))
    shell.good("encrypt", "-r", "key.pub", "-o", "sealed", "plain")
    pipe = f"{' '.join(COMMAND)} {command} | head -c 3 | wc -c; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", pipe], capture_output=True, check=False, cwd=shell.folder, env=shell.environment()
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, b"3", b"")


WITHOUT_NAMELESS_FILES = (
    "import repatria.cli.output_file as it; it.open_nameless = lambda folder, mode: None;"
    "import repatria.__main__ as program; program.main()"
)
"""The program on a file system such as FAT, where no file is without a name."""


@pytest.mark.parametrize(
    ("nameless", "number"),
    [
        *((True, number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL)),
        *((False, number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)),
    ],
)
def test_whoever_is_killed_in_the_middle_leaves_no_plaintext(
    shell: Shell, nameless: bool, number: signal.Signals
) -> None:
    program = COMMAND if nameless else [sys.executable, "-c", WITHOUT_NAMELESS_FILES]
    before = shell.files
    with subprocess.Popen(
        [*program, "decrypt", "-i", "key", "-o", "output"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=shell.folder,
        env=shell.environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 -- no threads here
    ) as process:
        assert process.stdin
        process.stdin.write(seal(bytes(8_000_000), [HYBRID.recipient]).data[:5_000_000])
        process.stdin.flush()
        while not nameless and shell.files == before:  # until it writes
            time.sleep(0.01)
        while nameless and not _writes_without_a_name(process.pid):
            time.sleep(0.01)
        process.send_signal(number)
        code = process.wait()
        process.stdin.close()
    assert code == {signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}.get(number, 8)
    assert shell.files == before


def _writes_without_a_name(pid: int) -> bool:
    opened = Path(f"/proc/{pid}/fd").iterdir()
    return any(" (deleted)" in str(file.readlink()) and file.stat().st_size for file in opened)


def test_without_nameless_files_output_is_whole_too(shell: Shell) -> None:
    for _again in range(2):
        subprocess.run(
            [sys.executable, "-c", WITHOUT_NAMELESS_FILES, "encrypt", "-r", "key.pub", "-o", "sealed", "input"],
            check=True,
            cwd=shell.folder,
            env=shell.environment(),
        )
    assert shell.good("decrypt", "-i", "key", "sealed") == b"du texte\n"
    assert not [name for name in shell.files if name.endswith(".part")]


def test_a_pipe_that_does_not_block_is_read_to_its_end(shell: Shell) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with subprocess.Popen(
        [*COMMAND, "encrypt", "-r", "key.pub", "-o", "sealed"],
        stdin=reading,
        cwd=shell.folder,
        env=shell.environment(),
    ) as process:
        time.sleep(0.5)  # it finds nothing to read yet
        os.write(writing, b"late")
        os.close(writing)
    os.close(reading)
    assert process.returncode == 0
    assert shell.good("decrypt", "-i", "key", "sealed") == b"late"


def test_the_input_is_never_its_own_output(shell: Shell) -> None:
    (shell.folder / "link").symlink_to("input")
    for output in ("input", "./input", "link"):
        assert shell.run("encrypt", "-r", "key.pub", "-o", output, "input").returncode == 2
    assert (shell.folder / "input").read_bytes() == b"du texte\n"


def test_json_needs_a_file_to_write_to(shell: Shell) -> None:
    assert shell.run("encrypt", "--json", "-r", "key.pub", "input").returncode == 2
    summary = shell.good("encrypt", "--json", "-r", "key.pub", "-o", "sealed", "input")
    assert b'"type": "summary"' in summary


def test_a_passphrase_from_a_command(shell: Shell) -> None:
    command = "echo mot de passe"
    sealed = shell.good("encrypt", "-p", "input", REPATRIA_PASSPHRASE_COMMAND=command)
    assert b"-> scrypt " in sealed
    assert shell.good("decrypt", given=sealed, REPATRIA_PASSPHRASE_COMMAND=command) == b"du texte\n"
    wrong = shell.run("decrypt", given=sealed, REPATRIA_PASSPHRASE_COMMAND="echo faux")
    assert wrong.returncode == 6
    assert b"passphrase" in wrong.stderr


# At a terminal.


def test_binary_is_not_shown_at_a_terminal(shell: Shell) -> None:
    code, shown = shell.at_terminal("encrypt", "-r", "key.pub", "input")
    assert code == 2
    assert "spoil the terminal" in shown
    code, shown = shell.at_terminal("encrypt", "-a", "-r", "key.pub", "input")
    assert code == 0
    assert "END AGE ENCRYPTED FILE" in shown
    for payload in (b"\x1b]0;title\x07", b"\xff\xfe"):
        (shell.folder / "sealed").write_bytes(seal(payload, [HYBRID.recipient]).data)
        code, shown = shell.at_terminal("decrypt", "-i", "key", "sealed")
        assert code == 2
        assert "spoil the terminal" in shown
        assert "\x1b]0" not in shown
    (shell.folder / "sealed").write_bytes(seal("été\n".encode(), [HYBRID.recipient]).data)
    assert shell.at_terminal("decrypt", "-i", "key", "sealed") == (0, "été\r\n")


def test_a_passphrase_typed_twice(shell: Shell) -> None:
    code, shown = shell.at_terminal("encrypt", "-p", "-o", "sealed", "input", typed=["mot", "autre"])
    assert code == 2
    assert "differ" in shown
    assert "sealed" not in shell.files
    code, shown = shell.at_terminal("encrypt", "-p", "-o", "sealed", "input", typed=["mot de passe", "mot de passe"])
    assert code == 0, shown
    assert "mot de passe" not in shown
    code, shown = shell.at_terminal("decrypt", "-o", "plain", "sealed", typed=["faux"])
    assert code == 6
    assert "plain" not in shell.files
    assert shell.at_terminal("decrypt", "-o", "plain", "sealed", typed=["mot de passe"])[0] == 0
    assert (shell.folder / "plain").read_bytes() == b"du texte\n"


def test_a_passphrase_made_up_is_shown_once_and_not_logged(shell: Shell) -> None:
    arguments = ("encrypt", "-p", "-o", "sealed", "--log-file", "log", "input")
    code, shown = shell.at_terminal(*arguments, typed=[""])
    assert code == 0
    passphrase = shown.split("The passphrase is: ")[1].split()[0]
    assert len(passphrase) == 35
    assert passphrase not in (shell.folder / "log").read_text()
    opened = shell.good("decrypt", "sealed", REPATRIA_PASSPHRASE_COMMAND=f"echo {passphrase}")
    assert opened == b"du texte\n"
