"""Copying from an SFTP server, OpenSSH's own, against rclone to its crypt: `./run bench sftp [disk|wan]...`.

`disk`: one large file over loopback. `wan`: small and large files over a long thin link, each connection of which
carries a fraction of it.
"""

import contextlib
import getpass
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.harness import MIB, Measure, Report, Work, rounds_wanted, write_objects
from bench.servers import free_port, long_thin_link, running

KIB = 1024
DISK = [1024 * MIB]
WAN = [8 * KIB] * 4000 + [5 * MIB] * 60 + [690 * MIB]
LINK_MBIT = 200


@dataclass(frozen=True, slots=True)
class Sshd:
    """An OpenSSH server on loopback, with keys of its own."""

    folder: Path
    port: int

    def environment(self, port: int) -> dict[str, str]:
        """Return what both clients need to reach it through a port: a configuration for ours, a remote for rclone."""
        ssh = self.folder / f"ssh-{port}"
        ssh.mkdir(parents=True, mode=0o700, exist_ok=True)
        host_key = (self.folder / "host_key.pub").read_text()
        (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
        (ssh / "config").write_text(
            f"Host far\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n"
            f" IdentityFile {self.folder}/id\n UserKnownHostsFile {ssh}/known_hosts\n"
        )
        remote = {
            "TYPE": "sftp", "HOST": "127.0.0.1", "PORT": str(port), "USER": getpass.getuser(),
            "KEY_FILE": str(self.folder / "id"), "KNOWN_HOSTS_FILE": str(ssh / "known_hosts"),
        }  # fmt: skip
        ours = {"REPATRIA_SSH": f"ssh -F {ssh}/config"}
        return ours | {f"RCLONE_CONFIG_DEEP_{key}": value for key, value in remote.items()}


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Run OpenSSH's server with its defaults until the block ends."""
    daemon = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if daemon is None:
        sys.exit("sshd is not installed: it comes with the package openssh-server")
    folder.mkdir()
    for key in ("host_key", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    (folder / "authorized_keys").write_text((folder / "id.pub").read_text())
    port = free_port()
    lines = (
        "ListenAddress 127.0.0.1", f"Port {port}", f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/authorized_keys", "PidFile none", "StrictModes no", "UsePAM no",
        "PermitRootLogin prohibit-password", "Subsystem sftp internal-sftp",
    )  # fmt: skip
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd run by root demands it
    with running([daemon, "-D", "-f", str(folder / "sshd_config")], port):
        yield Sshd(folder, port)


def _work(folder: Path, server: Sshd, port: int) -> Work:
    far, near = folder / "far", folder / "near"
    return Work(
        folder=folder,
        source=f"sftp://far{far}", source_endpoint=None, target=str(near), target_endpoint=None,
        rclone_source=f"deep:{far}", rclone_target=str(near), environment=server.environment(port),
    )  # fmt: skip


@contextmanager
def _served(sizes: list[int]) -> Iterator[tuple[Path, Sshd, int]]:
    with tempfile.TemporaryDirectory(prefix="repatria-bench-") as scratch:
        folder = Path(scratch)
        size = write_objects(folder / "far", sizes)
        (folder / "near").mkdir()
        with sshd(folder / "sshd") as server:
            yield folder, server, size


def disk(report: Report) -> None:
    """One large file over loopback to a disk: Repatria and rclone in turn, every round."""
    with _served(DISK) as (folder, server, size):
        work = _work(folder, server, server.port)
        work.prepare()
        ours: list[Measure] = []
        theirs: list[Measure] = []
        for number in range(rounds_wanted()):
            ours.append(work.copy(f"disk-{number}"))
            theirs.append(work.rclone(f"peer-{number}"))
            for place in (f"disk-{number}", f"peer-{number}"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(folder / "near" / place)
    seconds = report.add("disk", "repatria", ours, size)
    peers = report.add("disk", "rclone crypt", theirs, size)
    report.compare("disk", "times faster than rclone crypt", peers / seconds, ">= 1.2")


def wan(report: Report) -> None:
    """Small and large files over a long thin link."""
    with _served(WAN) as (folder, server, size):
        ours: list[Measure] = []
        links: list[float] = []
        for number in range(rounds_wanted()):
            with long_thin_link(server.port) as (port, told):
                work = _work(folder, server, port)
                work.prepare()
                ours.append(work.copy(f"wan-{number}"))
            links.append(told.get("bytes_down", 0))
            shutil.rmtree(folder / "near" / f"wan-{number}")
    seconds = report.add("wan", "repatria", ours, size, links)
    report.compare("wan", "link used", size / (LINK_MBIT * 125_000) / seconds, ">= 0.75")


CASES = {"disk": disk, "wan": wan}


def main() -> None:
    """Run the cases named, or all."""
    report = Report("sftp")
    for name in sys.argv[1:] or list(CASES):
        CASES[name](report)
    report.show()


if __name__ == "__main__":
    main()
