"""A run that is asked to stop, even by a shutdown that waits for nothing, and one that is watched from elsewhere."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from repatria.cli.app import run_app
from tests.cli.test_two_hosts import run, site, start, wait_for_volume

__all__ = ["site"]

SHUTDOWN_SECONDS = 14
"""Ten, and what it takes this process to see that the other is gone."""


@pytest.fixture
def silent_port() -> Iterator[tuple[int, threading.Event]]:
    """Return a port that takes connections and never answers, and what tells that one came."""
    came = threading.Event()
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return
                came.set()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1], came
        listener.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()


UNTIL_SOON = """
import sys
from datetime import UTC, datetime, timedelta

import repatria.cli.endings
import repatria.migrate.pacing
from repatria.cli.app import run_app

repatria.cli.endings.SECONDS_TO_END = 0.5
repatria.migrate.pacing.until_clock = lambda *_given: datetime.now(UTC) + timedelta(seconds=2)
run_app(sys.argv[1:])
"""
"""The program, with an `--until` that comes after two seconds, and half a second for the end."""


@pytest.fixture
def silent_target(
    site: Path, silent_port: tuple[int, threading.Event], monkeypatch: pytest.MonkeyPatch
) -> threading.Event:
    """Let the manifest's target be a service that never answers; return what tells that it was asked."""
    port, came = silent_port
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    manifest = site / "d.toml"
    there = f'uri = "s3://coffre/d"\nendpoint = "http://127.0.0.1:{port}"'
    manifest.write_text(manifest.read_text().replace('uri = "vault"', there))
    return came


def last_logged(site: Path) -> object:
    return json.loads((site / "state/log.jsonl").read_text().splitlines()[-1])["code"]


def test_a_target_that_hangs_does_not_hold_up_a_shutdown(site: Path, silent_target: threading.Event) -> None:
    with start(site, "state", "copy", "d.toml") as process:
        assert silent_target.wait(30)
        process.send_signal(signal.SIGTERM)
        _out, said = process.communicate(timeout=SHUTDOWN_SECONDS)
    assert process.returncode == 8
    assert "was broken off. Nothing is lost; run the same command again to go on." in said
    assert last_logged(site) == 8


@pytest.mark.usefixtures("silent_target")
def test_a_target_that_hangs_does_not_hold_up_the_end_of_a_window(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = site / "program.py"
    program.write_text(UNTIL_SOON)
    environment = {**os.environ, "REPATRIA_STATE": str(site / "state"), "REPATRIA_LANG": "en"}
    command = [sys.executable, str(program), "copy", "d.toml", "--until", "06:00", "--json"]
    ended = subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 8
    error = json.loads(ended.stderr.splitlines()[-1])
    assert "the hour that --until gave. What was under way did not come to an end in time" in error["message"]
    assert json.loads(ended.stdout.splitlines()[-1]) == {
        "type": "summary",
        "v": 1,
        "code": 8,
        "bundle": None,
        "next": None,
    }
    assert last_logged(site) == 8
    monkeypatch.setenv("REPATRIA_STATE", str(site / "state"))
    capsys.readouterr()
    with pytest.raises(SystemExit):
        run_app(["status"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "before anything new was safe" in shown
    assert "repatria copy d" in shown


def test_a_terminal_that_is_closed_ends_a_copy_with_code_8(site: Path) -> None:
    with start(site, "state", "copy", "d.toml", "--bandwidth", "8mbit") as process:
        wait_for_volume(site, process)
        process.send_signal(signal.SIGHUP)
        _out, said = process.communicate(timeout=SHUTDOWN_SECONDS)
    assert process.returncode == 8
    assert "safe at the target" in said
    assert run(site, "state", "copy", "d.toml")[0] == 0


def test_status_follows_a_copy_from_another_terminal(site: Path) -> None:
    with start(site, "state", "copy", "d.toml", "--bandwidth", "4mbit", "-q") as copying:
        wait_for_volume(site, copying)
        with start(site, "state", "status", "d", "--follow", "--json") as watching:
            assert watching.stdout is not None
            shown = (json.loads(line) for line in watching.stdout)
            looks = (line for line in shown if line["type"] == "status")
            first = next(looks)
            assert first["holder"]["pid"] == copying.pid
            assert first["unfinished"]["volumes"] + first["unfinished"]["unsettled"] >= 1
            copying.send_signal(signal.SIGTERM)
            copying.communicate(timeout=SHUTDOWN_SECONDS)
            last = next(look for look in looks if look["holder"] is None)
            assert last["unfinished"]["volumes"] >= 1
            assert last["next"] == "repatria copy d"
            watching.send_signal(signal.SIGINT)
            watching.communicate(timeout=30)
    assert (copying.returncode, watching.returncode) == (8, 130)
