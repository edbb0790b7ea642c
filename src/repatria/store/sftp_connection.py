"""SSH connections: OpenSSH's own client carries them, each in a process of its own.

So host keys, agents, jump hosts, certificates and the user's configuration are what `ssh HOST` makes of them, and the
encryption takes no turn of this process.
"""

import contextlib
import logging
import socket
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import IO

from repatria.errors import Role, UsageError
from repatria.i18n import _
from repatria.store.base import Buffer
from repatria.store.sftp_packet import ProtocolError
from repatria.store.sftp_program import ConfigurationError, Ssh
from repatria.store.sftp_refusals import Refusal, refusal_of, told
from repatria.store.sftp_session import Session

PATIENCE = 60
"""Seconds without one byte, while one is due, after which a server counts as lost although its host answers."""
HANDSHAKE_SECONDS = 30
"""The same until there is a session: of a connection that stalls so early, ssh itself does not know that it is dead."""
ATTEMPTS = 4
"""How often a handshake is tried: a busy sshd drops some of them (sshd_config(5), MaxStartups)."""
BUFFER = 1 << 20
"""Bytes that may lie between the two processes, as far as the system allows."""
LAST_SECONDS = 5.0
"""How long ssh may take to end by itself once the server has left it."""

BROKEN = (OSError, EOFError, ProtocolError)
"""What a connection that breaks raises."""

LOG = logging.getLogger("repatria.sftp")


class Pipe:
    """The stream to and from the process that carries a connection."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self.limit(HANDSHAKE_SECONDS)

    def limit(self, seconds: int) -> None:
        """Wait no longer than so for a byte that is due."""
        # The system's limits, not Python's, under which one call could not wait for a whole packet.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._end.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", seconds, 0))

    def recv(self, nbytes: int, /) -> bytes:
        """Return that many bytes, fewer only where the stream ends or waiting was interrupted."""
        return self._end.recv(nbytes, socket.MSG_WAITALL)

    def sendall(self, data: Buffer, /) -> None:
        """Send all of the bytes."""
        self._end.sendall(data)

    def close(self) -> None:
        """Let go of it; whoever waits for bytes gets none."""
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()


@dataclass(slots=True, eq=False)
class Connection:
    """One SSH connection with one SFTP session on it."""

    session: Session
    pipe: Pipe
    process: "subprocess.Popen[bytes]"

    @property
    def alive(self) -> bool:
        """Whether it can be used again, as far as is known."""
        return not self.session.broken and self.process.poll() is None

    def close(self) -> None:
        """End it; what was not replied to by now may be undone or not."""
        _end(self.pipe, self.process)


class _NoSessionError(Exception):
    """ssh ended; its words are the argument."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server behind one store."""

    ssh: Ssh
    store: str
    """The public URI of the store there, as errors name it."""
    role: Role

    def connect(self, attempts: int = ATTEMPTS) -> Connection:
        """Return a new connection; UnreachableError if none can be had, RefusedError if it is not allowed, or not safe.

        A handshake that broke off is tried again, `attempts` times in all, ever more slowly.
        """
        for attempt in range(1, attempts + 1):
            try:
                return self._begin()
            except _NoSessionError as silence:
                said = str(silence)
                refusal = refusal_of(said)
            if refusal is not Refusal.BROKEN:
                break
            LOG.debug("%s: a handshake broke off", self.store)
            if attempt < attempts:
                time.sleep(2.0 ** (attempt - 1))
        raise told(refusal, said, self.ssh, self.store, self.role)

    def _begin(self) -> Connection:
        near, far = socket.socketpair()
        pipe = Pipe(near)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        with tempfile.TemporaryFile() as words:
            try:
                process = self._run(far, words)
            except BaseException:
                pipe.close()
                raise
            finally:
                far.close()
            connection = None
            try:
                connection = Connection(Session(pipe), pipe, process)
                pipe.limit(PATIENCE)
            except BROKEN as error:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LAST_SECONDS)  # it says why first
                words.seek(0)
                raise _NoSessionError(words.read().decode("utf-8", "replace")) from error
            finally:
                if connection is None:
                    _end(pipe, process)
            return connection

    def _run(self, end: socket.socket, words: IO[bytes]) -> "subprocess.Popen[bytes]":
        try:
            return self.ssh.begin(end, words)
        except ConfigurationError as error:
            raise told(Refusal.CONFIGURATION, str(error), self.ssh, self.store, self.role) from error
        except FileNotFoundError as error:
            raise UsageError(
                _("SFTP needs OpenSSH's client, and there is no {program}.").format(program=error.filename),
                advice=_("Install it: apt-get install openssh-client"),
            ) from error


def _end(pipe: Pipe, process: "subprocess.Popen[bytes]") -> None:
    pipe.close()
    process.terminate()
    process.wait()
