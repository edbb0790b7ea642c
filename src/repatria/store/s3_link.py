"""Connections to an S3 service: straight or through a proxy, in the clear or under TLS, and never silently dead."""

import base64
import socket
import ssl
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

CONNECT_SECONDS = 15.0
STALL_SECONDS = 30.0
"""How long a connection may say nothing, or take nothing, before it is given up."""
LONGEST_HEAD = 1 << 16


class BrokenError(OSError):
    """The connection ended, or what came over it is no HTTP."""


class NoConnectionError(OSError):
    """No connection came about."""


class NoAnswerError(TimeoutError):
    """A request was sent, the connection stands, and no answer came in time."""


class ProxyRefusedError(OSError):
    """A proxy answers, and does not let us through."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the proxy refuses: {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    proxy: str | None = field(default=None, repr=False)
    """URL of an HTTP proxy, `http://[user:password@]host:port`."""

    @property
    def authority(self) -> str:
        """The Host of a request: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    @property
    def target_prefix(self) -> str:
        """What stands before the path in a request: to a proxy that sees the request, the whole URL."""
        return f"http://{self.authority}" if self.proxy and not self.tls else ""

    @property
    def proxy_line(self) -> str:
        """The header line that tells a proxy who asks, if its URL has a user."""
        hop = urlsplit(self.proxy or "")
        if hop.username is None:
            return ""
        user = f"{unquote(hop.username)}:{unquote(hop.password or '')}"
        return f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"


def proxy_for(scheme: str, host: str) -> str | None:
    """Return the proxy that the environment names for a host, as everywhere (`http_proxy`, `no_proxy`, ...)."""
    proxies = urllib.request.getproxies()
    return None if urllib.request.proxy_bypass(host) else proxies.get(scheme) or proxies.get("all")


def is_proxy(url: str) -> bool:
    """Return whether a URL names a host, and a port that there can be."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def connected(origin: Origin) -> socket.socket:
    """Return a new connection; NoConnectionError, ProxyRefusedError, or ssl.SSLCertVerificationError."""
    try:
        return _linked(origin)
    except (ssl.SSLCertVerificationError, ProxyRefusedError):
        raise
    except OSError as error:
        raise NoConnectionError(str(error)) from error


def _linked(origin: Origin) -> socket.socket:
    hop = urlsplit(origin.proxy) if origin.proxy else None
    address = (hop.hostname or "", hop.port or 80) if hop else (origin.host, origin.port)
    link = socket.create_connection(address, CONNECT_SECONDS)
    try:
        _watch(link)
        if origin.tls is None:
            return link
        if hop:
            _tunnel(link, origin)
        return origin.tls.wrap_socket(link, server_hostname=origin.host)
    except BaseException:
        link.close()
        raise


def _watch(link: socket.socket) -> None:
    """Have the kernel notice a link that died, also while nothing is sent and a service ponders."""
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    seconds = int(STALL_SECONDS)
    wanted = {"TCP_USER_TIMEOUT": seconds * 1000, "TCP_KEEPIDLE": seconds // 2, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
    for name, value in wanted.items():
        option = getattr(socket, name, None)  # not every system has each
        if option is not None:
            link.setsockopt(socket.IPPROTO_TCP, option, value)


def _tunnel(link: socket.socket, origin: Origin) -> None:
    """Have a proxy connect through to the origin (RFC 9110, 9.3.6)."""
    place = f"[{origin.host}]:{origin.port}" if ":" in origin.host else f"{origin.host}:{origin.port}"
    link.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{origin.proxy_line}\r\n".encode("latin-1"))
    head = b""
    while b"\r\n\r\n" not in head:
        received = link.recv(4096)
        if not received or len(head) > LONGEST_HEAD:
            raise BrokenError("the proxy does not answer")
        head += received
    status = head.split(b" ", 2)[1][:3] if head.startswith(b"HTTP/1.") else b""
    if status != b"200":
        raise ProxyRefusedError(int(status)) if status.startswith(b"4") else BrokenError("the proxy gets no further")
