"""The cases of the Library of Congress's conformance suite for BagIt, made again, and what is found of each.

Where Python's `bagit` judges a case too, its word stands beside ours; where they differ, the reason.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import bagit
import pytest

from repatria.store.local import LocalStore
from repatria.verify.bag import BagCheck

PAYLOAD = {"data/bare-filename": b"bare\n", "data/text-file.txt": b"text\n"}
Files = Mapping[str, bytes | str]


def lines(files: Files, algorithm: str = "sha512", between: str = "  ") -> str:
    return "".join(
        f"{hashlib.new(algorithm, _raw(data), usedforsecurity=False).hexdigest()}{between}{path}\n"
        for path, data in files.items()
    )


def _raw(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


def declared(version: str = "1.0", encoding: str = "UTF-8") -> str:
    return f"BagIt-Version: {version}\nTag-File-Character-Encoding: {encoding}\n"


@dataclass(frozen=True)
class Case:
    """One bag."""

    name: str
    files: Files
    """In place of those of a right bag, or beside them."""
    without: tuple[str, ...] = ()
    """Files of the right bag that are not there."""
    findings: tuple[tuple[str, str], ...] = ()
    """Subject and kind."""
    bagit_py: bool | None = None
    """Whether `bagit` finds it valid, where that is not what we find: it reads leniently, or RFC 8493 is younger."""
    payload: Files = field(default_factory=lambda: PAYLOAD)
    version: str = "1.0"

    def __str__(self) -> str:
        return f"{self.version} {self.name}"

    def lay(self, root: Path) -> None:
        right = {"bagit.txt": declared(self.version), "manifest-sha512.txt": lines(self.payload), **self.payload}
        kept = {path: data for path, data in right.items() if path not in self.without}
        for path, data in (kept | dict(self.files)).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(_raw(data))


MANIFEST, LINE = "manifest-sha512.txt", "manifest-sha512.txt, line"
SPACED = {"data/a file with spaces.txt": b"1", "data/d e/f": b"2"}
LATIN = {"data/reçu.txt": b"1"}
WRONG = "0" * 128
INNER: Files = {
    "bagit.txt": declared(),
    "data/x": b"1",
    "manifest-md5.txt": lines({"data/x": b"1"}, "md5"),
}
TAGS: Files = {"bagit.txt": declared(), "bag-info.txt": "Payload-Oxum: 10.2\n"}


def utf_16(encoding: str) -> Files:
    """Return a bag of 0.97 whose tag files, but the declaration, are in that encoding."""
    return {
        "bagit.txt": declared("0.97", encoding),
        MANIFEST: lines(PAYLOAD).encode(encoding),
        "bag-info.txt": "Payload-Oxum: 10.2\n".encode(encoding),
    }


VALID = (
    Case("basic bag", {}),
    *(Case("basic bag", {}, version=version) for version in ("0.93", "0.94", "0.95", "0.96", "0.97")),
    *(
        Case(
            f"basic bag of {name}", {f"manifest-{name}.txt": lines(PAYLOAD, name)}, without=(MANIFEST,), version="0.97"
        )
        for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
    ),
    Case("several manifests", {"manifest-md5.txt": lines(PAYLOAD, "md5")}),
    Case("no tag manifest", {"bag-info.txt": "Contact-Name: x\n"}),
    Case("a tag manifest", {**TAGS, "tagmanifest-sha512.txt": lines(TAGS)}),
    Case(
        "a tag manifest that does not name every tag file",
        {**TAGS, "tagmanifest-md5.txt": lines({"bagit.txt": declared()}, "md5")},
    ),
    Case("tag files in folders", {"notes/a.txt": "x", "tagmanifest-md5.txt": lines({"notes/a.txt": "x"}, "md5")}),
    Case(
        "a bag in a bag",
        {},
        payload={f"data/{path}": data for path, data in INNER.items()},
    ),
    Case("names with spaces", {}, payload=SPACED),
    Case(
        "metadata entries that stand twice", {"bag-info.txt": "Contact-Name: a\nContact-Name: b\nPayload-Oxum: 10.2\n"}
    ),
    Case("metadata that nobody knows", {"bag-info.txt": "X-Anything: a: b\nEmpty:\nFolded: a\n  b\n\tc\n"}),
    Case("separators of metadata", {"bag-info.txt": "A:b\nC :d\nE  :  f\n"}),
    Case("UTF-16 tag files", utf_16("UTF-16"), version="0.97"),
    Case("UTF-16BE tag files", utf_16("UTF-16BE"), version="0.97"),
    Case(
        "ISO-8859-1 tag files",
        {"bagit.txt": declared("0.97", "ISO-8859-1"), MANIFEST: lines(LATIN).encode("latin-1")},
        payload=LATIN,
        version="0.97",
    ),
    Case("a byte order mark in a manifest", {MANIFEST: b"\xef\xbb\xbf" + lines(PAYLOAD).encode()}),
    Case(
        "lines that end with CRLF",
        {MANIFEST: lines(PAYLOAD).replace("\n", "\r\n"), "bagit.txt": declared().replace("\n", "\r\n")},
    ),
    Case("lines that end with CR", {MANIFEST: lines(PAYLOAD).replace("\n", "\r")}),
    Case(
        "upper-case checksums",
        {MANIFEST: "".join(f"{line[:128].upper()}{line[128:]}\n" for line in lines(PAYLOAD).splitlines())},
    ),
    Case("tabs between checksum and path", {MANIFEST: lines(PAYLOAD, between="\t")}),
    Case("many spaces between", {MANIFEST: lines(PAYLOAD, between=" \t  ")}),
    Case("the star of md5sum -b", {"manifest-md5.txt": lines(PAYLOAD, "md5", " *")}, without=(MANIFEST,)),
    Case("./ before paths", {MANIFEST: lines({f"./{path}": data for path, data in PAYLOAD.items()})}),
    Case("line ends in names, escaped", {MANIFEST: lines({"data/a%0Ab%0Dc": b"1"})}, payload={"data/a\nb\rc": b"1"}),
    Case(
        "percent in names, escaped",
        {MANIFEST: lines({"data/100%25": b"1"})},
        payload={"data/100%": b"1"},
        bagit_py=False,
    ),
    Case("percent in names, as it is", {}, payload={"data/100%": b"1", "data/%7Ea": b"2"}),
    Case(
        "a fetch.txt of files that are there",
        {"fetch.txt": "http://example.org/a 5 data/bare-filename\nhttp://example.org/b - data/text-file.txt\n"},
    ),
    Case("an empty payload", {"data/.keep": b""}, payload={"data/.keep": b""}),
    Case("hidden files", {}, payload={"data/.hidden": b"1", "data/.d/x": b"2"}),
    Case(
        "before 1.0, manifests that name different files",
        {
            "manifest-sha512.txt": lines({"data/bare-filename": b"bare\n"}),
            "manifest-md5.txt": lines({"data/text-file.txt": b"text\n"}, "md5"),
        },
        version="0.97",
    ),
)

INVALID = (
    Case("a corrupted payload file", {"data/text-file.txt": b"texT\n"}, findings=((f"{LINE} 2", "altered"),)),
    Case("a payload file that is missing", {}, without=("data/text-file.txt",), findings=((f"{LINE} 2", "missing"),)),
    Case("a payload file that no manifest names", {"data/extra": b"x"}, findings=(("payload file 2", "unexpected"),)),
    Case(
        "a corrupted tag file",
        {"bag-info.txt": "a: c\n", "tagmanifest-md5.txt": lines({"bag-info.txt": "a: b\n"}, "md5")},
        findings=(("tagmanifest-md5.txt, line 1", "altered"),),
    ),
    Case("no manifest", {}, without=(MANIFEST,), findings=(("manifest-*.txt", "missing"),)),
    Case(
        "no payload folder",
        {MANIFEST: ""},
        without=tuple(PAYLOAD),
        findings=(("data/", "missing"),),
    ),
    Case(
        "a manifest that is not the others' equal",
        {"manifest-md5.txt": lines({"data/bare-filename": b"bare\n"}, "md5")},
        findings=(("manifest-md5.txt", "altered"),),
        bagit_py=True,  # it asks of no manifest to be whole
    ),
    Case(
        "manifests that contradict each other",
        {"manifest-md5.txt": lines({**PAYLOAD, "data/text-file.txt": b"other"}, "md5")},
        findings=(("manifest-md5.txt, line 2", "altered"),),
    ),
    Case(
        "a byte order mark in bagit.txt",
        {"bagit.txt": b"\xef\xbb\xbf" + declared().encode()},
        findings=(("bagit.txt", "altered"),),
    ),
    Case("no encoding declared", {"bagit.txt": "BagIt-Version: 1.0\n"}, findings=(("bagit.txt", "altered"),)),
    Case(
        "no version declared",
        {"bagit.txt": "Tag-File-Character-Encoding: UTF-8\n"},
        findings=(("bagit.txt", "altered"),),
    ),
    Case(
        "more than two lines declared",
        {"bagit.txt": declared() + "Extra: x\n"},
        findings=(("bagit.txt", "altered"),),
        bagit_py=True,
    ),
    Case(
        "white space before a label",
        {"bagit.txt": " BagIt-Version: 1.0\n Tag-File-Character-Encoding: UTF-8\n"},
        findings=(("bagit.txt", "altered"),),
    ),
    Case(
        "white space before the colon",
        {"bagit.txt": "BagIt-Version : 1.0\nTag-File-Character-Encoding : UTF-8\n"},
        findings=(("bagit.txt", "altered"),),
        bagit_py=True,
    ),
    Case("a version that is no number", {"bagit.txt": declared("one")}, findings=(("bagit.txt", "unverifiable"),)),
    Case("a version from later", {"bagit.txt": declared("3.0")}, findings=(("bagit.txt", "unverifiable"),)),
    Case(
        "an encoding that nobody knows",
        {"bagit.txt": declared(encoding="WTF-8")},
        findings=(("bagit.txt", "unverifiable"),),
    ),
    Case(
        "paths that lead out by dots",
        {MANIFEST: lines({**PAYLOAD, "../../../README.md": b""})},
        findings=((f"{LINE} 3", "altered"),),
    ),
    Case(
        "paths that lead out within data/",
        {MANIFEST: lines({**PAYLOAD, "data/../../x": b""})},
        findings=((f"{LINE} 3", "altered"),),
    ),
    Case(
        "paths that a shell takes home",
        {MANIFEST: lines({**PAYLOAD, "~root/.profile": b""})},
        findings=((f"{LINE} 3", "altered"),),
    ),
    Case("absolute paths", {MANIFEST: lines({**PAYLOAD, "/etc/passwd": b""})}, findings=((f"{LINE} 3", "altered"),)),
    Case(
        "paths of Windows",
        {MANIFEST: lines({**PAYLOAD, "C:\\autoexec.bat": b""})},
        findings=((f"{LINE} 3", "altered"),),
    ),
    Case(
        "a fetch.txt that leads out",
        {"fetch.txt": "http://example.org/a 5 ../../a\n"},
        findings=(("fetch.txt, line 1", "altered"),),
    ),
    Case(
        "a fetch.txt that writes tag files",
        {"fetch.txt": "http://example.org/a 5 bagit.txt\n"},
        findings=(("fetch.txt, line 1", "altered"),),
        bagit_py=True,
    ),
    Case(
        "a file to be fetched",
        {"fetch.txt": "http://example.org/a 5 data/text-file.txt\n"},
        without=("data/text-file.txt",),
        findings=((f"{LINE} 2", "unverifiable"),),
    ),
    Case(
        "a file named twice, with one checksum",
        {MANIFEST: lines(PAYLOAD) + lines({"data/text-file.txt": b"text\n"})},
        findings=((f"{LINE} 3", "altered"),),
    ),
    Case(
        "a file named twice, with two checksums",
        {MANIFEST: f"{lines(PAYLOAD)}{WRONG}  data/text-file.txt\n"},
        findings=((f"{LINE} 3", "altered"),),
    ),
    Case(
        "a tag file in a payload manifest",
        {MANIFEST: lines({**PAYLOAD, "bagit.txt": declared()})},
        findings=((f"{LINE} 3", "altered"),),
        bagit_py=True,
    ),
    Case(
        "a line without a path",
        {MANIFEST: f"{lines(PAYLOAD)}{WRONG}\n"},
        findings=((f"{LINE} 3", "altered"),),
        bagit_py=True,  # it passes over lines that it cannot read
    ),
    Case(
        "an algorithm that nobody knows",
        {"manifest-crc32.txt": "00000000  data/bare-filename\n"},
        without=(MANIFEST,),
        findings=(("manifest-crc32.txt", "unverifiable"), ("payload file 2", "unexpected")),
    ),
    Case(
        "a Payload-Oxum that differs", {"bag-info.txt": "Payload-Oxum: 11.2\n"}, findings=(("bag-info.txt", "altered"),)
    ),
    Case(
        "two Payload-Oxum",
        {"bag-info.txt": "Payload-Oxum: 10.2\nPayload-Oxum: 10.3\n"},
        findings=(("bag-info.txt", "altered"),),
        bagit_py=True,  # it compares neither
    ),
    Case(
        "UTF-16 tag files that are not",
        {"bagit.txt": declared(encoding="UTF-16")},
        findings=((f"{LINE} 1", "altered"), ("payload file 1", "unexpected"), ("payload file 2", "unexpected")),
    ),
    Case(
        "twins by case",
        {},
        payload={"data/A": b"1", "data/a": b"2"},
        findings=((f"{LINE} 2", "unverifiable"),),
        bagit_py=True,
    ),
    Case(
        "twins by Unicode form",
        {},
        payload={"data/\u00e9": b"1", "data/e\u0301": b"2"},
        findings=((f"{LINE} 1", "unverifiable"),),
        bagit_py=True,
    ),
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("bagit")
    before, logger.disabled = logger.disabled, True
    yield
    logger.disabled = before


@pytest.mark.parametrize("case", [*VALID, *INVALID], ids=str)
def test_conformance(case: Case, tmp_path: Path) -> None:
    case.lay(tmp_path)
    found = [(each.subject, str(each.finding.kind)) for each in BagCheck(LocalStore(tmp_path)).run()]
    assert sorted(found) == sorted(case.findings)
    try:
        judged = bagit.Bag(str(tmp_path)).is_valid()
    except (bagit.BagError, UnicodeError, ValueError, LookupError):
        judged = False
    assert judged == (not case.findings if case.bagit_py is None else case.bagit_py)
