"""Packets of SFTP, right and wrong."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.store.base import Buffer
from repatria.store.sftp_packet import Attributes, Kind, ProtocolError, Reply, StatusError, entries, text
from repatria.store.sftp_session import Session


def reply(body: bytes, kind: int = Kind.NAME) -> Reply:
    return Reply(kind, memoryview(body))


def test_attributes_are_those_that_the_flags_announce() -> None:
    assert reply(struct.pack(">I", 0)).attributes() == Attributes()
    packed = struct.pack(">IQIIIII", 0xF, 1 << 40, 1000, 100, 0o100640, 7, 1_700_000_000)
    assert reply(packed).attributes() == Attributes(1 << 40, 1000, 100, 0o100640, 1_700_000_000)
    extended = struct.pack(">II", 0x80000004, 0o100640) + struct.pack(">I", 1) + text(b"name") + text(b"value")
    parsed = reply(extended + b"rest")
    assert parsed.attributes() == Attributes(mode=0o100640)
    assert not parsed.ended


def listing(*names: bytes) -> Reply:
    return reply(
        struct.pack(">I", len(names)) + b"".join(text(name) + text(b"") + struct.pack(">I", 0) for name in names)
    )


def test_names_of_a_folder() -> None:
    names = [name for name, _attributes in entries(listing(b".", b"..", b"caf\xe9", b"..."))]
    assert names == [b"caf\xe9", b"..."]


@pytest.mark.parametrize("name", [b"a/b", b"/etc/passwd", b"", b"../x"])
def test_a_server_that_lists_other_places_is_not_believed(name: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(entries(listing(name)))


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for parse in (Reply.attributes, Reply.text, Reply.number, lambda each: list(entries(each))):
        try:
            parse(reply(body))
        except ProtocolError:
            continue


class Spoken:
    """A channel on which a server says given bytes, whatever it is asked."""

    def __init__(self, said: bytes) -> None:
        self.said = said

    def recv(self, nbytes: int, /) -> bytes:
        length = min(7, nbytes)
        taken, self.said = self.said[:length], self.said[length:]
        return taken

    def sendall(self, data: Buffer, /) -> None:
        pass


def packet(kind: int, body: bytes) -> bytes:
    return struct.pack(">IB", len(body) + 1, kind) + body


HELLO = packet(Kind.VERSION, struct.pack(">I", 3))


def test_what_a_server_says_that_it_can_is_remembered() -> None:
    hello = packet(Kind.VERSION, struct.pack(">I", 3) + text(b"fsync@openssh.com") + text(b"1"))
    assert Session(Spoken(hello)).extensions == {b"fsync@openssh.com": b"1"}


@given(st.binary())
def test_a_session_with_a_server_that_says_anything(said: bytes) -> None:
    with pytest.raises((ProtocolError, EOFError, StatusError)):
        Session(Spoken(HELLO + said)).lstat(b"a")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-",
        packet(Kind.VERSION, struct.pack(">I", 2)),
        packet(Kind.STATUS, struct.pack(">I", 3)),
        struct.pack(">I", 0),
        struct.pack(">I", 1 << 30),
    ],
)
def test_what_is_not_sftp_is_refused(said: bytes) -> None:
    with pytest.raises((ProtocolError, EOFError)):
        Session(Spoken(said))


def test_a_short_read_is_asked_for_again() -> None:
    def data(number: int, content: bytes) -> bytes:
        return packet(Kind.DATA, struct.pack(">I", number) + text(content))

    first = b"a" * 32_768
    said = HELLO + data(1, first[:1000]) + data(2, b"b" * 100) + data(4, first[1000:])
    assert b"".join(Session(Spoken(said)).read(b"h", range(32_868))) == first + b"b" * 100
