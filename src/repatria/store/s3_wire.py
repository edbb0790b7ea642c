"""The socket of one connection, and how long a call on it may wait."""

import contextlib
import select
import socket
import ssl
import struct

from repatria.store.base import Buffer


class Wire:
    """A connected socket; TimeoutError (without `errno`) once a call has waited as long as it may.

    Whatever waits gives the interpreter's lock away, and among a hundred readers has to wait for it again. Python's own
    time limits make two such calls of each, and setting one is another: so a plain socket gets the system's (socket(7),
    SO_RCVTIMEO). Under TLS Python would only try again where these run out, and its own have to do.
    """

    def __init__(self, end: socket.socket, seconds: float) -> None:
        """Take over a socket, each call on which may wait so long."""
        self._end = end
        self._seconds = 0.0
        self._by_system = not isinstance(end, ssl.SSLSocket) and _takes_limits(end)
        if self._by_system:
            end.settimeout(None)
        self.limit(seconds)

    def limit(self, seconds: float) -> None:
        """Let each call wait so long from now on."""
        if seconds == self._seconds:
            return
        self._seconds = seconds
        if self._by_system:
            _set_limits(self._end, seconds)
        else:
            self._end.settimeout(seconds)

    def send(self, data: Buffer) -> int:
        """Send some of the bytes; return how many.

        A plain socket that takes ever less may wait three times as long before nothing is taken, where the kernel does
        not give the link up by itself (`s3_link`).
        """
        try:
            return self._end.send(data)
        except BlockingIOError as error:
            raise TimeoutError("nothing was taken in time") from error

    def receive(self, most: int) -> bytes:
        """Return some of what comes, nothing at the end of the connection."""
        try:
            return self._end.recv(most)
        except BlockingIOError as error:
            raise TimeoutError("nothing came in time") from error

    def has_something(self) -> bool:
        """Return whether there is something to receive now, or the end; under TLS it may be none of the other's."""
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self._end.close()


def _takes_limits(end: socket.socket) -> bool:
    """Return whether the system's limits can be told so: with 64-bit times on 32 bits they have another shape."""
    try:
        _set_limits(end, 1.0)
    except OSError:
        return False
    return True


def _set_limits(end: socket.socket, seconds: float) -> None:
    span = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        end.setsockopt(socket.SOL_SOCKET, option, span)
