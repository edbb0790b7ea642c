"""Requests and replies over one stream, shared by threads."""

import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from repatria.store.sftp_exchange import Exchange
from repatria.store.sftp_packet import Kind, ProtocolError, text


def packet(kind: int, body: bytes) -> bytes:
    return struct.pack(">IB", len(body) + 1, kind) + body


@pytest.fixture
def ends() -> Iterator[tuple[Exchange, socket.socket]]:
    """Return an exchange and the server's end of its stream."""
    near, far = socket.socketpair()
    far.sendall(packet(Kind.VERSION, struct.pack(">I", 3)))
    exchange = Exchange(near)
    far.recv(9)
    yield exchange, far
    near.close()
    far.close()


def serve_backwards(far: socket.socket, count: int) -> None:
    """Take so many requests for a handle, then answer each with its own body, the last first."""
    taken = []
    for _request in range(count):
        length, _kind, number = struct.unpack(">IBI", far.recv(9, socket.MSG_WAITALL))
        taken.append((number, far.recv(length - 5, socket.MSG_WAITALL)))
    for number, body in reversed(taken):
        far.sendall(packet(Kind.HANDLE, struct.pack(">I", number) + body))


def test_each_thread_has_its_own_reply_whatever_the_order(ends: tuple[Exchange, socket.socket]) -> None:
    exchange, far = ends
    count = 200
    server = threading.Thread(target=serve_backwards, args=(far, count))
    server.start()

    def ask(number: int) -> bool:
        asked = exchange.send_all([(Kind.OPEN, text(b"%d-%d" % (number, each))) for each in range(10)])
        return [exchange.reply(each, Kind.HANDLE).text() for each in asked] == [
            b"%d-%d" % (number, each) for each in range(10)
        ]

    with ThreadPoolExecutor(count // 10) as threads:
        assert all(threads.map(ask, range(count // 10)))
    server.join()


def test_a_reply_that_nobody_wants_is_dropped(ends: tuple[Exchange, socket.socket]) -> None:
    exchange, far = ends
    first, second = exchange.send_all([(Kind.OPEN, text(b"a")), (Kind.OPEN, text(b"b"))])
    exchange.abandon([first])
    serve_backwards(far, 2)
    assert exchange.reply(second, Kind.HANDLE).text() == b"b"
    assert not exchange._received or first not in exchange._received


def test_all_who_wait_hear_that_it_broke(ends: tuple[Exchange, socket.socket]) -> None:
    exchange, far = ends
    numbers = exchange.send_all([(Kind.OPEN, text(b"a"))] * 5)

    def ask(number: int) -> str:
        try:
            exchange.reply(number, Kind.HANDLE)
        except (EOFError, OSError):
            return "broke"
        return "came"

    with ThreadPoolExecutor(5) as threads:
        waiting = [threads.submit(ask, number) for number in numbers]
        far.close()
        assert [each.result() for each in waiting] == ["broke"] * 5
    assert exchange.broken


def test_a_reply_to_nothing_that_was_asked_ends_it(ends: tuple[Exchange, socket.socket]) -> None:
    exchange, far = ends
    number = exchange.send(Kind.OPEN, text(b"a"))
    far.sendall(packet(Kind.HANDLE, struct.pack(">I", number + 7) + text(b"h")))
    with pytest.raises(ProtocolError):
        exchange.reply(number, Kind.HANDLE)
    assert exchange.broken
