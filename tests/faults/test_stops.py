"""Ends that are asked for: by a signal while the source says nothing, by the clock, by a bandwidth."""

import re
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.making import Site, fill, make_site, sha256_of
from tests.migrate.making import noise, write
from tests.servers import CuttingProxy, Server
from tests.work.making import MIB

FILES = {f"{number:02}": noise(900_000 + number) for number in range(12)}
SHUTDOWN_SECONDS = 14
"""Ten, and what it takes this process to see that the other is gone."""


@pytest.fixture(params=["rclone_s3", "sshd"])
def far(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def link(far: Server) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(far.port)
    yield proxy
    proxy.close()


@pytest.fixture
def site(far: Server, link: CuttingProxy, tmp_path: Path) -> Site:
    place = far.new_place()
    fill(far, place, FILES)
    return make_site(tmp_path, (far.through(link.port), place))


def test_a_stop_is_heard_while_every_connection_stalls(site: Site, link: CuttingProxy) -> None:
    link.stall_after(*[400_000] * 64)
    with site.start("copy", "d.toml") as process:
        before = -1
        while before != link.carried or not link.carried:
            before = link.carried
            time.sleep(1)
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _out, said = process.communicate(timeout=SHUTDOWN_SECONDS)
    assert process.returncode == 8, said
    assert "Nothing is lost." in said
    link.stall_after()
    assert site.run("copy", "d.toml").code == 0
    assert site.held() == sha256_of(FILES)


@pytest.mark.soak
def test_a_connection_that_stalls_is_replaced_within_half_a_minute(site: Site, link: CuttingProxy) -> None:
    link.stall_after(600_000)
    begun = time.monotonic()
    ended = site.run("copy", "d.toml")
    assert ended.code == 0, ended.said
    assert time.monotonic() - begun < 45
    assert site.held() == sha256_of(FILES)


@pytest.fixture
def near(tmp_path: Path) -> Site:
    write(tmp_path / "abroad", {"large": noise(24 * MIB)})
    return make_site(tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("option", ["--until", "--window"])
def test_a_copy_ends_with_the_clock_and_says_what_is_left(near: Site, option: str) -> None:
    """The clock shows minutes: this takes up to two."""
    ends = (datetime.now(UTC) + timedelta(seconds=75)).replace(second=0, microsecond=0)
    until = f"{ends:%H:%M}"
    value = until if option == "--until" else f"{ends - timedelta(hours=1):%H:%M}-{until}"
    ended = near.run("copy", "d.toml", "--bandwidth", "1mbit", option, value)
    assert 0 <= (datetime.now(UTC) - ends).total_seconds() < 15
    assert ended.code == 8
    assert re.search(r"\d+ of 2\d volumes are safe at the target", ended.said)
    assert re.search(r"MiB are left: \d+ min at the speed of this run", ended.said)
    assert ("1 more night." in ended.said) == (option == "--window")
    assert ("The window opens on" in ended.said) == (option == "--window")
    assert near.run("copy", "d.toml").code == 0


@pytest.mark.soak
def test_a_bandwidth_is_kept_within_three_percent_over_any_minute(rclone_s3: Server, tmp_path: Path) -> None:
    """Counted are all bytes of replies on the link, four times a second."""
    place, proxy = rclone_s3.new_place(), CuttingProxy(rclone_s3.port)
    fill(rclone_s3, place, {"large": noise(50 * MIB), **{f"{number:04}": noise(8192) for number in range(2_000)}})
    site = make_site(tmp_path, (rclone_s3.through(proxy.port), place), volume_size="4MiB")
    marks: list[tuple[float, int]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.25):
            marks.append((time.monotonic(), proxy.carried))

    watching = threading.Thread(target=watch)
    watching.start()
    ended = site.run("copy", "d.toml", "--bandwidth", "6mbit")
    over.set()
    watching.join()
    proxy.close()
    assert ended.code == 0, ended.said
    allowed = 60 * 6_000_000 / 8
    minutes = [later - earlier for begun, earlier in marks for moment, later in marks if 59.7 <= moment - begun <= 60]
    assert 0.97 * allowed <= max(minutes) <= 1.03 * allowed


@pytest.mark.soak
def test_a_manifest_that_is_changed_is_heeded_while_the_copy_runs(near: Site) -> None:
    """At first it would take 25 minutes; the manifest is read again every half minute."""
    manifest = near.folder / "d.toml"
    with manifest.open("a") as file:
        file.write('bandwidth = "128kbit"\n')
    begun = time.monotonic()
    with near.start("copy", "d.toml") as process:
        time.sleep(5)
        assert process.poll() is None
        manifest.write_text(manifest.read_text().replace("128kbit", "400mbit"))
        _out, said = process.communicate(timeout=150)
    assert process.returncode == 0, said
    assert time.monotonic() - begun < 60 + 30
    assert near.run("verify", "d", "--deep", "-i", "key").code == 0
