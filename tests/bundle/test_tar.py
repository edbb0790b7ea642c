"""The tar inside a volume: strict to read, and what GNU tar and Python's tarfile understand."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle.errors import MalformedError
from repatria.bundle.tar import BLOCK, DIRECTORY, END_MARKER, PAX, SYMLINK, Header, TarWalk, encode, padded

WITHOUT_NUL = st.binary(min_size=1, max_size=400).map(lambda raw: raw.replace(b"\x00", b"x"))
HEADERS = st.builds(
    Header,
    name=WITHOUT_NUL.map(lambda raw: raw.rstrip(b"/") or b"x"),
    size=st.integers(0, 4000),
    mode=st.integers(0, 0o777),
    mtime=st.integers(-(2**40), 2**40),
    owner=WITHOUT_NUL.map(lambda raw: raw[:60]),
    group=WITHOUT_NUL.map(lambda raw: raw[:60]),
    true_path=st.none() | WITHOUT_NUL,
)


def archive(*members: tuple[Header, bytes], padding: int = 0) -> bytes:
    body = b"".join(encode(header) + data + bytes(-len(data) % BLOCK) for header, data in members)
    return body + END_MARKER + bytes(padding)


def walked(data: bytes) -> list[tuple[Header, int, bytes]]:
    walk = TarWalk(io.BytesIO(data))
    return [(entry.header, entry.offset, b"".join(walk.data())) for entry in walk.entries()]


def test_a_header_is_plain_ustar_wherever_ustar_can_hold_it() -> None:
    for header in (
        Header(name=b"n" * 100, size=8**11 - 1, mtime=8**11 - 1, owner=b"o" * 32, group=b"g" * 32),
        Header(name=b"p" * 155 + b"/" + b"n" * 100),
        Header(name=b"\xff\xfe caf\xc3\xa9", link=b"l" * 100, type=SYMLINK),
        Header(name=b"d" * 99 + b"/", type=DIRECTORY),
    ):
        assert len(encode(header)) == BLOCK


@pytest.mark.parametrize(
    "header",
    [
        Header(name=b"n" * 101),
        Header(name=b"p" * 156 + b"/" + b"n" * 100),
        Header(name=b"x", size=8**11),
        Header(name=b"x", size=12 << 30),
        Header(name=b"x", mtime=-1),
        Header(name=b"x", mtime=8**11),
        Header(name=b"x", owner=b"o" * 33),
        Header(name=b"x", link=b"l" * 101, type=SYMLINK),
        Header(name=b"_names/x", true_path=b"\xff/../x"),
    ],
)
def test_pax_holds_what_ustar_cannot(header: Header) -> None:
    blocks = encode(header)
    assert blocks[156:157] == PAX
    with tarfile.open(fileobj=io.BytesIO(blocks), mode="r:", errors="surrogateescape") as reader:
        entry = reader.next()
    assert entry is not None
    assert entry.name.encode("utf-8", "surrogateescape") == header.name
    assert entry.size == header.size
    assert entry.mtime == header.mtime
    assert entry.uname.encode() == header.owner
    assert entry.linkname.encode() == header.link


def test_no_member_is_privileged_when_root_unpacks_it() -> None:
    assert encode(Header(name=b"x", mode=0o6777))[100:108] == b"0000777\x00"


@given(st.lists(st.tuples(HEADERS, st.binary(max_size=1)), max_size=4), st.integers(0, 3000))
def test_what_is_written_is_read_and_python_agrees(members: list[tuple[Header, bytes]], padding: int) -> None:
    filled = [(header, (fill or b"x") * header.size) for header, fill in members]
    data = archive(*filled, padding=padding)
    found = walked(data)
    assert [(header, content) for header, _offset, content in found] == filled
    for header, offset, content in found:
        assert data[offset : offset + header.size] == content
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape") as reader:
        theirs = [
            (entry.name.encode("utf-8", "surrogateescape"), reader.extractfile(entry).read())  # type: ignore[union-attr]  # regular files
            for entry in reader
        ]
    assert theirs == [(header.name, content) for header, content in filled]


def test_data_that_nobody_wants_is_read_over() -> None:
    walk = TarWalk(io.BytesIO(archive((Header(name=b"a", size=700), b"a" * 700), (Header(name=b"b"), b""))))
    assert [entry.header.name for entry in walk.entries()] == [b"a", b"b"]


def pax(keyword: bytes, value: bytes) -> bytes:
    """Return a pax header of one record, whatever its value."""
    record = b" %s=%s\n" % (keyword, value)
    body = b"%d%s" % (len(record) + len(str(len(record))), record)
    lead = bytearray(encode(Header(name=b"x", size=len(body))))
    lead[156:157] = PAX
    lead[148:156] = b" " * 8
    lead[148:156] = b"%06o\x00 " % sum(lead)
    return bytes(lead) + body + bytes(-len(body) % BLOCK)


GOOD = archive((Header(name=b"n" * 120, size=5), b"hello"), padding=1024)


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("nothing at all", b""),
        ("cut in a header", GOOD[:700]),
        ("cut in the data", GOOD[: 3 * BLOCK + 2]),
        ("no end marker", GOOD[: 4 * BLOCK]),
        ("a byte after the end marker", GOOD[:-1] + b"x"),
        ("a byte in a member's padding", GOOD[: 3 * BLOCK + 6] + b"x" + GOOD[3 * BLOCK + 7 :]),
        ("a wrong checksum", GOOD.replace(b"ustar", b"ustAr")),
        ("a device", encode(Header(name=b"x", type=b"3")) + END_MARKER),
        ("a hard link", encode(Header(name=b"x", type=b"1")) + END_MARKER),
        ("a pax record without a length", GOOD[:BLOCK] + b"xx" + GOOD[BLOCK + 2 :]),
        ("a pax record that is too long", GOOD[:BLOCK] + b"999" + GOOD[BLOCK + 3 :]),
        ("two pax headers", GOOD[: 2 * BLOCK] + GOOD),
        ("a size of thousands of digits", pax(b"size", b"9" * 5000) + encode(Header(name=b"x")) + END_MARKER),
    ],
)
def test_anything_that_the_writer_never_makes_is_refused(what: str, data: bytes) -> None:
    with pytest.raises(MalformedError):
        walked(data)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_byte_can_change_unseen_or_crash_the_reader(at: int, change: int) -> None:
    data = bytearray(GOOD)
    data[at] ^= change
    try:
        found = walked(bytes(data))
    except MalformedError:
        return
    assert found != walked(GOOD) or at >= len(GOOD) - 1024 - BLOCK or at in range(BLOCK, 2 * BLOCK)


@pytest.mark.parametrize(("length", "blocks"), [(0, 0), (1, 1), (512, 1), (513, 2)])
def test_data_fills_whole_blocks(length: int, blocks: int) -> None:
    assert padded(length) == blocks * BLOCK
