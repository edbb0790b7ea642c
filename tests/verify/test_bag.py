"""Bags from elsewhere: valid ones are whole by the word of Python's `bagit` too, hostile ones are found out."""

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import bagit
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from repatria.store.base import Store
from repatria.store.local import LocalStore
from repatria.store.memory import MemoryStore
from repatria.verify.bag import BagCheck, is_foreign_bag

ALGORITHMS = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b"]
PAYLOAD = {"data/a.txt": b"hello", "data/d/b": b""}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("bagit")
    before, logger.disabled = logger.disabled, True
    yield
    logger.disabled = before


def lines(payload: Mapping[str, bytes], algorithm: str = "sha256") -> str:
    return "".join(f"{hashlib.new(algorithm, data).hexdigest()}  {path}\n" for path, data in payload.items())


def bag(
    files: Mapping[str, bytes | str] | None = None, *, payload: Mapping[str, bytes] = PAYLOAD, version: str = "1.0"
) -> dict[str, bytes]:
    """Return a bag of SHA-256, with `files` in place of its own."""
    made: dict[str, bytes | str] = {
        "bagit.txt": f"BagIt-Version: {version}\nTag-File-Character-Encoding: UTF-8\n",
        "manifest-sha256.txt": lines(payload),
        **payload,
        **(files or {}),
    }
    return {path: data.encode() if isinstance(data, str) else data for path, data in made.items()}


def stored(files: Mapping[str, bytes]) -> Store:
    store = MemoryStore()
    for path, data in files.items():
        store.put(path, [data], len(data))
    return store


def laid(files: Mapping[str, bytes], root: Path) -> LocalStore:
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return LocalStore(root)


def found(store: Store) -> list[tuple[str, str]]:
    return [(each.subject, str(each.finding.kind)) for each in BagCheck(store).run()]


def code(store: Store) -> int:
    check = BagCheck(store)
    list(check.run())
    return check.result.code


