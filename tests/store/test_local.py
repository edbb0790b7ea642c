"""Folders of this machine: what the shared contract does not cover."""

import os
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from repatria.errors import ChangedError, FullError, NotFoundError, RefusedError, Role
from repatria.model import Object, ObjectKind
from repatria.store import local
from repatria.store.local import LocalStore
from repatria.store.local_files import UNTOUCHED, hold
from repatria.store.paths import ASIDE, UnholdableNameError


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "root").mkdir()
    return LocalStore(tmp_path / "root")


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Mount a file system of its own, as only root may."""
    folder.mkdir()
    command: list[str | Path] = ["mount", "-t", "tmpfs", "-o", options, "none", folder]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system of its own may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def put(store: LocalStore, path: str, data: bytes = b"12345") -> None:
    store.put(path, [data], len(data))


def read(store: LocalStore, path: str, version: str | None = None) -> bytes:
    with store.read(path, version=version) as reading:
        return b"".join(reading.chunks)


class TestNoWayOut:
    """A symlink below the root is an object, never a way."""

    @pytest.fixture(autouse=True)
    def _links(self, store: LocalStore, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside/secret").write_text("secret")
        (store.root / "folder").symlink_to(tmp_path / "outside")
        (store.root / "file").symlink_to(tmp_path / "outside/secret")

    def test_nothing_is_written_through_a_link(self, store: LocalStore, tmp_path: Path) -> None:
        for path in ("folder/new", "folder/deep/new", "file/new"):
            with pytest.raises(UnholdableNameError):
                put(store, path)
        assert [path.name for path in (tmp_path / "outside").iterdir()] == ["secret"]

    def test_nor_read_or_deleted(self, store: LocalStore, tmp_path: Path) -> None:
        for ask in (store.stat, store.read):
            with pytest.raises(NotFoundError):
                ask("folder/secret")
        store.delete("folder/secret")
        assert (tmp_path / "outside/secret").exists()

    def test_a_link_is_read_as_its_target(self, store: LocalStore, tmp_path: Path) -> None:
        assert read(store, "file") == str(tmp_path / "outside/secret").encode()

    def test_listing_does_not_enter(self, store: LocalStore) -> None:
        assert [(found.path, found.kind) for found in store.list()] == [
            ("file", ObjectKind.SYMLINK),
            ("folder", ObjectKind.SYMLINK),
        ]

    def test_a_folder_aside_that_is_a_link_is_not_used(self, store: LocalStore, tmp_path: Path) -> None:
        (store.root / ASIDE).symlink_to(tmp_path / "outside")
        with pytest.raises(RefusedError):
            put(store, "new")
        assert [path.name for path in (tmp_path / "outside").iterdir()] == ["secret"]

    def test_the_root_itself_may_be_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "way").symlink_to(tmp_path / "outside")
        assert [found.path for found in LocalStore(tmp_path / "way").list()] == ["secret"]


class TestListing:
    def test_specials_are_told(self, store: LocalStore) -> None:
        os.mkfifo(store.root / "pipe")
        assert [found.kind for found in store.list()] == [ObjectKind.SPECIAL]
        with pytest.raises(RefusedError):
            store.read("pipe")

    def test_in_a_stable_order_in_batches(self, store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
        for path in ("b/1", "b/2", "a/1", "z", "y", "b/c/1"):
            put(store, path)
        assert [found.path for found in store.list()] == ["y", "z", "a/1", "b/1", "b/2", "b/c/1"]
        monkeypatch.setattr(local, "BATCH", 1)
        assert sorted(found.path for found in store.list()) == ["a/1", "b/1", "b/2", "b/c/1", "y", "z"]

    def test_only_folders_that_are_entered(self, store: LocalStore) -> None:
        for path in ("a/1", "b/1", "b/c/1"):
            put(store, path)
        assert [found.path for found in store.list(enter=lambda path: path != "b/c")] == ["a/1", "b/1"]

    def test_a_folder_that_may_not_be_read_is_an_error(self, store: LocalStore) -> None:
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
        put(store, "closed/1")
        (store.root / "closed").chmod(0)
        with pytest.raises(RefusedError):
            list(store.list())
        (store.root / "closed").chmod(0o700)

    def test_a_tree_deeper_than_paths_may_be_long(self, store: LocalStore) -> None:
        folder = os.open(store.root, os.O_RDONLY)
        for _depth in range(40):
            os.mkdir("d" * 200, dir_fd=folder)
            inner = os.open("d" * 200, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        os.close(folder)
        (found,) = store.list()
        assert len(found.path) == 40 * 201 + 4
        assert store.stat(found.path).size == 0
        put(store, found.path + "2")
        subprocess.run(["rm", "-rf", store.root], check=True)

    def test_a_source_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError) as caught:
            list(LocalStore(tmp_path / "gone", role=Role.SOURCE).list())
        assert caught.value.code == 4
        assert list(LocalStore(tmp_path / "gone").list()) == []


class TestVersions:
    def test_replaced_with_the_same_size(self, store: LocalStore) -> None:
        put(store, "a")
        version = store.stat("a").version
        (store.root / "new").write_bytes(b"54321")
        (store.root / "new").rename(store.root / "a")
        with pytest.raises(ChangedError):
            store.read("a", version=version)

    @pytest.mark.parametrize("change", ["rewritten", "grown", "cut"])
    def test_changed_while_it_is_read(self, store: LocalStore, change: str) -> None:
        put(store, "a", b"x" * 3_000_000)
        with store.read("a") as reading:
            next(reading.chunks)
            with (store.root / "a").open("r+b") as file:
                if change == "cut":
                    file.truncate(100)
                else:
                    file.seek(0, os.SEEK_END if change == "grown" else os.SEEK_SET)
                    file.write(b"y")
            with pytest.raises(ChangedError):
                list(reading.chunks)

    def test_replaced_while_it_is_read_the_old_one_is_read_on(self, store: LocalStore) -> None:
        put(store, "a", b"x" * 3_000_000)
        with store.read("a") as reading:
            first = next(reading.chunks)
            store.delete("a")
            put(store, "a", b"y")
            assert first + b"".join(reading.chunks) == b"x" * 3_000_000

    def test_removed_while_it_is_listed(self, store: LocalStore) -> None:
        for name in "abc":
            put(store, f"{name}/1")
        listing = store.list()
        assert next(listing).path == "a/1"
        subprocess.run(["rm", "-r", store.root / "b"], check=True)
        assert [found.path for found in listing] == ["c/1"]


class TestPutting:
    def test_nothing_is_left_aside(self, store: LocalStore) -> None:
        put(store, "a/b")
        assert list((store.root / ASIDE).iterdir()) == []
        store.close()
        assert sorted(path.name for path in store.root.iterdir()) == ["a"]

    def test_what_killed_runs_left_is_removed(self, store: LocalStore) -> None:
        aside = store.root / ASIDE
        aside.mkdir()
        for name, age in (("left", UNTOUCHED + 1), ("held", UNTOUCHED + 1), ("young", UNTOUCHED / 2)):
            (aside / name).write_text("in clear")
            os.utime(aside / name, times=(time.time() - age,) * 2)
        with (aside / "held").open() as held:
            hold(held.fileno())
            put(store, "a")
        assert sorted(path.name for path in aside.iterdir()) == ["held", "young"]

    def test_what_is_being_written_is_held(self, store: LocalStore) -> None:
        def data() -> Iterator[bytes]:
            (aside,) = (store.root / ASIDE).iterdir()
            os.utime(aside, times=(1, 1))
            put(LocalStore(store.root), "b")  # another run, which sweeps
            yield b"12345"

        store.put("a", data(), 5)
        assert read(store, "a") == b"12345"

    def test_the_folder_aside_may_vanish_between_two_runs(self, store: LocalStore) -> None:
        put(store, "a")
        LocalStore(store.root).close()
        put(store, "b")
        assert read(store, "b") == b"12345"

    def test_without_another_mode_that_of_the_umask(self, store: LocalStore) -> None:
        earlier = os.umask(0o027)
        try:
            put(store, "a")
        finally:
            os.umask(earlier)
        assert stat.S_IMODE((store.root / "a").stat().st_mode) == 0o640

    def test_a_symlink_and_its_time(self, store: LocalStore) -> None:
        like = Object("x", 7, mtime_ns=10**18, kind=ObjectKind.SYMLINK, link_target="nowhere")
        store.put("a/link", [b"nowhere"], 7, like=like)
        status = (store.root / "a/link").lstat()
        assert stat.S_ISLNK(status.st_mode)
        assert status.st_mtime_ns == 10**18

    def test_where_a_file_is_in_the_way(self, store: LocalStore) -> None:
        put(store, "a")
        with pytest.raises(UnholdableNameError):
            put(store, "a/b")

    def test_a_name_that_the_file_system_refuses(self, store: LocalStore) -> None:
        with pytest.raises(UnholdableNameError):
            put(store, "/".join(["d" * 200] * 3 + ["x" * 256]))

    def test_on_a_full_disk(self, tmp_path: Path) -> None:
        with mounted(tmp_path / "disk", "size=1m") as disk:
            store = LocalStore(disk)
            put(store, "small", b"x" * 100_000)
            with pytest.raises(FullError, match="safe") as caught:
                put(store, "large", b"x" * 2_000_000)
            assert caught.value.code == 5
            assert [found.path for found in store.list()] == ["small"]
            assert list((disk / ASIDE).iterdir()) == []

    def test_on_a_disk_mounted_read_only(self, tmp_path: Path) -> None:
        with mounted(tmp_path / "disk", "ro") as disk, pytest.raises(RefusedError, match="read-only"):
            put(LocalStore(disk), "a")

    def test_killed_at_any_moment_nothing_half_is_visible(self, store: LocalStore) -> None:
        code = (
            "import sys; from pathlib import Path; from repatria.store.local import LocalStore\n"
            "store = LocalStore(Path(sys.argv[1])); print('go', flush=True)\n"
            "for number in range(100000): store.put(f'd/{number}', [b'x' * 50_000] * 4, 200_000)"
        )
        for pause in (0.02, 0.05, 0.1):
            process = subprocess.Popen(["python", "-c", code, store.root / str(pause)], stdout=subprocess.PIPE)
            assert process.stdout
            process.stdout.readline()
            time.sleep(pause)
            process.kill()
            process.wait()
            process.stdout.close()
        sizes = {found.size for found in store.list() if ASIDE not in found.path}
        assert sizes <= {200_000}


def test_a_file_is_no_source_and_no_target(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    with pytest.raises(NotFoundError) as caught:
        list(LocalStore(file, role=Role.SOURCE).list())
    assert caught.value.code == 4
    with pytest.raises(RefusedError, match="is a file"):
        LocalStore(file).put("a", [b"x"], 1)
    assert file.read_bytes() == b"x"


def test_a_fifo_that_takes_a_files_place_is_not_waited_for(store: LocalStore) -> None:
    put(store, "a")
    found = store.stat("a")
    (store.root / "a").unlink()
    os.mkfifo(store.root / "a")
    done = threading.Event()

    def ask() -> None:
        with pytest.raises((RefusedError, ChangedError)):
            store.read("a", version=found.version)
        done.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    assert done.wait(10)
