"""SFTP: what the shared contract does not cover."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repatria.errors import (
    AlreadyExistsError,
    ChangedError,
    FullError,
    RefusedError,
    Role,
    StoreError,
    UnreachableError,
    UsageError,
)
from repatria.model import Object, ObjectKind
from repatria.store import resuming, sftp_connection, sftp_pool, sftp_program, sftp_walk
from repatria.store.base import Store
from repatria.store.paths import ASIDE, UnholdableNameError
from repatria.store.registry import open_store
from repatria.store.sftp import SftpStore
from repatria.store.sftp_connection import Connection
from tests.servers import CuttingProxy, Server, running_sshd


@pytest.fixture
def home(sshd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with keys and a configuration like the server's own, free to be changed."""
    sshd.use(monkeypatch)
    folder = tmp_path / "home"
    shutil.copytree(home_of(sshd), folder)
    edit(folder / ".ssh/config", re.escape(str(home_of(sshd))), str(folder))
    monkeypatch.setenv("REPATRIA_SSH", f"ssh -F {folder}/.ssh/config")
    return folder


@pytest.fixture
def store(sshd: Server, home: Path) -> Iterator[Store]:
    store = open_store(sshd.new_place())
    yield store
    store.close()


def folder_of(store: Store, sshd: Server) -> Path:
    assert sshd.folder
    return sshd.folder / store.uri.rpartition("/")[2]


def home_of(sshd: Server) -> Path:
    return Path(sshd.env["REPATRIA_SSH"].split()[-1]).parents[1]


def put(store: Store, path: str, data: bytes = b"12345") -> None:
    store.put(path, [data], len(data))


def read(store: Store, path: str) -> bytes:
    with store.read(path) as reading:
        return b"".join(reading.chunks)


def listed(uri: str, role: Role = Role.SOURCE) -> list[Object]:
    store = open_store(uri, role=role)
    try:
        return list(store.list())
    finally:
        store.close()


def edit(file: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, file.read_text())
    assert count
    file.write_text(text)


class TestHostKeys:
    """A host is used only if its key is known; nobody is ever asked to believe."""

    def test_an_unknown_host_is_refused_with_what_to_check(self, sshd: Server, home: Path) -> None:
        known = home / ".ssh/known_hosts"
        port = str(re.findall(r"\]:(\d+)", known.read_text())[0])
        known.write_text("")
        with pytest.raises(RefusedError, match="not known") as caught:
            listed(sshd.new_place())
        assert caught.value.code == 4
        key = home_of(sshd).parent / "host_key.pub"
        shown = subprocess.run(["ssh-keygen", "-l", "-f", key], check=True, capture_output=True, text=True)
        assert shown.stdout.split()[1] in caught.value.advice
        assert f"ssh-keyscan -t ed25519 -p {port} 127.0.0.1 >> ~/.ssh/known_hosts" in caught.value.advice
        assert known.read_text() == ""

    def test_another_key_than_the_known_one_is_refused(self, sshd: Server, home: Path) -> None:
        other = (home / ".ssh/id_test.pub").read_text().split()[1]
        edit(home / ".ssh/known_hosts", r"AAAA\S+", other)
        with pytest.raises(RefusedError, match="another host key") as caught:
            listed(sshd.new_place())
        assert "ssh-keygen -R '[127.0.0.1]:" in caught.value.advice

    def test_a_revoked_key_is_refused(self, sshd: Server, home: Path) -> None:
        known = home / ".ssh/known_hosts"
        known.write_text(known.read_text() + "@revoked * " + known.read_text().partition(" ")[2])
        with pytest.raises(RefusedError, match="another host key"):
            listed(sshd.new_place())

    def test_the_configuration_may_name_another_file(self, sshd: Server, home: Path) -> None:
        (home / ".ssh/known_hosts").rename(home / ".ssh/mine")
        edit(home / ".ssh/config", "/known_hosts\n", "/mine\n")
        assert listed(sshd.root_uri, Role.TARGET) is not None


class TestAuthentication:
    def test_a_key_that_the_server_does_not_know(self, sshd: Server, home: Path) -> None:
        (home / ".ssh/id_test").unlink()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / ".ssh/id_test"], check=True)
        with pytest.raises(RefusedError, match="does not accept any SSH key") as caught:
            listed(sshd.new_place())
        assert "authorized_keys" in caught.value.advice

    def test_a_key_with_a_passphrase_needs_the_agent(self, sshd: Server, home: Path) -> None:
        command: list[str | Path] = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", home / ".ssh/id_test"]
        subprocess.run(command, check=True, capture_output=True)
        with pytest.raises(RefusedError) as caught:
            listed(sshd.new_place())
        assert f"ssh-add {home}/.ssh/id_test" in caught.value.advice

    def test_the_agents_keys_are_offered(self, sshd: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        started = subprocess.run(
            ["ssh-agent", "-s", "-a", home / "agent"], check=True, capture_output=True, text=True
        ).stdout
        process = re.findall(r"SSH_AGENT_PID=(\d+)", started)[0]
        monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "agent"))
        try:
            subprocess.run(["ssh-add", "-q", home / ".ssh/id_test"], check=True)
            (home / ".ssh/id_test").unlink()
            assert listed(sshd.root_uri) is not None
        finally:
            subprocess.run(["kill", process], check=True)