def check(files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    return found(stored(files))


def test_a_whole_bag() -> None:
    done = BagCheck(stored(bag({"bag-info.txt": "Payload-Oxum: 5.2\n"})))
    assert list(done.run()) == []
    result = done.result
    assert (result.code, result.files, result.files_read, result.bytes, result.weak) == (0, 2, 2, 5, 0)
    assert (result.version, result.encoding, result.algorithms) == ("1.0", "utf-8", ("sha256",))


def test_a_bag_is_known_by_its_declaration_and_by_no_statement() -> None:
    assert is_foreign_bag(stored(bag()))
    assert not is_foreign_bag(stored(bag({"statement.json": "{}"})))
    assert not is_foreign_bag(stored({"data/a": b""}))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm(algorithm: str) -> None:
    files = bag({f"manifest-{algorithm}.txt": lines(PAYLOAD, algorithm)})
    if algorithm != "sha256":
        del files["manifest-sha256.txt"]
    assert check(files) == []
    assert check(files | {"data/a.txt": b"jello"}) == [(f"manifest-{algorithm}.txt, line 1", "altered")]
    weak = BagCheck(stored(files))
    list(weak.run())
    assert weak.result.weak == (2 if algorithm in {"md5", "sha1"} else 0)


def test_an_algorithm_that_is_not_known_is_never_called_intact() -> None:
    files = bag({"manifest-crc32.txt": "00000000  data/a.txt\n00000000  data/d/b\n"})
    assert check(files) == [("manifest-crc32.txt", "unverifiable")]
    del files["manifest-sha256.txt"]
    assert check(files) == [("manifest-crc32.txt", "unverifiable")]
    assert code(stored(files)) == 3


def test_missing_extra_and_altered_files() -> None:
    files = bag()
    del files["data/d/b"]
    assert check(files | {"data/c": b""}) == [
        ("manifest-sha256.txt, line 2", "missing"),
        ("payload file 2", "unexpected"),
    ]


def test_tag_manifests_are_optional_and_count() -> None:
    tag = {"bag-info.txt": b"Contact-Name: x\n", "extra/note.txt": b"note"}
    tagged = bag({**tag, "tagmanifest-md5.txt": lines(tag, "md5")})
    assert check(tagged) == []
    assert check(tagged | {"extra/note.txt": b"nite"}) == [("tagmanifest-md5.txt, line 2", "altered")]
    del tagged["extra/note.txt"]
    assert check(tagged) == [("tagmanifest-md5.txt, line 2", "missing")]


def test_manifests_that_contradict_each_other() -> None:
    md5 = lines({"data/a.txt": b"other", "data/d/b": b""}, "md5")
    done = BagCheck(stored(bag({"manifest-md5.txt": md5})))
    (verdict,) = done.run()
    assert (verdict.finding.kind, verdict.finding.path) == ("altered", "data/a.txt")
    assert "contradict" in verdict.finding.detail
    half = bag({"manifest-md5.txt": lines({"data/a.txt": b"hello"}, "md5")})
    assert check(half) == [("manifest-md5.txt", "altered")]
    assert check(half | bag(version="0.97") | {"manifest-md5.txt": half["manifest-md5.txt"]}) == []


def test_what_is_to_be_fetched_is_not_there() -> None:
    files = bag({"fetch.txt": "https://example.org/b 0 data/d/b\n", "bag-info.txt": "Payload-Oxum: 5.2\n"})
    assert check(files) == []
    del files["data/d/b"]
    assert check(files) == [("manifest-sha256.txt, line 2", "unverifiable")]
    assert code(stored(files)) == 3
    hostile = bag({"fetch.txt": "https://example.org/b 0 ../../.ssh/authorized_keys\n"})
    assert check(hostile) == [("fetch.txt, line 1", "altered")]


def test_the_payload_oxum_is_compared() -> None:
    assert check(bag({"bag-info.txt": "Payload-Oxum: 6.2\n"})) == [("bag-info.txt", "altered")]
    assert check(bag({"bag-info.txt": "Payload-Oxum: x\n"})) == [("bag-info.txt, line 1", "altered")]


def test_other_encodings() -> None:
    payload = {"data/reçu.txt": b"1"}
    for encoding in ("ISO-8859-1", "UTF-16", "windows-1252"):
        declaration = f"BagIt-Version: 0.97\nTag-File-Character-Encoding: {encoding}\n"
        files = bag({"bagit.txt": declaration, "manifest-sha256.txt": lines(payload).encode(encoding)}, payload=payload)
        del files["data/reçu.txt"]
        assert check(files | payload) == []
        raw = os.fsdecode("data/reçu.txt".encode(encoding)) if encoding != "UTF-16" else "data/reçu.txt"
        assert check({**files, raw: b"1"}) == []
    assert check(bag({"manifest-sha256.txt": b"\xff"}))[0] == ("manifest-sha256.txt", "altered")
    unknown = bag({"bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: klingon\n"})
    assert check(unknown) == [("bagit.txt", "unverifiable")]


def test_a_version_that_is_not_known() -> None:
    assert check(bag(version="2.0")) == [("bagit.txt", "unverifiable")]
    assert check(bag({"bagit.txt": "BagIt-Version: 1.0\n"})) == [("bagit.txt", "altered")]


def test_no_manifest_says_anything() -> None:
    files = bag()
    del files["manifest-sha256.txt"]
    assert check(files) == [("manifest-*.txt", "missing")]
    assert check({"bagit.txt": bag()["bagit.txt"], "manifest-md5.txt": b""}) == [("data/", "missing")]


@pytest.mark.parametrize(
    ("one", "other"),
    [("data/A", "data/a"), ("data/é", "data/e\u0301"), ("data/É", "data/e\u0301"), ("data/D/x", "data/d/x")],
)
def test_twins_are_named(one: str, other: str) -> None:
    twins = {one: b"1", other: b"2"}
    files = bag(payload=twins)
    (verdict,) = check(files)
    assert verdict[1] == "unverifiable"
    assert check({path: data for path, data in files.items() if path != other})[0][1] == "missing"


def test_another_unicode_form_on_disk_is_the_same_name() -> None:
    files = bag(payload={"data/é": b"1"})
    files["data/e\u0301"] = files.pop("data/é")
    assert check(files) == []


def test_a_bundle_whose_statement_was_removed_is_no_whole_bag() -> None:
    files = bag(payload={"data/vol-000001.tar.age": b"x"})
    assert check(files) == [("statement.json", "missing")]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("d/b", None),
        ("../bagit.txt", "altered"),
        ("/etc/passwd", "missing"),
        ("../../outside", "missing"),
        ("nowhere", "missing"),
        ("d", "missing"),
        ("link", "missing"),
        ("d/../../../bag/data/d/b", "missing"),
    ],
)
def test_symlinks_lead_nowhere_but_into_the_bag(tmp_path: Path, target: str, kind: str | None) -> None:
    (tmp_path / "outside").write_bytes(b"")
    store = laid(bag({"manifest-sha256.txt": lines({**PAYLOAD, "data/link": b""})}), tmp_path / "bag")
    (tmp_path / "bag/data/link").symlink_to(target)
    assert found(store) == ([("manifest-sha256.txt, line 3", kind)] if kind else [])


