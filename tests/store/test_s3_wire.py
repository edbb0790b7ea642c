"""Calls on a connection wait as long as they may, in the clear and under TLS, and are told from a link that died."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from repatria.store.s3_wire import Wire
from tests.store.certificates import certificate_for


@contextmanager
def in_the_clear(folder: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


@contextmanager
def under_tls(folder: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    certificate = certificate_for("localhost", folder, 1)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    serving.num_tickets = 0  # else they come right behind the handshake
    shaken: list[ssl.SSLSocket] = []
    with in_the_clear(folder) as (near, far):
        hand = threading.Thread(target=lambda: shaken.append(serving.wrap_socket(far, server_side=True)))
        hand.start()
        ours = ssl.create_default_context(cafile=certificate).wrap_socket(near, server_hostname="localhost")
        hand.join()
        with ours, shaken[0] as theirs:
            yield ours, theirs


@pytest.fixture(params=[in_the_clear, under_tls])
def ends(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    with request.param(tmp_path) as ends:
        yield ends


def test_what_comes_is_returned_at_once_however_little(ends: tuple[socket.socket, socket.socket]) -> None:
    wire = Wire(ends[0], 60)
    ends[1].sendall(b"few")
    assert wire.receive(1 << 18) == b"few"
    assert wire.send(b"more") == 4
    assert ends[1].recv(10) == b"more"


def test_nothing_that_comes_is_waited_for_no_longer_than_it_may_take(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    wire = Wire(ends[0], 60)
    wire.limit(0.05)
    with pytest.raises(TimeoutError) as late:
        wire.receive(10)
    assert late.value.errno is None  # which the kernel's have


def test_nothing_that_is_taken_is_waited_for_no_longer_than_it_may_take(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    wire = Wire(ends[0], 0.05)

    def send_for_ever() -> None:
        while True:
            wire.send(bytes(1 << 18))

    with pytest.raises(TimeoutError) as late:
        send_for_ever()
    assert late.value.errno is None


def test_an_end_is_something_to_receive_and_silence_is_not(ends: tuple[socket.socket, socket.socket]) -> None:
    wire = Wire(ends[0], 60)
    assert not wire.has_something()
    ends[1].shutdown(socket.SHUT_RDWR)
    assert wire.has_something()
    wire.close()