class TestAddresses:
    def test_user_and_port_of_the_uri_go_before_the_configuration(self, sshd: Server, home: Path) -> None:
        port = re.findall(r"Port (\d+)", (home / ".ssh/config").read_text())[0]
        with (home / ".ssh/config").open("a") as config:
            config.write("  Port 1\n  User nobody-here\n")
        user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
        assert listed(f"sftp://{user}@127.0.0.1:{port}{sshd.folder}") is not None

    def test_below_the_users_own_folder(self, sshd: Server, home: Path) -> None:
        store = open_store("sftp://depot/~/repatria-test-of-sftp")
        try:
            put(store, "a")
            assert [found.path for found in store.list()] == ["a"]
        finally:
            store.delete("a")
            store.close()
        own = subprocess.run(["sh", "-c", "eval echo ~$(id -un)"], check=True, capture_output=True, text=True)
        (Path(own.stdout.strip()) / "repatria-test-of-sftp").rmdir()

    def test_escapes_in_the_path(self, sshd: Server, home: Path) -> None:
        place = sshd.new_place()
        store = open_store(f"{place}/a%20b/%C3%A9")
        put(store, "x")
        store.close()
        assert sshd.folder
        here = sshd.folder / place.rpartition("/")[2]
        assert [path.relative_to(here).as_posix() for path in here.rglob("x")] == ["a b/é/x"]

    def test_through_another_host(self, sshd: Server, home: Path) -> None:
        port = re.findall(r"Port (\d+)", (home / ".ssh/config").read_text())[0]
        with (home / ".ssh/config").open("a") as config:
            config.write(f"Host behind\n  HostName 127.0.0.1\n  Port {port}\n  ProxyJump depot\n")
        store = open_store(sshd.new_place().replace("depot", "behind"))
        put(store, "a")
        assert read(store, "a") == b"12345"
        store.close()

    def test_nobody_answers(self, home: Path) -> None:
        with pytest.raises(UnreachableError, match="no SSH connection") as caught:
            listed("sftp://127.0.0.1:1/x")
        assert caught.value.code == 4

    def test_no_such_host(self, home: Path) -> None:
        with pytest.raises(UnreachableError, match="no such host as nowhere"):
            listed("sftp://nowhere.invalid/x")

    def test_a_name_that_looks_like_an_option_is_none(self, home: Path) -> None:
        with pytest.raises((UnreachableError, UsageError)):
            listed(f"sftp://-oProxyCommand=touch%20{home}%2Ftouched/x")
        assert not (home / "touched").exists()

    def test_a_configuration_with_an_error(self, home: Path) -> None:
        with (home / ".ssh/config").open("a") as config:
            config.write("  Nonsense yes\n")
        with pytest.raises(UsageError, match="does not take its configuration") as caught:
            listed("sftp://depot/x")
        assert "ssh -G depot" in caught.value.advice

    def test_without_ssh(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REPATRIA_SSH", str(home / "ssh"))
        with pytest.raises(UsageError, match="needs OpenSSH's client") as caught:
            listed("sftp://depot/x")
        assert "openssh-client" in caught.value.advice


class TestBreaks:
    @pytest.fixture
    def proxy(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CuttingProxy]:
        """Put a proxy between; the configuration and the known hosts lead through it."""
        monkeypatch.setattr(resuming, "FIRST_PAUSE", 0)
        monkeypatch.setattr(sftp_connection, "ATTEMPTS", 1)
        port = re.findall(r"Port (\d+)", (home / ".ssh/config").read_text())[0]
        proxy = CuttingProxy(int(port))
        for file in ("config", "known_hosts"):
            edit(home / f".ssh/{file}", port, str(proxy.port))
        yield proxy
        proxy.close()

    def test_a_reading_is_taken_up_over_new_connections(self, store: Store, proxy: CuttingProxy) -> None:
        data = bytes(range(256)) * 40_000
        put(store, "a", data)
        store.close()
        proxy.cut_after(3_000_000, 2_000_000)
        before = proxy.connections
        assert read(store, "a") == data
        assert proxy.connections >= before + 3

    def test_but_not_of_another_version(self, store: Store, proxy: CuttingProxy, sshd: Server) -> None:
        put(store, "a", b"x" * 10_000_000)
        store.close()
        proxy.cut_after(3_000_000)
        with store.read("a") as reading:
            next(reading.chunks)
            (folder_of(store, sshd) / "a").write_bytes(b"y" * 10_000_001)
            with pytest.raises(ChangedError):
                list(reading.chunks)

    def test_a_put_that_breaks_is_unreachable_and_leaves_nothing_visible(
        self, store: Store, proxy: CuttingProxy
    ) -> None:
        proxy.cut_after(8_000)
        with pytest.raises(UnreachableError):
            store.put("a", [b"x" * 100_000] * 2_000, 200_000_000)
        assert list(store.list()) == []
        put(store, "a")

    def test_a_listing_goes_on_where_it_broke(self, store: Store, proxy: CuttingProxy, sshd: Server) -> None:
        folder = folder_of(store, sshd)
        names = [f"{number % 90:02}/{number}" for number in range(9_000)]
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        (folder / "00/link").symlink_to("0")
        proxy.cut_after(60_000, 200_000, 10_000, 300_000)
        found = [each.path for each in store.list()]
        assert proxy.connections >= 5
        assert len(found) == len(set(found))
        assert set(found) == {*names, "00/link"}

    def test_a_large_folder_whose_listing_breaks_is_never_told_in_part(
        self, store: Store, proxy: CuttingProxy, sshd: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sftp_walk, "BATCH", 500)
        folder = folder_of(store, sshd)
        folder.mkdir()
        for number in range(3_000):
            (folder / str(number)).touch()
        proxy.cut_after(200_000)
        with pytest.raises(UnreachableError):
            list(store.list())
        assert len(list(store.list())) == 3_000

    def test_an_idle_connection_that_broke_is_replaced(self, store: Store, proxy: CuttingProxy) -> None:
        put(store, "a")
        connections(store)[0].process.kill()
        assert store.stat("a").size == 5

    def test_a_connection_that_stalls_is_replaced(
        self, store: Store, proxy: CuttingProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        quick = [each.replace("ServerAliveInterval=8", "ServerAliveInterval=1") for each in sftp_program.STRICT]
        monkeypatch.setattr(sftp_program, "STRICT", quick)
        data = bytes(range(256)) * 40_000
        put(store, "a", data)
        store.close()
        proxy.stall_after(3_000_000)
        assert read(store, "a") == data


class TestFiles:
    def test_nothing_is_written_through_a_link(self, store: Store, sshd: Server, tmp_path: Path) -> None:
        put(store, "real/a")
        (tmp_path / "outside").mkdir()
        (folder_of(store, sshd) / "link").symlink_to(tmp_path / "outside")
        for path in ("link/new", "link/deep/new", "real/a/b"):
            with pytest.raises(UnholdableNameError):
                put(store, path)
        assert list((tmp_path / "outside").iterdir()) == []

    def test_listing_does_not_enter_a_link(self, store: Store, sshd: Server) -> None:
        put(store, "real/a")
        (folder_of(store, sshd) / "link").symlink_to("real")
        assert [(found.path, found.kind) for found in store.list()] == [
            ("link", ObjectKind.SYMLINK),
            ("real/a", ObjectKind.FILE),
        ]
        assert list(store.list("link/")) == []

    def test_what_killed_runs_left_is_removed_after_a_day(self, store: Store, sshd: Server) -> None:
        aside = folder_of(store, sshd) / ASIDE
        aside.mkdir(parents=True)
        (aside / "old").write_text("x")
        subprocess.run(["touch", "-d", "2 days ago", aside / "old"], check=True)
        put(store, "a")
        assert list(aside.iterdir()) == []
        store.close()
        assert sorted(path.name for path in folder_of(store, sshd).iterdir()) == ["a"]

    def test_what_became_a_pipe_since_it_was_listed_is_found_out(
        self, store: Store, sshd: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sftp_connection, "PATIENCE", 1)
        put(store, "a")
        listed = store.stat("a")
        (folder_of(store, sshd) / "a").unlink()
        subprocess.run(["mkfifo", folder_of(store, sshd) / "a"], check=True)
        with pytest.raises(RefusedError):
            store.read("a", version=listed.version)

    def test_many_small_folders_and_links(self, store: Store, sshd: Server) -> None:
        root = folder_of(store, sshd)
        for number in range(100):
            (root / f"d{number:02d}" / "deep").mkdir(parents=True)
            (root / f"d{number:02d}" / "a").write_bytes(b"x")
            (root / f"d{number:02d}" / "link").symlink_to(f"a{number}")
        found = list(store.list())
        assert sorted(each.path for each in found if each.kind is ObjectKind.FILE) == [
            f"d{n:02d}/a" for n in range(100)
        ]
        targets = {each.path: each.link_target for each in found if each.kind is ObjectKind.SYMLINK}
        assert targets == {f"d{number:02d}/link": f"a{number}" for number in range(100)}
        assert sum(each.kind is ObjectKind.DIRECTORY for each in found) == 100

    def test_a_large_folder_is_listed_whole(self, store: Store, sshd: Server) -> None:
        root = folder_of(store, sshd)
        root.mkdir()
        for number in range(2_500):
            (root / f"{number:05d}").touch()
        assert [each.path for each in store.list()] == [f"{number:05d}" for number in range(2_500)]

    def test_specials_are_told_and_never_opened(self, store: Store, sshd: Server) -> None:
        put(store, "a")
        subprocess.run(["mkfifo", folder_of(store, sshd) / "pipe"], check=True)
        assert [found.kind for found in store.list("pipe")] == [ObjectKind.SPECIAL]
        with pytest.raises(RefusedError):
            store.read("pipe")

    def test_a_file_that_changes_while_it_is_read(self, store: Store, sshd: Server) -> None:
        put(store, "a", b"x" * 20_000_000)
        with store.read("a") as reading:
            next(reading.chunks)
            with (folder_of(store, sshd) / "a").open("r+b") as file:
                file.truncate(15_000_000)
            with pytest.raises(ChangedError):
                list(reading.chunks)

    def test_a_full_disk_is_told_although_sftp_has_no_word_for_it(self, sshd: Server, home: Path) -> None:
        uri = sshd.new_place()
        assert sshd.folder
        disk = sshd.folder / uri.rpartition("/")[2]
        disk.mkdir()
        command: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no file system of its own may be mounted here")
        try:
            store = open_store(uri)
            with pytest.raises(FullError) as caught:
                put(store, "a", b"x" * 3_000_000)
            assert caught.value.code == 5
            assert list(store.list()) == []
            store.close()
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_a_source_that_is_not_there(self, sshd: Server, home: Path) -> None:
        with pytest.raises(StoreError, match="is not there") as caught:
            listed(sshd.new_place())
        assert caught.value.code == 4
        assert listed(sshd.new_place(), Role.TARGET) == []

    def test_a_rename_never_replaces(self, store: Store, sshd: Server) -> None:
        def data() -> Iterator[bytes]:
            yield b"12345"
            (folder_of(store, sshd) / "a").write_text("from elsewhere")

        with pytest.raises(AlreadyExistsError):
            store.put("a", data(), 5)
        assert read(store, "a") == b"from elsewhere"


class TestConnections:
    def test_reads_share_them(self, store: Store) -> None:
        for number in range(20):
            put(store, str(number), b"x" * 300_000)
        with ThreadPoolExecutor(20) as threads:
            assert all(threads.map(lambda number: len(read(store, str(number))) == 300_000, range(20)))
        assert 1 <= len(connections(store)) <= sftp_pool.FEWEST

    def test_a_thread_that_holds_all_of_them_gets_another(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sftp_pool, "LONGEST_WAIT", 0.1)
        monkeypatch.setattr(sftp_pool, "FULL", sftp_pool.LEAST)
        put(store, "a")
        readings = [store.read("a") for _each in range(sftp_pool.FEWEST + 1)]
        assert [b"".join(reading.chunks) for reading in readings] == [b"12345"] * len(readings)

    def test_a_server_that_takes_few_handshakes_is_used_all_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sftp_pool, "FEWEST", 12)
        with running_sshd(tmp_path, "MaxStartups 2:100:2\n") as server:
            server.use(monkeypatch)
            store = open_store(server.new_place())
            put(store, "a", b"x" * 3_000_000)
            with ThreadPoolExecutor(24) as threads:
                assert all(threads.map(lambda _each: len(read(store, "a")) == 3_000_000, range(24)))
            assert 1 <= len(connections(store)) < 12
            store.close()

    def test_a_transfer_goes_on_while_keys_change(self, sshd: Server, home: Path) -> None:
        with (home / ".ssh/config").open("a") as config:
            config.write("  RekeyLimit 1M\n")
        store = open_store(sshd.new_place())
        data = bytes(range(256)) * 20_000
        put(store, "a", data)
        assert read(store, "a") == data
        store.close()

    def test_no_process_is_left_behind(self, store: Store) -> None:
        put(store, "a")
        made = connections(store)
        store.close()
        assert made
        assert all(each.process.returncode is not None for each in made)


def connections(store: Store) -> list[Connection]:
    assert isinstance(store, SftpStore)
    return list(store._pool._loads)