def test_a_folder_behind_a_symlink_is_not_in_the_bag(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_bytes(b"")
    store = laid(bag({"manifest-sha256.txt": lines({**PAYLOAD, "data/link/x": b""})}), tmp_path / "bag")
    (tmp_path / "bag/data/link").symlink_to("../../outside")
    assert found(store) == [("manifest-sha256.txt, line 3", "missing"), ("payload file 3", "unexpected")]


def test_devices_and_pipes_are_not_read(tmp_path: Path) -> None:
    store = laid(bag({"manifest-sha256.txt": lines({**PAYLOAD, "data/pipe": b""})}), tmp_path / "bag")
    os.mkfifo(tmp_path / "bag/data/pipe")
    assert found(store) == [("manifest-sha256.txt, line 3", "unverifiable")]


def test_a_declaration_that_is_no_file(tmp_path: Path) -> None:
    store = laid(bag(), tmp_path / "bag")
    (tmp_path / "bag/bagit.txt").unlink()
    (tmp_path / "bag/bagit.txt").symlink_to("/etc/passwd")
    assert found(store) == [("bagit.txt", "unverifiable")]


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0\\~", exclude_categories=["Cc", "Zl", "Zp", "Zs"])
    | st.sampled_from("% é\n"),
    min_size=1,
    max_size=12,
).filter(lambda name: name.strip() == name and name not in {".", ".."} and len(name.encode()) < 200)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.dictionaries(PATHS, st.binary(max_size=50), min_size=1, max_size=6)


def _lay(contents: Mapping[str, bytes], root: Path) -> None:
    folded = [path.lower() for path in contents]
    assume(len(set(folded)) == len(folded))
    try:
        laid(contents, root)
    except OSError:
        assume(False)  # a file where another needs a folder


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=CONTENTS, algorithms=st.lists(st.sampled_from(ALGORITHMS), min_size=1, max_size=3, unique=True))
def test_what_bagit_makes_and_finds_valid_is_whole(contents: dict[str, bytes], algorithms: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bag"
        _lay(contents, root)
        try:
            made = bagit.make_bag(str(root), checksums=algorithms)
            assume(made.is_valid())
        except bagit.BagError:
            assume(False)
        assert found(LocalStore(root)) == []


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=CONTENTS, data=st.data())
def test_what_bagit_finds_invalid_is_not_whole(contents: dict[str, bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bag"
        _lay(contents, root)
        bagit.make_bag(str(root), checksums=["sha256", "md5"])
        files = sorted(path for path in root.rglob("*") if path.is_file())
        victim = data.draw(st.sampled_from(files))
        match data.draw(st.sampled_from(["flip", "cut", "remove", "add"])):
            case "flip":
                content = bytearray(victim.read_bytes() or b"\0")
                content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
                victim.write_bytes(content)
            case "cut":
                victim.write_bytes(victim.read_bytes()[:-1])
            case "remove":
                victim.unlink()
            case _:
                (root / "data" / "added").write_bytes(b"")
        try:
            valid = bagit.Bag(str(root)).is_valid()
        except (bagit.BagError, UnicodeError, ValueError):
            valid = False
        if not valid and (root / "bagit.txt").exists():
            assert found(LocalStore(root)) != []
        shutil.rmtree(root)
