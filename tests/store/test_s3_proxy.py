"""S3 through a proxy that connects through to it under TLS: the only way out of many a ministry."""

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from traceback import format_exception

import pytest

from repatria.errors import RefusedError, Role, UnreachableError, UsageError
from repatria.store.s3 import S3Store
from tests.faults.making import Site, make_site, sha256_of
from tests.migrate.making import noise, write
from tests.servers import ACCESS_KEY, BUCKET, SECRET_KEY, Server, answers, aws_environment, free_port, running, tool
from tests.store.certificates import certificate_for

HOST = "s3.coffre.test"
"""No name server knows it: only the proxy does."""
USER = "agent:p@ss:word"


class ConnectingProxy:
    """A proxy that connects through to one host, and counts; with `user`, only for who names it."""

    def __init__(self, port: int, user: str | None = None) -> None:
        self.through: list[str] = []
        self._port = port
        self._user = user
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            method, place, *_rest = head.decode("latin-1").split()
            wanted = base64.b64encode((self._user or "").encode()).decode()
            if self._user and f"Proxy-Authorization: Basic {wanted}\r\n".encode() not in head:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            elif method != "CONNECT" or place != f"{HOST}:443":
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            else:
                self.through.append(place)
                with socket.create_connection(("127.0.0.1", self._port)) as server:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    up = threading.Thread(target=carry, args=(client, server), daemon=True)
                    up.start()
                    carry(server, client)
                    up.join()


def carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def tls_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """S3 by rclone under TLS, with a certificate for a host that it is not reached under."""
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    (folder / "data" / BUCKET).mkdir(parents=True)
    certificate = certificate_for(HOST, folder, 1)
    command: list[str | Path] = [tool("rclone"), "serve", "s3", folder / "data", "--addr", f"127.0.0.1:{port}"]
    command += ["--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--config", folder / "none.conf"]
    command += ["--cert", certificate, "--key", certificate]
    with running(command, folder / "log", lambda: answers(port)) as process:
        env = {**aws_environment(folder), "AWS_CA_BUNDLE": str(certificate)}
        yield Server(f"s3://{BUCKET}", f"https://{HOST}", "test", env, folder / "data" / BUCKET, process, port)


@pytest.fixture(params=[None, USER], ids=["open", "with a password"])
def proxy(request: pytest.FixtureRequest, tls_s3: Server) -> Iterator[ConnectingProxy]:
    made = ConnectingProxy(tls_s3.port, request.param)
    if request.param:
        made.url = made.url.replace("//", "//agent:p%40ss%3Aword@")
    yield made
    made.close()


def site_through(tls_s3: Server, tmp_path: Path, **proxies: str) -> Site:
    env = {**tls_s3.env, **proxies}
    write(tmp_path / "abroad", FILES)
    target = Server(tls_s3.root_uri, tls_s3.endpoint, tls_s3.profile, env, None, tls_s3.process, tls_s3.port)
    return make_site(tmp_path, None, (target, target.new_place()))


FILES = {f"f{number}": noise(300_000 + number) for number in range(9)}


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_copy_goes_through_the_proxy_that_the_environment_names(
    tls_s3: Server, proxy: ConnectingProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    site = site_through(tls_s3, tmp_path, **{name: proxy.url})
    ended = site.run("copy", "d.toml")
    assert ended.code == 0, ended.said
    assert set(proxy.through) == {f"{HOST}:443"}
    assert "p%40ss" not in ended.said + ended.out
    for variable, value in site.env.items():
        monkeypatch.setenv(variable, value)
    assert site.held() == sha256_of(FILES)


def test_a_host_that_is_reached_without_is_reached_without(
    tls_s3: Server, proxy: ConnectingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls_s3.use(monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "localhost,.coffre.test")
    store = S3Store(BUCKET, endpoint=tls_s3.endpoint, profile="test", role=Role.SOURCE)
    with pytest.raises(UnreachableError, match="no connection"):
        list(store.list())
    assert proxy.through == []


def test_a_proxy_that_wants_a_password_is_told_at_once_and_by_name(tls_s3: Server, tmp_path: Path) -> None:
    proxy = ConnectingProxy(tls_s3.port, USER)
    ended = site_through(tls_s3, tmp_path, HTTPS_PROXY=proxy.url).run("copy", "d.toml")
    proxy.close()
    assert ended.code == 5
    assert "The proxy on the way" in ended.said
    assert "refuses (407)" in ended.said
    assert "HTTPS_PROXY" in ended.said


@pytest.mark.parametrize("place", ["h:99x", "h:99999999", "h:0", "h:-1", ":3128", "[::1:3128", "h:٣:8"], ids=ascii)
def test_a_proxy_that_is_no_url_is_a_mistake_in_the_environment_and_its_password_is_not_shown(
    tls_s3: Server, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    tls_s3.use(monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", f"http://agent:geheim@{place}")
    store = S3Store(BUCKET, endpoint=tls_s3.endpoint, profile="test", role=Role.SOURCE)
    with pytest.raises(UsageError, match="no URL of a proxy") as caught:
        list(store.list())
    assert caught.value.code == 2
    assert "geheim" not in "".join(format_exception(caught.value))


def test_a_proxy_that_does_not_get_through_is_no_connection(tls_s3: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    tls_s3.use(monkeypatch)
    proxy = ConnectingProxy(tls_s3.port)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setattr("repatria.store.s3_exchange.FIRST_PAUSE", 0.01)
    store = S3Store(BUCKET, endpoint="https://elsewhere.test", profile="test", role=Role.SOURCE)
    with pytest.raises(UnreachableError, match="no connection"):
        list(store.list())
    proxy.close()


def test_a_proxy_in_the_clear_that_wants_a_password_is_told_too(
    tls_s3: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls_s3.use(monkeypatch)
    proxy = ConnectingProxy(tls_s3.port, USER)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    store = S3Store(BUCKET, endpoint="http://elsewhere.test", profile="test", role=Role.SOURCE)
    with pytest.raises(RefusedError, match=r"refuses \(407\)"):
        list(store.list())
    proxy.close()
