"""One contract, every store: what `repatria.store.base.Store` promises, on real servers."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from repatria.errors import AlreadyExistsError, ChangedError, NotFoundError, RefusedError, Role
from repatria.model import Object, ObjectKind
from repatria.store.base import Buffer, Store, StoredFile
from repatria.store.registry import open_store
from tests.servers import Server


@dataclass(frozen=True)
class Place:
    """An empty place of one kind of store."""

    kind: str
    open: Callable[[Role], Store]

    @property
    def has_folders(self) -> bool:
        return self.kind in {"local", "sftp"}

    @property
    def takes_any_key(self) -> bool:
        return self.kind in {"memory", "moto", "other"}

    @property
    def keeps_metadata(self) -> bool:
        return self.kind in {"memory", *BUCKETS}


SERVERS = {"rclone": "rclone_s3", "moto": "moto_s3", "other": "other_s3", "sftp": "sshd"}
BUCKETS = {"rclone", "moto", "other"}
KINDS = ["memory", "local", *(kind for kind in SERVERS if kind != "other" or "REPATRIA_TEST_S3" in os.environ)]


@pytest.fixture(params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    opened: list[Store] = []
    kind = request.param
    endpoint = profile = None
    if kind in SERVERS:
        server: Server = request.getfixturevalue(SERVERS[kind])
        server.use(monkeypatch)
        uri, endpoint, profile = server.new_place(), server.endpoint, server.profile
    else:
        uri = f"memory://{request.node.name}" if kind == "memory" else str(tmp_path_factory.mktemp("local") / "root")

    def open_place(role: Role) -> Store:
        opened.append(open_store(uri, endpoint=endpoint, profile=profile, role=role))
        return opened[-1]

    yield Place(kind, open_place)
    for store in opened:
        store.close()


@pytest.fixture
def store(place: Place) -> Store:
    return place.open(Role.TARGET)


def put(store: Store, path: str, data: bytes) -> Object:
    store.put(path, [data], len(data))
    return store.stat(path)


def read(store: Store, path: str, start: int = 0, length: int | None = None, version: str | None = None) -> bytes:
    with store.read(path, start, length, version=version) as reading:
        return b"".join(reading.chunks)


def paths(store: Store, prefix: str = "") -> list[str]:
    return sorted(each.path for each in store.list(prefix))


class TestBytesComeBackAsTheyWere:
    @pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_001])
    def test_whole(self, store: Store, size: int) -> None:
        data = bytes(range(251)) * (size // 251 + 1)
        put(store, "a/b.bin", data[:size])
        assert read(store, "a/b.bin") == data[:size]

    def test_from_several_chunks_of_any_buffer(self, store: Store) -> None:
        chunks: list[Buffer] = [b"one", bytearray(b" two"), memoryview(b" three")]
        store.put("a", iter(chunks), 13)
        assert read(store, "a") == b"one two three"

    @pytest.mark.parametrize(("start", "length"), [(0, 4), (3, 5), (9, 1), (3, None), (10, None), (0, 0), (10, 0)])
    def test_in_part(self, store: Store, start: int, length: int | None) -> None:
        put(store, "a", b"0123456789")
        expected = b"0123456789"[start : None if length is None else start + length]
        assert read(store, "a", start, length) == expected

    @pytest.mark.parametrize(("start", "length"), [(0, 11), (8, 3), (10, 1), (11, None), (11, 0), (50, 4)])
    def test_never_short_without_an_error(self, store: Store, start: int, length: int | None) -> None:
        put(store, "a", b"0123456789")
        with pytest.raises(ChangedError):
            read(store, "a", start, length)

    def test_an_empty_object_has_no_first_byte(self, store: Store) -> None:
        put(store, "a", b"")
        assert read(store, "a") == b""
        with pytest.raises(ChangedError):
            read(store, "a", 0, 1)

    def test_by_random_access(self, store: Store) -> None:
        found = put(store, "a", bytes(range(256)) * 1000)
        file = StoredFile(store, "a", found.size, found.version)
        assert file.read_at(255_000, 10) == bytes((255_000 + index) % 256 for index in range(10))

    def test_a_reading_may_be_left_before_its_end(self, store: Store) -> None:
        put(store, "a", b"x" * 5_000_000)
        for _attempt in range(12):  # more often than any pool has connections
            with store.read("a") as reading:
                assert next(iter(reading.chunks))[:1] == b"x"
        assert read(store, "a", 0, 1) == b"x"


class TestNothingIsOverwritten:
    def test_a_taken_path_is_refused_and_left(self, store: Store) -> None:
        put(store, "a/b", b"first")
        with pytest.raises(AlreadyExistsError):
            store.put("a/b", [b"second"], 6)
        assert read(store, "a/b") == b"first"

    def test_of_many_at_once_one_wins(self, place: Place, store: Store) -> None:
        if place.kind == "rclone":
            pytest.skip("rclone's server ignores If-None-Match: only the look before each put protects")
        together = threading.Barrier(6)

        def put_own(number: int) -> int | None:
            together.wait()
            try:
                store.put("race", [bytes([number]) * 1000], 1000)
            except AlreadyExistsError:
                return None
            return number

        with ThreadPoolExecutor(6) as pool:
            winners = [number for number in pool.map(put_own, range(6)) if number is not None]
        assert len(winners) == 1
        assert read(store, "race") == bytes(winners) * 1000

    def test_after_deleting_the_path_is_free(self, store: Store) -> None:
        put(store, "a", b"first")
        store.delete("a")
        put(store, "a", b"second")
        assert read(store, "a") == b"second"


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class TestReplacing:
    """The one exception to writing once: a file takes the place of another, proven before and at one stroke."""

    @pytest.mark.parametrize("size", [0, 7, 3_000_001])
    def test_the_new_bytes_are_there_and_nothing_aside(self, store: Store, size: int) -> None:
        put(store, "a/b", b"old")
        put(store, "a/c", b"other")
        new = bytes(range(251)) * (size // 251 + 1)
        store.replace(
            "a/b", [new[:100], memoryview(new)[100:size]] if size > 100 else [new[:size]], size, digest(new[:size])
        )
        assert read(store, "a/b") == new[:size]
        assert [path for path in paths(store) if not path.startswith("a/c")] == ["a/b"]
        assert read(store, "a/c") == b"other"

    def test_as_often_as_one_likes(self, store: Store) -> None:
        put(store, "a", b"old")
        for data in (b"newer", b"newest", b"newest"):
            store.replace("a", [data], len(data), digest(data))
            assert read(store, "a") == data

    def test_what_is_not_there_is_not_made(self, store: Store) -> None:
        put(store, "a/b", b"old")
        for path in ("a/c", "z/z"):
            with pytest.raises(NotFoundError):
                store.replace(path, [b"new"], 3, digest(b"new"))
        assert paths(store) == ["a/b"]

    def test_bytes_that_are_not_those_announced_leave_the_old_file(self, store: Store) -> None:
        put(store, "a", b"old")
        with pytest.raises(RefusedError):
            store.replace("a", [b"new"], 3, digest(b"NEW"))
        with pytest.raises(ValueError, match="3 bytes came where 4"):
            store.replace("a", [b"new"], 4, digest(b"new"))
        assert read(store, "a") == b"old"
        assert paths(store) == ["a"]

    def test_data_that_fails_leaves_the_old_file(self, store: Store) -> None:
        def broken() -> Iterator[bytes]:
            yield b"x" * 100_000
            raise RuntimeError("the power is gone")

        put(store, "a", b"old")
        with pytest.raises(RuntimeError):
            store.replace("a", broken(), 200_000, digest(b""))
        assert read(store, "a") == b"old"
        assert paths(store) == ["a"]

    def test_readers_find_the_old_file_or_the_new_one_whole(self, store: Store) -> None:
        put(store, "a", b"0" * 100_000)
        seen: set[bytes] = set()
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                with contextlib.suppress(ChangedError):
                    seen.add(read(store, "a"))

        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)
            for number in range(8):
                data = bytes([49 + number]) * (100_000 + number)
                store.replace("a", [data], len(data), digest(data))
            done.set()
            watching.result()
        assert all(data == data[:1] * (100_000 + max(0, data[0] - 49)) for data in seen)


class TestNothingIsVisibleBeforeItIsWhole:
    def test_data_that_fails_leaves_nothing(self, store: Store) -> None:
        def broken() -> Iterator[bytes]:
            yield b"x" * 100_000
            raise RuntimeError("the source is gone")

        with pytest.raises(RuntimeError):
            store.put("a/b", broken(), 200_000)
        assert paths(store) == []
        put(store, "a/b", b"whole")
        assert read(store, "a/b") == b"whole"

    @pytest.mark.parametrize("announced", [4, 6])
    def test_data_of_another_size_leaves_nothing(self, store: Store, announced: int) -> None:
        with pytest.raises(ValueError, match=f"5 bytes came where {announced}"):
            store.put("a", [b"12345"], announced)
        with pytest.raises(NotFoundError):
            store.stat("a")

    def test_while_it_is_written_it_is_not_listed(self, store: Store) -> None:
        seen: list[list[str]] = []

        def watched() -> Iterator[bytes]:
            yield b"x" * 100_000
            seen.append(paths(store))
            yield b"x"

        store.put("a/b", watched(), 100_001)
        assert seen == [[]]
        assert paths(store) == ["a/b"]


class TestListing:
    def test_of_nothing_is_empty(self, store: Store) -> None:
        assert paths(store) == []
        assert paths(store, "a/b") == []

    def test_by_string_prefix(self, store: Store) -> None:
        for path in ["a/b", "a/bc/d", "a/x", "ab", "z"]:
            put(store, path, b"1")
        assert paths(store) == ["a/b", "a/bc/d", "a/x", "ab", "z"]
        assert paths(store, "a") == ["a/b", "a/bc/d", "a/x", "ab"]
        assert paths(store, "a/") == ["a/b", "a/bc/d", "a/x"]
        assert paths(store, "a/b") == ["a/b", "a/bc/d"]
        assert paths(store, "a/bc/") == ["a/bc/d"]
        assert paths(store, "nothing/") == []

    def test_tells_what_stat_tells(self, store: Store) -> None:
        put(store, "a/b", b"12345")
        (listed,) = store.list()
        told = store.stat("a/b")
        assert (listed.size, listed.version, listed.mtime_ns, listed.kind) == (
            5,
            told.version,
            told.mtime_ns,
            ObjectKind.FILE,
        )
        assert listed.version
        assert listed.mtime_ns

    def test_may_be_left_before_its_end(self, store: Store) -> None:
        for number in range(20):
            put(store, f"d{number}/f", b"")
        assert next(iter(store.list())).size == 0

    def test_reading_while_listing(self, store: Store) -> None:
        for number in range(10):
            put(store, f"{number}/f", bytes([number]))
        assert sorted(read(store, each.path) for each in store.list()) == [bytes([number]) for number in range(10)]


class TestVersions:
    def test_a_read_of_the_version_listed(self, store: Store) -> None:
        found = put(store, "a", b"12345")
        assert read(store, "a", version=found.version) == b"12345"
        assert read(store, "a", 1, 2, version=found.version) == b"23"

    def test_replaced_before_the_read(self, store: Store) -> None:
        old = put(store, "a", b"12345")
        store.delete("a")
        put(store, "a", b"1234567")
        for start, length in [(0, None), (2, 2), (0, 0)]:
            with pytest.raises(ChangedError):
                read(store, "a", start, length, version=old.version)


class TestNames:
    @pytest.mark.parametrize(
        "path",
        [
            "with space/and+plus&ampersand",
            "percent%20/%2F%",
            "question?mark#fragment",
            "dossiers médicaux/N°12 – été.pdf",
            "e\u0301t\u00e9",
            "العربية/ملف.txt",
            "'quotes\"\\backslash",
            ".hidden/..dots...",
            "-rf",
            "~/home",
            "x" * 240,
        ],
    )
    def test_that_every_store_holds(self, store: Store, path: str) -> None:
        put(store, path, path.encode())
        assert paths(store) == [path]
        assert read(store, path) == path.encode()
        assert store.stat(path).path == path
        store.delete(path)
        assert [each for each in store.list() if each.kind is ObjectKind.FILE] == []

    def test_with_control_characters(self, place: Place, store: Store) -> None:
        if place.kind == "rclone":
            pytest.skip("rclone's server fails on them")
        feed = "" if place.kind == "moto" else "\n"  # moto's routes do not match a line feed
        put(store, f"tab\tand\x01control{feed}", b"1")
        assert read(store, f"tab\tand\x01control{feed}") == b"1"
        assert paths(store) == [f"tab\tand\x01control{feed}"]

    @pytest.mark.parametrize(
        "path", ["/absolute", "a//b", "a/../b", "./a", "a/", "../a", "..", "a" * 300, ".repatria-tmp/a"]
    )
    def test_that_no_file_system_holds(self, place: Place, store: Store, path: str) -> None:
        if place.has_folders:
            with pytest.raises(RefusedError):
                store.put(path, [b"1"], 1)
            for ask in (store.stat, store.read):
                with pytest.raises(NotFoundError):
                    ask(path)
            assert paths(store, path) == []
        elif place.takes_any_key:
            put(store, path, b"1")
            assert paths(store) == [path]
            assert read(store, path) == b"1"

    def test_that_are_not_utf8(self, place: Place, store: Store) -> None:
        path = b"caf\xe9/\xff".decode("utf-8", "surrogateescape")
        if place.has_folders or place.kind == "memory":
            put(store, path, b"1")
            assert paths(store) == [path]
            assert read(store, path) == b"1"
        else:
            with pytest.raises(RefusedError):
                store.put(path, [b"1"], 1)


class TestWhatIsNotThere:
    def test_is_not_found(self, store: Store) -> None:
        for ask in (store.stat, store.read):
            with pytest.raises(NotFoundError):
                ask("no/such")

    def test_can_be_deleted(self, store: Store) -> None:
        store.delete("no/such")

    def test_a_source_fails_with_4_and_a_target_with_5(self, place: Place) -> None:
        for role, code in ((Role.SOURCE, 4), (Role.TARGET, 5)):
            with pytest.raises(NotFoundError) as caught:
                place.open(role).stat("no/such")
            assert caught.value.code == code


class TestWhatIsKept:
    def test_metadata_and_content_type(self, place: Place, store: Store) -> None:
        if not place.keeps_metadata:
            pytest.skip("file systems keep neither")
        like = Object("x", 3, content_type="application/dicom", metadata={"patient-class": "A"})
        store.put("a", [b"123"], 3, like=like)
        with store.read("a") as reading:
            assert reading.object.content_type == "application/dicom"
            assert dict(reading.object.metadata) == {"patient-class": "A"}

    def test_mode_and_time(self, place: Place, store: Store) -> None:
        if not place.has_folders:
            pytest.skip("only file systems keep both")
        like = Object("x", 3, mode=0o640, mtime_ns=1_000_000_000_000_000_000)
        store.put("a", [b"123"], 3, like=like)
        found = store.stat("a")
        assert (found.mode, found.mtime_ns) == (0o640, 1_000_000_000_000_000_000)

    def test_symlinks_are_listed_and_never_followed(self, place: Place, store: Store) -> None:
        like = Object("x", 11, kind=ObjectKind.SYMLINK, link_target="/etc/passwd")
        if place.kind in BUCKETS:
            with pytest.raises(RefusedError):
                store.put("a/link", [b"/etc/passwd"], 11, like=like)
            return
        store.put("a/link", [b"/etc/passwd"], 11, like=like)
        (found,) = store.list()
        assert (found.path, found.kind, found.link_target, found.size) == (
            "a/link",
            ObjectKind.SYMLINK,
            "/etc/passwd",
            11,
        )
        assert read(store, "a/link", version=found.version) == b"/etc/passwd"

    def test_empty_directories(self, place: Place, store: Store) -> None:
        like = Object("x", 0, kind=ObjectKind.DIRECTORY, mode=0o750)
        store.put("a/empty", [], 0, like=like)
        put(store, "b/full", b"")
        if place.has_folders:
            empty = next(each for each in store.list() if each.path == "a/empty")
            assert (empty.kind, empty.mode, empty.size) == (ObjectKind.DIRECTORY, 0o750, 0)
            assert paths(store) == ["a/empty", "b/full"]
        with pytest.raises(AlreadyExistsError):
            store.put("a/empty", [], 0, like=like)


class TestManyThreads:
    def test_put_and_read_at_once(self, store: Store) -> None:
        def both(number: int) -> bool:
            data = bytes([number]) * 50_000
            store.put(f"n/{number}", [data], len(data))
            return read(store, f"n/{number}") == data

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(both, range(48)))
        assert len(paths(store, "n/")) == 48
