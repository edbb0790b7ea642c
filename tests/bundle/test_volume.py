"""Volumes being filled, and the arithmetic that plans them."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle.names import MemberNames
from repatria.bundle.rows import MemberRow, path_bytes
from repatria.bundle.volume import (
    END,
    VolumeBuilder,
    largest_part,
    member_overhead,
    member_span,
    padme,
    payload_size,
)
from repatria.model import Object, ObjectKind

SIZE = 1 << 20


@pytest.mark.parametrize(
    ("length", "expected"),
    [(0, 0), (1, 1), (2, 2), (9, 10), (100, 104), (1000, 1024), (1024, 1024), (1025, 1088), (10**9, 1_006_632_960)],
)
def test_padme(length: int, expected: int) -> None:
    assert padme(length) == expected


@given(st.integers(1, 2**50))
def test_padme_adds_at_most_twelve_percent_and_never_takes_away(length: int) -> None:
    assert length <= padme(length) <= length * 1.12
    assert padme(padme(length)) == padme(length)


@given(st.integers(0, SIZE - END))
def test_a_payload_is_never_larger_than_its_volume(used: int) -> None:
    assert payload_size(used, SIZE, last=False) == SIZE
    size = payload_size(used, SIZE, last=True)
    assert used + END <= size <= SIZE
    assert size % 512 == 0


def test_a_member_lies_where_its_row_says() -> None:
    builder = VolumeBuilder(7, SIZE)
    told = Object("a/b", 5, mtime_ns=1_700_000_000_999_999_999, mode=0o4755, owner="awa", group="sante")
    builder.begin(told, "a/b", number=42)
    builder.write(b"hel")
    builder.write(memoryview(b"lo"))
    assert builder.end() == MemberRow(volume=7, offset=512, length=5, object=42, part=0, start=0)
    assert builder.used == 1024 == member_span(told, "a/b", 5)
    assert builder.room == SIZE - END - 1024
    payload = builder.payload()
    assert bytes(payload[512:517]) == b"hello"
    assert len(payload) == SIZE
    assert len(builder.payload(last=True)) == 2048


def test_what_is_abandoned_leaves_no_trace() -> None:
    builder, untouched = VolumeBuilder(1, SIZE), VolumeBuilder(1, SIZE)
    for each in (builder, untouched):
        each.begin(Object("a", 3), "a", number=1)
        each.write(b"abc")
        each.end()
    builder.begin(Object("secret", 5000), "secret", number=2)
    builder.write(b"s" * 3000)
    builder.abandon()
    builder.abandon()
    assert builder.payload() == untouched.payload()


def test_more_or_fewer_bytes_than_were_told_are_no_member() -> None:
    builder = VolumeBuilder(1, SIZE)
    builder.begin(Object("a", 3), "a", number=1)
    with pytest.raises(ValueError, match="more bytes"):
        builder.write(b"abcd")
    with pytest.raises(ValueError, match="fewer bytes"):
        builder.end()
    with pytest.raises(ValueError, match="under way"):
        builder.begin(Object("b", 3), "b", number=2)
    with pytest.raises(ValueError, match="under way"):
        builder.payload()


def test_a_full_volume_takes_no_more() -> None:
    builder = VolumeBuilder(1, SIZE)
    told = Object("a", 10 * SIZE)
    length = largest_part(builder.room, member_overhead(told, "a", 1))
    assert length == SIZE - END - 3 * 512
    builder.begin(told, "a", number=1, length=length, part=1)
    builder.write(bytes(length))
    builder.end()
    assert builder.room == 0
    with pytest.raises(ValueError, match="no room"):
        builder.begin(Object("b", 0), "b", number=2)


@pytest.mark.parametrize("capacity", [0, SIZE - 1, SIZE + 1, (1 << 30) + (64 << 10)])
def test_a_volume_size_that_the_format_does_not_know_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match="1 MiB to 1 GiB"):
        VolumeBuilder(1, capacity)


def test_a_header_of_an_object_beyond_8_gib_is_planned_right() -> None:
    told = Object("dump.sql", 20 << 30)
    assert member_overhead(told, "dump.sql") == 3 * 512
    assert member_overhead(told, "dump.sql", 1, 60 << 20) == 3 * 512


ODD_NAMES = [
    "plain.txt",
    "dossier/é/à.pdf",
    "latin1-\udce9",
    "new\nline\ttab\\back'quote\"",
    "-rf",
    "trailing space ",
    "case",
    "CASE",
    "\u0065\u0301",
    "\u00e9",
    "long/" + "/".join(["n" * 200] * 3),
    "n" * 240,
    "b/" * 60 + "deep",
    "latin1-\udce9" * 30,
    "\U0001f600",
]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_gnu_tar_gives_every_member_back(tmp_path: Path, locale: str) -> None:
    builder = VolumeBuilder(1, SIZE)
    contents = {}
    for number, path in enumerate(ODD_NAMES, 1):
        contents[path] = path_bytes(path) * 9
        told = Object(path, len(contents[path]), mtime_ns=1_000_000_007 * 10**9, mode=0o640, owner="o" * 40)
        builder.begin(told, path, number=number)
        builder.write(contents[path])
        builder.end()
    links = {"link": "plain.txt", "long link": "x/" * 150 + "é", "latin link": "\udce9"}
    for path, target in links.items():
        told = Object(path, len(path_bytes(target)), kind=ObjectKind.SYMLINK, link_target=target)
        builder.begin(told, path, number=100)
        builder.end()
    builder.begin(Object("empty/folder", 0, kind=ObjectKind.DIRECTORY, mode=0o750), "empty/folder", number=200)
    builder.end()
    unpacked = subprocess.run(
        ["tar", "-xi", "-C", tmp_path],
        input=builder.payload(),
        env={**os.environ, "LC_ALL": locale},
        capture_output=True,
        check=True,
    )
    assert set(unpacked.stderr.splitlines()) <= {b"tar: Ignoring unknown extended header keyword 'hdrcharset'"}
    for path, content in contents.items():
        file = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), path_bytes(path))))  # noqa: PTH118 -- bytes
        assert file.read_bytes() == content
        assert file.stat().st_mtime == 1_000_000_007
        assert file.stat().st_mode & 0o777 == 0o640
    for path, target in links.items():
        assert os.readlink(os.fsencode(tmp_path / path)) == path_bytes(target)  # noqa: PTH115 -- bytes
    assert (tmp_path / "empty/folder").is_dir()
    assert not list((tmp_path / "empty/folder").iterdir())


def test_gnu_tar_reads_sizes_beyond_8_gib() -> None:
    from repatria.bundle.tar import Header, encode

    size = 9 << 30
    listed = subprocess.run(
        ["tar", "-tvf", "-", "--numeric-owner"],
        input=encode(Header(name=b"dump.sql", size=size)),
        capture_output=True,
        check=False,  # the data is not there
    )
    assert f" {size} " in listed.stdout.decode()


@given(
    st.lists(st.tuples(st.text(max_size=150), st.integers(0, 5000), st.sampled_from(list(ObjectKind)[:3])), max_size=6),
    st.integers(0, 3),
)
def test_the_planner_knows_every_byte_before_it_is_written(
    objects: list[tuple[str, int, ObjectKind]], part: int
) -> None:
    builder, names = VolumeBuilder(1, SIZE), MemberNames()
    for number, (path, size, kind) in enumerate(objects, 1):
        target = "t" * (size % 300) if kind is ObjectKind.SYMLINK else None
        told = Object(path.replace("\x00", ""), size, kind=kind, link_target=target)
        name = names.claim(told.path, number, directory=kind is ObjectKind.DIRECTORY)
        length = size if kind is ObjectKind.FILE else 0
        before = builder.used
        builder.begin(told, name, number=number, part=part if kind is ObjectKind.FILE else 0)
        builder.write(bytes(length))
        row = builder.end()
        used_part = part if kind is ObjectKind.FILE else 0
        assert builder.used - before == member_span(told, name, length, used_part)
        assert row.offset - before == member_overhead(told, name, used_part)
