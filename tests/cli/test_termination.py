"""SIGTERM, SIGHUP and Ctrl-C when no run listens for them yet, or none ever will: the program itself, signalled."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.cli.test_two_hosts import site

__all__ = ["site"]

PROGRAM = """
import hashlib, os, signal, sys, threading

import repatria.__main__ as program
import repatria.cli.termination as termination

termination.SECONDS_TO_END = 0.5
_, number, module, *arguments = sys.argv


def signal_now():
    os.kill(os.getpid(), int(number))


def signal_meanwhile():
    threading.Timer(0.2, signal_now).start()
    hashlib.pbkdf2_hmac("sha512", b"", b"", 2_000_000_000)


class Finder:
    def find_spec(self, name, path, target=None):
        if name == module:
            SIGNAL()


sys.meta_path.insert(0, Finder())
sys.argv[1:] = arguments
program.main()
"""
"""The program, which gets a signal when it comes to load a module: at once, or in a call that lets no handler run."""
STOPPED = "repatria: Stopped. Nothing is lost; run the same command again to go on.\n"
INTERRUPTED = "repatria: Interrupted. Nothing is lost; run the same command again to go on.\n"


def signalled(
    site: Path, number: signal.Signals, module: str, *arguments: str, meanwhile: bool = False, language: str = "en"
) -> "subprocess.CompletedProcess[str]":
    program = PROGRAM.replace("SIGNAL()", "signal_meanwhile()" if meanwhile else "signal_now()")
    return subprocess.run(
        [sys.executable, "-c", program, str(int(number)), module, *arguments],
        cwd=site,
        env={**os.environ, "REPATRIA_STATE": str(site / "state"), "REPATRIA_LANG": language},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGTERM, 8, STOPPED), (signal.SIGHUP, 8, STOPPED), (signal.SIGINT, 130, INTERRUPTED)],
)
@pytest.mark.parametrize("module", ["repatria.cli.app", "repatria.cli.copy"])
def test_before_there_is_a_command_it_ends_with_its_code_and_a_sentence(
    site: Path, number: signal.Signals, code: int, said: str, module: str
) -> None:
    ended = signalled(site, number, module, "copy", "d.toml")
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", said)
    assert not (site / "vault").exists()


def test_before_a_run_listens_it_ends_with_code_8(site: Path) -> None:
    ended = signalled(site, signal.SIGTERM, "repatria.migrate.pacing", "copy", "d.toml")
    assert (ended.returncode, ended.stderr) == (8, STOPPED)
    ended = signalled(site, signal.SIGTERM, "repatria.migrate.pacing", "copy", "d.toml", language="fr")
    assert ended.stderr.startswith("repatria: Arrêté. Rien n")
    assert ended.stderr.endswith("relancez la même commande pour continuer.\n")


@pytest.mark.parametrize("module", ["repatria.cli.app", "repatria.migrate.pacing"])
def test_json_and_quiet_are_heeded(site: Path, module: str) -> None:
    ended = signalled(site, signal.SIGTERM, module, "copy", "d.toml", "--json")
    assert json.loads(ended.stderr)["code"] == json.loads(ended.stdout)["code"] == 8
    assert json.loads(ended.stdout)["type"] == "summary"
    assert signalled(site, signal.SIGTERM, module, "copy", "d.toml", "-q").stderr == ""


def test_a_command_that_listens_to_nothing_ends_so_as_well_and_the_audit_log_tells(site: Path) -> None:
    assert signalled(site, signal.SIGTERM, "none", "copy", "d.toml", "-q").returncode == 0
    ended = signalled(site, signal.SIGTERM, "repatria.cli.table", "verify", "d")
    assert (ended.returncode, ended.stderr) == (8, STOPPED)
    last = json.loads((site / "state/log.jsonl").read_text().splitlines()[-1])
    assert (last["command"], last["code"]) == ("verify", 8)


def test_a_call_that_does_not_return_does_not_keep_it(site: Path) -> None:
    ended = signalled(site, signal.SIGTERM, "repatria.migrate.pacing", "copy", "d.toml", meanwhile=True)
    assert (ended.returncode, ended.stderr) == (8, STOPPED)


def test_what_was_started_to_ignore_a_closed_terminal_goes_on(site: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        ended = signalled(site, signal.SIGHUP, "repatria.cli.app", "copy", "d.toml", "-q")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert ended.returncode == 0


def test_a_terminal_that_is_closed_ends_what_shows_something_there_with_code_8(site: Path) -> None:
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    with subprocess.Popen(
        [sys.executable, "-m", "repatria", "status", "--follow"],
        env={**os.environ, "REPATRIA_STATE": str(site / "state"), "REPATRIA_LANG": "en"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=take_terminal,  # noqa: PLW1509 -- it makes two calls to the system, and nothing else
    ) as process:
        os.close(theirs)
        shown = b""
        while b"from here yet" not in shown:
            shown += os.read(ours, 1024)
        os.close(ours)
        assert process.wait(30) == 8
