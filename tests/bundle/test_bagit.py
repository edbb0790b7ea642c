"""BagIt's text files, as any tool may have written them."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle.bagit import (
    Manifest,
    decoded,
    manifest_kind,
    parse_declaration,
    parse_fetch,
    parse_manifest,
    parse_oxum,
    path_fault,
)
from repatria.bundle.errors import MalformedError

MD5 = hashlib.new("md5", usedforsecurity=False).hexdigest()


def read(text: str, *present: str, name: str = "manifest-md5.txt") -> Manifest:
    return parse_manifest(name, text, dict.fromkeys(present))


def faults(manifest: Manifest) -> list[int]:
    return [fault.line for fault in manifest.faults]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("manifest-md5.txt", (False, "md5")),
        ("manifest-sha224.txt", (False, "sha224")),
        ("manifest-SHA-512.txt", (False, "sha512")),
        ("tagmanifest-sha3-256.txt", (True, "sha3_256")),
        ("manifest-sha3_384.txt", (False, "sha3_384")),
        ("manifest-sha3512.txt", (False, "sha3_512")),
        ("manifest-blake2b.txt", (False, "blake2b")),
        ("manifest-crc32.txt", (False, "")),
        ("manifest-shake_128.txt", (False, "")),
        ("manifest.txt", None),
        ("data/manifest-md5.txt", None),
        ("my-manifest-md5.txt", None),
    ],
)
def test_a_manifests_name_gives_its_algorithm(name: str, kind: object) -> None:
    assert manifest_kind(name) == kind


@pytest.mark.parametrize(
    ("text", "version", "encoding", "fault_count"),
    [
        (b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", "1.0", "utf-8", 0),
        (b"BagIt-Version: 0.97\r\nTag-File-Character-Encoding: ISO-8859-1", "0.97", "iso8859-1", 0),
        (b"BagIt-Version : 0.96\rTag-File-Character-Encoding : utf-16\r", "0.96", "utf-16", 0),
        (b"BagIt-Version: 1.0\n", "1.0", "utf-8", 1),
        (b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\nMore: x\n", "1.0", "utf-8", 1),
        (b"\xef\xbb\xbfBagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", "", "utf-8", 1),
        (b"\xff\xfe", "", "utf-8", 1),
        (b"", "", "utf-8", 1),
        (b"BagIt-Version: 1.0\nTag-File-Character-Encoding: klingon\n", "1.0", "", 0),
        *(
            (b"BagIt-Version: 1.0\nTag-File-Character-Encoding: " + codec + b"\n", "1.0", "", 0)
            for codec in (b"zip", b"rot13", b"base64", b"punycode", b"unicode_escape", b"undefined", b"\0")
        ),
    ],
)
def test_the_declaration(text: bytes, version: str, encoding: str, fault_count: int) -> None:
    declaration = parse_declaration(text)
    assert (declaration.version, declaration.encoding, len(declaration.faults)) == (version, encoding, fault_count)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("between", ["  ", " *", " ", "\t"])
def test_lines_as_tools_write_them(ending: str, between: str) -> None:
    manifest = read(f"{MD5.upper()}{between}data/a b{ending}{ending}{MD5}{between}./data/c")
    assert list(manifest.entries) == ["data/a b", "data/c"]
    assert manifest.entries["data/c"].line == 3
    assert manifest.entries["data/a b"].digest == MD5
    assert manifest.faults == []


def test_only_line_ends_end_lines() -> None:
    assert list(read(f"{MD5}  data/a\x85b\u2028c\x0bd").entries) == ["data/a\x85b\u2028c\x0bd"]


def test_line_ends_and_percent_in_names() -> None:
    assert list(read(f"{MD5}  data/a%0Ab%0d%25c%41").entries) == ["data/a\nb\r%c%41"]


def test_percent_is_itself_where_only_that_agrees_with_what_lies_there() -> None:
    line = f"{MD5}  data/100%25%0Abis"
    assert list(read(line, "data/100%25\nbis").entries) == ["data/100%25\nbis"]
    assert list(read(line, "data/100%\nbis").entries) == ["data/100%\nbis"]
    both = f"{MD5}  data/100%25\n{MD5}  data/100%"
    assert read(both, "data/100%25", "data/100%").faults == []


@given(st.text(min_size=1).filter(lambda text: path_fault(f"data/{text}") is None))
def test_every_name_survives_its_escapes(name: str) -> None:
    path = f"data/{name}"
    escaped = path.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")
    assert list(read(f"{MD5}  {escaped}\n", path).entries) == [path]


@pytest.mark.parametrize(
    "path",
    [
        *("../a", "data/../../a", "data/..", "/etc/passwd", "~/.ssh/id", "~root/a", "C:\\a", "c:a", "\\\\host\\a"),
        *("data/a/..\\..\\b", "data//a", "data/./a", "data/a/", "data/a\0b"),
    ],
)
def test_paths_that_no_bag_holds(path: str) -> None:
    assert faults(read(f"{MD5}  {path}\n{MD5}  data/ok")) == [1]
    assert faults(read(f"{MD5}  {path}", name="tagmanifest-md5.txt")) == [1]
    assert parse_fetch(f"https://example.org/a 3 {path}")[0] == {}


@pytest.mark.parametrize(
    "line",
    ["data/a", MD5, f"{MD5[:-1]}g  data/a", f"{MD5}00  data/a", "  data/a", f"data/a  {MD5}", f"{MD5}  bagit.txt"],
)
def test_lines_that_are_none(line: str) -> None:
    manifest = read(f"{MD5}  data/b\n{line}\n{MD5}  data/c\n")
    assert faults(manifest) == [2]
    assert list(manifest.entries) == ["data/b", "data/c"]


def test_a_file_is_named_once() -> None:
    assert faults(read(f"{MD5}  data/a\n{MD5}  data/a\n{'0' * 32}  data/a\n")) == [2, 3]
    assert faults(read(f"{MD5}  data/a%0A\n{MD5}  data/a%0a\n")) == [2]


def test_what_is_elsewhere() -> None:
    elsewhere, wrong = parse_fetch(
        "https://example.org/x 12 data/a%0Ab\r\nftp://x\t-\tdata/c\nnonsense\nhttp://x 1 tag\n"
    )
    assert {"data/a\nb", "data/c"} <= set(elsewhere)
    assert [fault.line for fault in wrong] == [3, 4]


@pytest.mark.parametrize(
    ("text", "oxum", "lines"),
    [
        ("", None, []),
        ("Payload-Oxum: 12.3\n", (12, 3), []),
        ("Note: a: b\n  goes on\npayload-oxum:  0.0 \n", (0, 0), []),
        ("Payload-Oxum: 12\n", None, [1]),
        ("Payload-Oxum: 1.2.3\n", None, [1]),
        ("Payload-Oxum: 1.2\nPayload-Oxum: 1.2\n", (1, 2), []),
        ("Payload-Oxum: 1.2\nPayload-Oxum: 1.3\n", None, [0]),
        ("no label\n", None, [1]),
    ],
)
def test_the_payload_oxum(text: str, oxum: object, lines: list[int]) -> None:
    found, wrong = parse_oxum(text)
    assert (found, [fault.line for fault in wrong]) == (oxum, lines)


@pytest.mark.parametrize(("data", "encoding"), [(b"\xe9", "utf-8"), (b"abc", "utf-16"), (b"+2AA-", "utf-7")])
def test_text_that_is_not_in_its_encoding(data: bytes, encoding: str) -> None:
    with pytest.raises(MalformedError, match="encoding"):
        decoded(data, encoding)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert decoded("\ufeffé".encode(), "utf-8") == decoded("é".encode("utf-16"), "utf-16") == "é"


@given(st.text(), st.sampled_from(["manifest-md5.txt", "tagmanifest-md5.txt"]))
def test_any_text_is_read_without_an_error(text: str, name: str) -> None:
    read(text, name=name)
    parse_fetch(text)
    parse_oxum(text)
    parse_declaration(text.encode("utf-8", "replace"))
