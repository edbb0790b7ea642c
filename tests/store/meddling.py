"""Servers that misbehave on purpose: a proxy that meddles with a real S3 service, a socket that keeps to a script."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Asked:
    """One request that came through, and what is answered to it."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What the proxy answers by itself."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stall: threading.Event | None = None
    """Send half of the body, then nothing until this is set."""


def error(code: str) -> bytes:
    return f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>no</Message></Error>'.encode()


class Meddler:
    """A proxy before a real service; `meddle` may answer in its place, or change what is forwarded."""

    def __init__(self, endpoint: str) -> None:
        self.meddle: Callable[[Asked], Answer | None] = lambda asked: None
        self.asked: list[Asked] = []
        self._upstream = urlsplit(endpoint).netloc
        handler = type("Bound", (_Handler,), {"meddler": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.meddle(asked) or self.fetched(asked)

    def fetched(self, asked: Asked) -> Answer:
        """Ask the real service."""
        connection = http.client.HTTPConnection(self._upstream)
        with contextlib.closing(connection):
            connection.putrequest(asked.method, asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in asked.headers.items():
                if name not in {"expect", "connection"}:
                    connection.putheader(name, value)
            connection.endheaders(asked.body or None)
            reply = connection.getresponse()
            headers = {name: value for name, value in reply.getheaders() if name.lower() not in _FRAMING}
            if asked.method == "HEAD":
                headers["Content-Length"] = reply.headers.get("Content-Length", "0")
            return Answer(reply.status, reply.read(), headers)

    def __enter__(self) -> "Meddler":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


_FRAMING = {"content-length", "transfer-encoding", "connection", "date", "server"}


class _Handler(BaseHTTPRequestHandler):
    meddler: Meddler
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.meddler.answer(Asked(self.command, self.path, headers, body))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.stall is not None:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.wfile.flush()
            answer.stall.wait(20)
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _handle  # noqa: N815 -- names that http.server asks for

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Scripted:
    """A socket server: each connection is given its replies, one a request, then closed."""

    port: int
    heads: list[bytes] = field(default_factory=list)
    """The heads of the requests that came, bodies left out."""
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def scripted(*connections: Sequence[bytes]) -> Iterator[Scripted]:
    """Serve connections one after the other, each with its replies; a reply is sent once a request's head has come.

    A body is read after the reply `HTTP/1.1 100`, or before any other.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    server = Scripted(listener.getsockname()[1])

    def serve() -> None:
        with contextlib.suppress(OSError):
            for replies in connections:
                client, _address = listener.accept()
                with client, client.makefile("rb") as incoming:
                    for reply in replies:
                        _serve_one(server, client, incoming.readline, incoming.read, reply)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.close()
        thread.join(5)


def _serve_one(
    server: Scripted,
    client: socket.socket,
    read_line: Callable[[], bytes],
    read: Callable[[int], bytes],
    reply: bytes,
) -> None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = read_line()
        if not line:
            return
        head += line
    server.heads.append(head)
    lines = head.decode("latin-1").lower().split("\r\n")
    length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")), 0)
    expects = "expect: 100-continue" in lines
    if length and (not expects or reply.startswith(b"HTTP/1.1 100")):
        if expects:
            interim, _end, reply = reply.partition(b"\r\n\r\n")
            client.sendall(interim + b"\r\n\r\n")
        server.bodies.append(read(length))
    client.sendall(reply)
