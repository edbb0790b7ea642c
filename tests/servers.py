"""Real servers on loopback, each with keys, configuration and data of its own in a temporary folder.

A fixture starts its server once a session; `server.use(monkeypatch)` points this process's environment at it, and
`server.env` is what another process needs. They end with the session.
"""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

BUCKET = "coffre"
ACCESS_KEY = "testkey"
SECRET_KEY = "testsecret"
CEPH_KEYS = ("REPATRIATEST", "repatria-test-secret")
"""Of the user that the Ceph gateway is made with."""
PATIENCE = 60.0
"""Seconds that a server may take to answer for the first time."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and how to reach it."""

    root_uri: str
    """The place under which tests make theirs."""
    endpoint: str | None
    profile: str | None
    env: Mapping[str, str]
    """Credentials and configuration, all in the server's own folder."""
    folder: Path | None
    """Where its objects lie on this machine's disk as files, None if nowhere."""
    process: int
    """Its process id."""
    port: int
    """Where it listens on loopback."""

    def through(self, port: int) -> "Server":
        """Return the same server, reached through another port of loopback: that of a proxy or of a bad link."""
        if self.endpoint is not None:
            return replace(self, endpoint=f"http://127.0.0.1:{port}")
        known = f"-oHostKeyAlias=[127.0.0.1]:{self.port}"
        return replace(self, env={"REPATRIA_SSH": f"{self.env['REPATRIA_SSH']} -p {port} {known}"})

    def use(self, monkeypatch: pytest.MonkeyPatch) -> "Server":
        """Set this process's environment so that stores find credentials and configuration."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        for name, value in self.env.items():
            monkeypatch.setenv(name, value)
        return self

    def new_place(self) -> str:
        """Return the URI of a place where nothing is yet."""
        return f"{self.root_uri}/{uuid.uuid4().hex[:12]}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, ready: Callable[[], bool], env: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a server until the block ends; RuntimeError with its log if it is not `ready` in time."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=env)
    try:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not answer: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def aws_environment(folder: Path, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY) -> dict[str, str]:
    """Write the files of one AWS profile, `test`, and return the environment that names them."""
    credentials = folder / "credentials"
    credentials.write_text(f"[test]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n")
    config = folder / "config"
    config.write_text("[profile test]\nregion = us-east-1\n")
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        "AWS_CONFIG_FILE": str(config),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture(scope="session")
def rclone_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """S3 by `rclone serve s3` over a folder: no If-Match, no If-None-Match, ranges with status 200.

    It remembers folders for minutes: change what it serves through S3, or before its first look at that place.
    """
    folder = tmp_path_factory.mktemp("rclone")
    data = folder / "data"
    (data / BUCKET).mkdir(parents=True)
    port = free_port()
    command: list[str | Path] = [tool("rclone"), "serve", "s3", data, "--addr", f"127.0.0.1:{port}", "--auth-key"]
    command += [f"{ACCESS_KEY},{SECRET_KEY}", "--config", folder / "none.conf"]
    with running(command, folder / "log", lambda: answers(port)) as process:
        endpoint = f"http://127.0.0.1:{port}"
        yield Server(f"s3://{BUCKET}", endpoint, "test", aws_environment(folder), data / BUCKET, process, port)


@pytest.fixture(scope="session")
def moto_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """S3 by moto's server: conditions and checksums as at Amazon, any key, no check of credentials."""
    folder = tmp_path_factory.mktemp("moto")
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command: list[str | Path] = [tool("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with running(command, folder / "log", lambda: answers(port)) as process:
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=BUCKET)
        client.close()
        yield Server(f"s3://{BUCKET}", endpoint, "test", aws_environment(folder), None, process, port)


@pytest.fixture(scope="session")
def ceph_s3(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """S3 by a genuine Ceph gateway: atomic conditions, Object Lock, no check of SHA-256. It takes a minute to start."""
    absent = [program for program in ("ceph-mon", "ceph-osd", "radosgw") if shutil.which(program) is None]
    if absent or os.geteuid() != 0:
        pytest.skip(f"not installed, or not root: {', '.join(absent)}; the Ceph gateway is not tested")
    folder = tmp_path_factory.mktemp("ceph")
    script = shared / "bench" / "ceph-rgw.sh"
    port = free_port()
    try:
        subprocess.run([script, "start", folder / "store", str(port)], check=True, capture_output=True, timeout=240)
        endpoint = f"http://127.0.0.1:{port}"
        environment = aws_environment(folder, *CEPH_KEYS)
        client = boto3.client(
            "s3", "us-east-1", endpoint_url=endpoint, aws_access_key_id=CEPH_KEYS[0], aws_secret_access_key=CEPH_KEYS[1]
        )
        client.create_bucket(Bucket=BUCKET)
        client.close()
        process = int((folder / "store" / "radosgw.pid").read_text())
        yield Server(f"s3://{BUCKET}", endpoint, "test", environment, None, process, port)
    finally:
        subprocess.run([script, "stop", folder / "store"], check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="session")
def other_s3(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """S3 by any service at all, if one is named: `REPATRIA_TEST_S3=ENDPOINT,BUCKET,ACCESS_KEY,SECRET_KEY`."""
    named = os.environ.get("REPATRIA_TEST_S3")
    if not named:
        pytest.skip("REPATRIA_TEST_S3 names no further S3 service")
    endpoint, bucket, access_key, secret_key = named.split(",")
    environment = aws_environment(tmp_path_factory.mktemp("other"), access_key, secret_key)
    return Server(f"s3://{bucket}", endpoint, "test", environment, None, os.getpid(), urlsplit(endpoint).port or 443)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """SFTP by OpenSSH's own server; `depot` in its SSH configuration names it."""
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@contextmanager
def running_sshd(folder: Path, settings: str = "") -> Iterator[Server]:
    """Run OpenSSH's server, with more lines of its configuration, until the block ends."""
    daemon = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if daemon is None:
        pytest.skip("sshd is not installed: SFTP is not tested")
    port = free_port()
    home = _ssh_home(folder, port)
    with (folder / "sshd_config").open("a") as config:
        config.write(settings)
    data = folder / "data"
    data.mkdir()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd run by root demands it
    command: list[str | Path] = [daemon, "-D", "-e", "-f", folder / "sshd_config"]
    with running(command, folder / "log", lambda: answers(port)) as process:
        environment = {"REPATRIA_SSH": f"ssh -F {home}/.ssh/config"}
        yield Server(f"sftp://depot{data}", None, None, environment, data, process, port)


def _ssh_home(folder: Path, port: int) -> Path:
    """Make keys, the server's configuration, and a home folder whose `.ssh` reaches it; return the home folder."""
    home = folder / "home"
    ssh = home / ".ssh"
    ssh.mkdir(parents=True, mode=0o700)
    for key in (folder / "host_key", ssh / "id_test"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key], check=True)
    (folder / "authorized_keys").write_text((ssh / "id_test.pub").read_text())
    host_key = (folder / "host_key.pub").read_text()
    (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    (ssh / "config").write_text(
        f"Host depot\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n"
        f"Host *\n  IdentityFile {ssh}/id_test\n  UserKnownHostsFile {ssh}/known_hosts\n  GlobalKnownHostsFile none\n"
    )
    (folder / "sshd_config").write_text(
        f"""\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""
    )
    return home


class CuttingProxy:
    """Forwards connections to a port of this machine; each of the next ones is cut after some bytes of the reply."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._cuts: list[int] = []
        self._stalls: list[int] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.carried = 0
        """Bytes of replies, taken from the server; those that nobody waits for any more are among them."""
        self._counting = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, *sizes: int) -> None:
        """Cut the next connection after so many bytes, the one after it after so many more ..."""
        self._cuts = list(sizes)

    def stall_after(self, *sizes: int) -> None:
        """Let the next connection fall silent after so many bytes, open as it is, and the one after it ..."""
        self._stalls = list(sizes)

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._target))
            cut = self._cuts.pop(0) if self._cuts else None
            stall = self._stalls.pop(0) if self._stalls else None
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._reply, args=(server, client, cut, stall), daemon=True).start()

    def _reply(self, server: socket.socket, client: socket.socket, cut: int | None, stall: int | None) -> None:
        def count(size: int) -> None:
            with self._counting:
                self.carried += size

        self._forward(server, client, cut, stall, count)

    @staticmethod
    def _forward(
        source: socket.socket,
        sink: socket.socket,
        left: int | None = None,
        stall: int | None = None,
        count: Callable[[int], None] = lambda size: None,
    ) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16 if left is None else min(left, 1 << 16)):
                sent += len(data)
                count(len(data))
                if stall is None or sent < stall:
                    sink.sendall(data)
                left = None if left is None else left - len(data)
                if left == 0:
                    break
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def tool(name: str) -> Path:
    """Return a program of the environment that runs the tests."""
    return Path(sys.executable).parent / name
