"""A real Dask cluster on loopback: a scheduler and workers, each a process of its own."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from distributed.security import Security

from repatria.work.cluster_address import ClusterAddress

ROOT = Path(__file__).parent.parent
ALLOWED_FAILURES = 1
"""Workers that a unit may end before the scheduler gives it up with the next one."""
PATIENCE = 60.0
"""Seconds that a process may take to be there."""


@contextmanager
def frozen(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Have a process do nothing, its connections open, until the block ends."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@dataclass(slots=True)
class DaskWorker:
    """One worker process."""

    process: "subprocess.Popen[bytes]"
    log: Path
    """What it wrote to stdout and stderr."""

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@dataclass(slots=True)
class DaskCluster:
    """A scheduler; workers come and go."""

    folder: Path
    address: ClusterAddress
    log: Path
    """What the scheduler wrote to stdout and stderr."""
    process: "subprocess.Popen[bytes]"
    scheme: str = "tcp"
    environment: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def working(
        self,
        count: int = 2,
        *options: str,
        threads: int = 1,
        environment: Sequence[Mapping[str, str]] = (),
    ) -> Iterator[list[DaskWorker]]:
        """Have so many workers; `environment` holds variables of each."""
        given = [*environment, *({} for _each in range(count))]
        begun = [self._worker([*options, "--nthreads", str(threads)], given[at]) for at in range(count)]
        try:
            for worker in begun:
                _await_line(worker, "Registered to")
            yield begun
        finally:
            for worker in begun:
                _end(worker.process)

    def _worker(self, options: Sequence[str], environment: Mapping[str, str]) -> DaskWorker:
        log = self.folder / f"worker-{time.monotonic_ns()}.log"
        if "--nanny" not in options:
            options = [*options, "--no-nanny"]
        if "--memory-limit" not in options:
            options = [*options, "--memory-limit", "0"]
        where = f"{self.scheme}://{self.address.host}:{self.address.port}"
        arguments = ["worker", where, "--host", "127.0.0.1", "--no-dashboard", "--local-directory", str(self.folder)]
        variables = {"PYTHONPATH": str(ROOT), **self.environment, **environment}
        return DaskWorker(_started([*arguments, *options], log, variables), log)


@contextmanager
def dask_cluster(
    folder: Path, *options: str, port: int = 0, scheme: str = "tcp", environment: Mapping[str, str] | None = None
) -> Iterator[DaskCluster]:
    """Start a scheduler; its files go into `folder`."""
    environment = environment or {}
    told, log = folder / "scheduler.json", folder / "scheduler.log"
    process = _started(
        [
            *("scheduler", "--protocol", scheme, "--host", "127.0.0.1", "--port", str(port)),
            *("--no-dashboard", "--scheduler-file", str(told), *options),
        ],
        log,
        {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(ALLOWED_FAILURES), **environment},
    )
    try:
        end = time.monotonic() + PATIENCE
        while not told.exists() or not told.read_text().endswith("}"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        listening = json.loads(told.read_text())["address"].partition("://")[2]
        host, _colon, listening_port = listening.rpartition(":")
        yield DaskCluster(folder, ClusterAddress(host, int(listening_port)), log, process, scheme, environment)
    finally:
        _end(process)


def certificates(folder: Path) -> dict[str, str]:
    """Make a CA with one certificate in a new folder, and return Dask's settings that name them for everybody."""
    folder.mkdir()
    made = Security.temporary()
    files = {}
    for name, content in (("ca", made.tls_ca_file), ("cert", made.tls_client_cert), ("key", made.tls_client_key)):
        files[name] = str(folder / name)
        Path(files[name]).write_text(content)
    return {"distributed.comm.tls.ca-file": files["ca"]} | {
        f"distributed.comm.tls.{role}.{name}": files[name]
        for role in ("scheduler", "worker", "client")
        for name in ("cert", "key")
    }


def as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return Dask's settings as variables."""
    return {f"DASK_{name.upper().replace('.', '__').replace('-', '_')}": value for name, value in settings.items()}


class Relay:
    """Stands between a client and its scheduler, and can break connections as a network does."""

    def __init__(self, to: ClusterAddress) -> None:
        self._to = to
        self._server = socket.create_server(("127.0.0.1", 0))
        self._carried: list[tuple[socket.socket, socket.socket, bytearray]] = []
        self.address = ClusterAddress("127.0.0.1", self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self, operation: bytes) -> int:
        """Reset every open connection by which such a call went, but those of clients themselves; return how many."""
        chosen = [each for each in self._carried if operation in each[2] and b"register-client" not in each[2]]
        for each in chosen:
            self._carried.remove(each)
            for end in each[:2]:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        return len(chosen)

    def close(self) -> None:
        """Take no more connections."""
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _address = self._server.accept()
                far = socket.create_connection((self._to.host, self._to.port))
                told = bytearray()
                self._carried.append((near, far, told))
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, target, told), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket, told: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                told += data
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _started(arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    with log.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )


def _await_line(worker: DaskWorker, line: str) -> None:
    end = time.monotonic() + PATIENCE
    while line not in worker.log.read_text():
        assert worker.process.poll() is None, worker.log.read_text()
        assert time.monotonic() < end, worker.log.read_text()
        time.sleep(0.05)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
        return
    process.kill()
    process.wait()
