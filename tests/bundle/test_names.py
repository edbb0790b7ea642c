"""What an object is called inside a volume."""

import hashlib
import itertools
import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle.names import MemberNames, is_natural, part_name, possible_names
from repatria.bundle.rows import path_bytes

COMPONENTS = st.sampled_from(
    ["a", "b", "A", "é", "e\u0301", "x y", "-rf", "\udcff", "a.part-000001", "_names", "..", "."]
)
PATHS = st.one_of(
    st.lists(COMPONENTS, min_size=1, max_size=4).map("/".join),
    st.binary(max_size=300).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "dossiers/2024/é.pdf",
        "-rf",
        "C:\\windows",
        "line\nfeed",
        "\udcff\udcfe",
        "x/_names/y",
        "a.part-",
        "a.part-12x",
        "n" * 240,
        "/".join(["n" * 240] * 16),
    ],
)
def test_a_path_that_any_disk_can_hold_is_its_own_name(path: str) -> None:
    assert is_natural(path)
    assert MemberNames().claim(path, 1) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "a//b",
        "a/",
        ".",
        "./a",
        "a/../b",
        "..",
        "nul\x00byte",
        "n" * 241,
        "é" * 121,
        "_names",
        "_names/x",
        "a.part-1",
        "a.part-000001",
        "a.part-000001/b",
        "/".join(["n" * 240] * 17),
    ],
)
def test_any_other_path_is_named_by_its_hash(path: str) -> None:
    assert not is_natural(path)
    assert MemberNames().claim(path, 1) == f"_names/{hashlib.sha256(path_bytes(path)).hexdigest()}"


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b"), ("a", "a/b/c/d")])
def test_a_file_and_a_folder_of_the_same_name_do_not_meet(first: str, second: str) -> None:
    names = MemberNames()
    assert names.claim(first, 1) == first
    assert names.claim(second, 2).startswith("_names/")


def test_an_empty_directory_may_lie_where_a_folder_is_needed_but_not_where_a_file_is() -> None:
    names = MemberNames()
    assert names.claim("d", 1, directory=True) == "d"
    assert names.claim("d/f", 2) == "d/f"
    assert names.claim("d/f/e", 3, directory=True).startswith("_names/")
    assert names.claim("d", 4).startswith("_names/")


def test_a_path_that_is_taken_again_gets_a_name_with_its_number() -> None:
    names = MemberNames()
    assert names.claim("a", 1) == "a"
    assert names.claim("a", 7) == f"_names/{hashlib.sha256(b'a').hexdigest()}-7"


def test_parts_are_named_so_that_a_shell_sorts_them() -> None:
    assert [part_name("a", part) for part in (0, 1, 12)] == ["a", "a.part-000001", "a.part-000012"]


def test_what_is_remembered_is_no_name() -> None:
    memory: set[bytes] = set()
    MemberNames(memory, key=b"k" * 32).claim("patient/dupont", 1)
    assert memory
    assert all(len(mark) == 16 and b"dupont" not in mark for mark in memory)


def test_memory_outlives_the_object_that_fills_it() -> None:
    memory: set[bytes] = set()
    MemberNames(memory, key=b"k").claim("a/b", 1)
    assert MemberNames(memory, key=b"k").claim("a", 2).startswith("_names/")


@given(st.lists(st.tuples(PATHS, st.booleans()), max_size=12))
def test_names_never_collide_and_all_are_safe(paths: list[tuple[str, bool]]) -> None:
    names = MemberNames()
    claimed = [
        (names.claim(path, number, directory=directory), path, number, directory)
        for number, (path, directory) in enumerate(paths, 1)
    ]
    for name, path, number, _directory in claimed:
        assert name in possible_names(path, number)
        assert not name.startswith("/")
        assert not {"", ".", ".."} & set(name.split("/"))
        assert "\x00" not in name
        assert all(len(path_bytes(component)) <= 240 for component in name.split("/"))
    for (name, *_one, directory), (other, *_two) in itertools.permutations(claimed, 2):
        assert name != other
        if not directory:
            assert PurePosixPath(name) not in PurePosixPath(other).parents
            assert not re.fullmatch(re.escape(name) + r"\.part-\d+(/.*)?", other, re.DOTALL)
