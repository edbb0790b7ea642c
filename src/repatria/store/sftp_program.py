"""OpenSSH's client as a program: how it is called, and what it is asked before and after."""

import os
import shlex
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

PROGRAM = "REPATRIA_SSH"
"""The variable of the environment that names another ssh, or gives it options: `ssh -F FILE`."""
STRICT = (
    "BatchMode=yes", "PasswordAuthentication=no", "KbdInteractiveAuthentication=no",
    "StrictHostKeyChecking=yes", "UpdateHostKeys=no", "VerifyHostKeyDNS=no", "NoHostAuthenticationForLocalhost=no",
    "ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no", "PermitLocalCommand=no", "RemoteCommand=none",
    "RequestTTY=no", "ControlMaster=no", "ControlPath=none",
    "ConnectTimeout=30", "ServerAliveInterval=8", "ServerAliveCountMax=2",
)  # fmt: skip
"""No question, no host that is not known, nothing learned of hosts, each connection its own, and a dead one found
within 24 seconds (ssh_config(5)). They go before every file of configuration."""


class ConfigurationError(Exception):
    """ssh does not take its configuration; its words are the argument."""


@dataclass(frozen=True)
class Ssh:
    """ssh to one host, named as the user names it; without port or user, the configuration's."""

    host: str
    port: int | None
    user: str | None

    @cached_property
    def settings(self) -> Mapping[str, Sequence[str]]:
        """What it makes of its configuration for this host (ssh(1), -G): values by keyword in lower case.

        ConfigurationError if it takes none of it, FileNotFoundError if there is no ssh.
        """
        asked = self._ask("-G")
        if asked.returncode:
            raise ConfigurationError(asked.stderr)
        found: dict[str, list[str]] = {}
        for line in asked.stdout.splitlines():
            keyword, _space, value = line.partition(" ")
            found.setdefault(keyword, []).append(value)
        return found

    def begin(self, end: socket.socket, words: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Run it with the server's SFTP at its other end, and its messages in `words`."""
        ciphers = fastest_first(self.settings["ciphers"][0])
        return subprocess.Popen(
            [*self._command("-oLogLevel=ERROR", f"-oCiphers={ciphers}", "-s"), "sftp"],
            stdin=end.fileno(),
            stdout=end.fileno(),
            stderr=words,
            env=_environment(),
            # Without a terminal, nothing that it calls can ask either, and Ctrl-C is this process's to hear.
            start_new_session=True,
        )

    def account(self) -> str:
        """Connect once more and return its account of the handshake."""
        return self._ask("-v", "-s", subsystem="sftp").stderr

    def locked_key(self) -> Path | None:
        """Return the first file of a key that cannot be opened without its passphrase."""
        files = (Path(name).expanduser() for name in self.settings.get("identityfile", ()))
        return next((file for file in files if file.is_file() and _is_locked(file)), None)

    def _ask(self, *options: str, subsystem: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._command(*options), *([subsystem] if subsystem else [])],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=_environment(),
            start_new_session=True,
            check=False,
        )

    def _command(self, *options: str) -> list[str]:
        """Return the command line; the host stands where it cannot be taken for an option."""
        port = ["-p", str(self.port)] if self.port else []
        user = ["-l", self.user] if self.user else []
        strict = (f"-o{option}" for option in STRICT)
        return [*shlex.split(os.environ.get(PROGRAM) or "ssh"), *strict, *port, *user, *options, "--", self.host]


def fastest_first(ciphers: str) -> str:
    """Return a list of ciphers, those that it allows and no others, with the fastest in front.

    AES-GCM takes a third of the time of OpenSSH's own first choice where the processor has AES.
    """
    names = ciphers.split(",")
    return ",".join(sorted(names, key=lambda name: "gcm" not in name))


def _environment() -> dict[str, str]:
    """Return the environment for ssh, in which no window asks for a passphrase."""
    kept = {name: value for name, value in os.environ.items() if name != "SSH_ASKPASS"}
    return {**kept, "SSH_ASKPASS_REQUIRE": "never"}


def _is_locked(file: Path) -> bool:
    opened = subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", str(file)], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return opened.returncode != 0
