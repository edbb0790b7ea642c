"""HTTP as S3 services speak it, and as broken ones do."""

import base64
import contextlib
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from repatria.store import s3_http, s3_pool
from repatria.store.base import Buffer
from repatria.store.s3_link import BrokenError, NoConnectionError, Origin, ProxyRefusedError, proxy_for
from repatria.store.s3_pool import Pool
from tests.store.certificates import certificate_for
from tests.store.meddling import scripted

HEAD = "GET /k HTTP/1.1\r\nhost: h\r\n"
LONG = 2 << 20
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def reply(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def asked(pool: Pool, body: bytes | None = None, *, is_head: bool = False) -> bytes:
    head = HEAD if body is None else f"{HEAD}content-length: {len(body)}\r\n"
    with contextlib.closing(pool.ask(head, None if body is None else [body], is_head=is_head).body) as answer:
        return answer.read_all(LONG * 2)


class TestBodies:
    @pytest.mark.parametrize(
        "answer",
        [
            reply(b"0123456789"),
            CHUNKED + b"4\r\n0123\r\n6;x=y\r\n456789\r\n0\r\nTrailer: t\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123456789",
            b"HTTP/1.0 200 OK\r\n\r\n0123456789",
            b"HTTP/1.1 100 Continue\r\n\r\n" + reply(b"0123456789"),
        ],
    )
    def test_end_where_they_should(self, answer: bytes) -> None:
        with scripted([answer]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            assert asked(pool) == b"0123456789"
            pool.close()

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n0123456789",
            CHUNKED + b"4\r\n0123\r\n6\r\n456",
            CHUNKED + b"4\r\n0123\r\n",
            CHUNKED + b"no number\r\n0123\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
            CHUNKED + b"4\r\n0123\r\n-6\r\n\r\n",
            CHUNKED + b"4\r\n0123\r\n" + b"f" * 5000 + b"\r\n",
            CHUNKED + b"0\r\n" + b"x: y\r\n" * 20_000,
            b"HTTP/1.1 102 Processing\r\n\r\n" * 1000,
            b"HTTP/1.1 200",
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"x" * 200_000,
        ],
    )
    def test_that_break_off_or_are_no_http_are_never_short_without_an_error(self, answer: bytes) -> None:
        with scripted([answer]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            with pytest.raises(BrokenError):
                asked(pool)
            pool.close()

    def test_of_a_head_and_of_nothing_are_empty(self) -> None:
        without_body = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
        with scripted([without_body, reply(b"", status="204 No Content")]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            assert asked(pool, is_head=True) == b""
            assert asked(pool) == b""
            pool.close()

    def test_a_longer_one_than_may_be_is_refused(self) -> None:
        with scripted([reply(b"0123456789")]) as server:
            body = Pool(Origin("127.0.0.1", server.port)).ask(HEAD).body
            with pytest.raises(BrokenError):
                body.read_all(9)
            body.close()

    def test_are_read_in_pieces_as_large_as_asked_for(self) -> None:
        with scripted([reply(b"x" * 1_000_000)]) as server:
            body = Pool(Origin("127.0.0.1", server.port)).ask(HEAD).body
            assert [len(piece) for piece in iter(lambda: body.read(400_000), b"")] == [400_000, 400_000, 200_000]


class TestConnections:
    def test_are_kept_for_the_next_request(self) -> None:
        with scripted([reply(b"1"), reply(b"2"), reply(b"3")]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            assert [asked(pool) for _number in range(3)] == [b"1", b"2", b"3"]
            pool.close()

    def test_that_the_service_closed_meanwhile_are_replaced_without_a_word(self) -> None:
        with scripted([reply(b"1")], [reply(b"2")]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            assert asked(pool) == b"1"
            time.sleep(0.05)  # the end of the connection is on its way
            assert asked(pool) == b"2"
            pool.close()

    def test_that_brought_a_reply_to_nothing_are_replaced_and_it_is_no_answer(self) -> None:
        tired = reply(b"", "Connection: close", status="408 Request Timeout")
        with scripted([reply(b"1") + tired], [reply(b"2")]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            assert asked(pool) == b"1"
            time.sleep(0.05)
            assert asked(pool) == b"2"
            pool.close()

    def test_that_end_just_as_they_are_used_are_replaced_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s3_http.Connection, "is_idle", lambda self: True)
        with scripted([reply(b"1")], [reply(b"2")]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            assert asked(pool) == b"1"
            time.sleep(0.05)
            assert asked(pool) == b"2"
            pool.close()

    def test_that_were_idle_for_long_are_replaced_lest_the_link_lost_them_without_a_word(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(s3_pool, "IDLE_SECONDS", 0.0)
        with scripted([reply(b"1"), reply(b"no")], [reply(b"2")]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            assert [asked(pool), asked(pool)] == [b"1", b"2"]
            pool.close()

    def test_that_end_before_any_reply_to_their_first_request_are_an_error(self) -> None:
        with scripted([b""]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            with pytest.raises(BrokenError):
                asked(pool)
            pool.close()

    @pytest.mark.parametrize("left", ["unread", "closing"])
    def test_with_bytes_left_or_that_are_to_close_are_not_used_again(self, left: str) -> None:
        header = ["Connection: close"] if left == "closing" else []
        with scripted([reply(b"1" * 10, *header), reply(b"no")], [reply(b"2")]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            first = pool.ask(HEAD)
            if left == "unread":
                first.body.read(3)
                first.body.close()
            else:
                first.body.read(10)
            assert asked(pool) == b"2"
            pool.close()

    def test_that_fall_silent_are_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s3_http, "STALL_SECONDS", 0.2)
        listener = socket.create_server(("127.0.0.1", 0))
        pool = Pool(Origin("127.0.0.1", listener.getsockname()[1]))
        with listener, pytest.raises(TimeoutError):
            pool.ask(HEAD)

    def test_that_take_nothing_are_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s3_http, "STALL_SECONDS", 0.2)
        monkeypatch.setattr(s3_http, "CONTINUE_SECONDS", 0.05)
        listener = socket.create_server(("127.0.0.1", 0))
        pool = Pool(Origin("127.0.0.1", listener.getsockname()[1]))
        with listener, pytest.raises(TimeoutError):
            pool.ask(HEAD, [b"x" * (64 << 20)])

    def test_that_move_slowly_have_all_the_time_they_need(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s3_http, "STALL_SECONDS", 0.5)
        monkeypatch.setattr(s3_http, "PIECE", 1 << 14)
        left, right = socket.socketpair()
        monkeypatch.setattr(s3_http, "connected", lambda origin: left)
        taken = bytearray()

        def take_slowly() -> None:
            while len(taken) < 900_000:
                time.sleep(0.02)
                taken.extend(right.recv(1 << 15))
            right.sendall(reply(b"done"))

        thread = threading.Thread(target=take_slowly)
        thread.start()
        with right:
            assert asked(Pool(Origin("h", 80)), b"x" * 900_000) == b"done"
        thread.join()

    def test_that_cannot_be_made_are_told_apart(self) -> None:
        with pytest.raises(NoConnectionError):
            Pool(Origin("127.0.0.1", 1)).ask(HEAD)


class TestLargeBodies:
    BODY = bytes(range(256)) * (LONG // 256)

    def test_are_sent_once_the_service_wants_them(self) -> None:
        with scripted([b"HTTP/1.1 100 Continue\r\n\r\n" + reply(b"kept")]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            assert asked(pool, self.BODY) == b"kept"
            pool.close()
        assert server.bodies == [self.BODY]

    def test_are_not_sent_to_a_service_that_refuses_first(self) -> None:
        with scripted([reply(b"no", status="403 Forbidden")]) as server:
            pool = Pool(Origin("127.0.0.1", server.port))
            answer = pool.ask(f"{HEAD}content-length: {LONG}\r\n", [self.BODY])
            assert (answer.status, answer.body.read(10)) == (403, b"no")
        assert server.bodies == []

    @pytest.mark.parametrize("tls", [False, True])
    def test_are_sent_to_a_service_that_says_nothing(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tls: bool
    ) -> None:
        """Under TLS it says something of the session, behind the handshake, and nothing of the body."""
        monkeypatch.setattr(s3_http, "CONTINUE_SECONDS", 0.05)
        certificate = certificate_for("localhost", tmp_path, 1)
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(certificate)
        asking = ssl.create_default_context(cafile=certificate)
        listener = socket.create_server(("127.0.0.1", 0))
        got = bytearray()

        def serve() -> None:
            accepted, _address = listener.accept()
            with serving.wrap_socket(accepted, server_side=True) if tls else accepted as client:
                while len(got) < LONG:
                    got.extend(client.recv(1 << 20))
                client.sendall(reply(b"kept"))

        thread = threading.Thread(target=serve)
        thread.start()
        pool = Pool(Origin("localhost", listener.getsockname()[1], asking if tls else None))
        halves: list[Buffer] = [memoryview(self.BODY)[:1000], bytearray(self.BODY[1000:])]
        assert pool.ask(HEAD, halves).body.read(10) == b"kept"
        thread.join()
        listener.close()
        pool.close()
        assert bytes(got).endswith(self.BODY)


class TestProxies:
    def test_are_those_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("https_proxy", "http://proxy.example.org:3128")
        monkeypatch.setenv("no_proxy", "s3.example.sn,127.0.0.1")
        assert proxy_for("https", "s3.example.org") == "http://proxy.example.org:3128"
        assert proxy_for("https", "s3.example.sn") is None

    def test_are_asked_for_the_whole_url(self) -> None:
        with scripted([reply(b"1")]) as server:
            origin = Origin("s3.example.org", 9000, proxy=f"http://user:p%40ss@127.0.0.1:{server.port}")
            pool = Pool(origin)
            head = f"GET {origin.target_prefix}/k HTTP/1.1\r\nhost: {origin.authority}\r\n{origin.proxy_line}"
            assert pool.ask(head).body.read(1) == b"1"
            pool.close()
        [head_line, _host, authorization, *_rest] = server.heads[0].decode().split("\r\n")
        assert head_line == "GET http://s3.example.org:9000/k HTTP/1.1"
        assert base64.b64decode(authorization.removeprefix("Proxy-Authorization: Basic ")) == b"user:p@ss"
        assert "p%40ss" not in repr(origin)

    def test_that_refuse_are_told_apart(self) -> None:
        with scripted([b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"]) as server:
            context = ssl.create_default_context()
            origin = Origin("s3.example.org", 443, context, f"http://127.0.0.1:{server.port}")
            with pytest.raises(ProxyRefusedError, match="407"):
                Pool(origin).ask(HEAD)
        assert server.heads[0].startswith(b"CONNECT s3.example.org:443 HTTP/1.1\r\nHost: s3.example.org:443\r\n")
