"""A run that is asked to stop, even by a shutdown that waits for nothing, and one that is watched from elsewhere."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def test_a_target_that_hangs_does_not_hold_up_a_shutdown(
    site: Path, silent_port: tuple[int, threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, came = silent_port
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    manifest = site / "d.toml"
    there = f'uri = "s3://coffre/d"\nendpoint = "http://127.0.0.1:{port}"'
    manifest.write_text(manifest.read_text().replace('uri = "vault"', there))
    with start(site, "state", "copy", "d.toml", "-q") as process:
        assert came.wait(30)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SHUTDOWN_SECONDS)
    assert process.returncode == 8


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
