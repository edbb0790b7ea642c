"""A copy from a real server that is killed at random instants: it comes to its end whole, and pays little for it."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.making import Site, fill, make_site, sha256_of, unpacked
from tests.migrate.making import noise
from tests.servers import CuttingProxy, Server
from tests.work.making import MIB

FILES = {
    **{f"dossiers/{number:02}": noise(number * 997) for number in range(60)},
    **{f"moyens/{number}": noise(300_000 + number) for number in range(8)},
    "grand.sql": noise(7 * MIB + 321),
    "vide": b"",
}
SIZE = sum(map(len, FILES.values()))


@pytest.fixture(params=["rclone_s3", "sshd", pytest.param("ceph_s3", marks=pytest.mark.soak)])
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


@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=pytest.mark.soak)])
def test_a_copy_that_is_killed_fetches_at_most_two_volumes_more_a_kill(
    site: Site, link: CuttingProxy, tmp_path: Path, kills: int
) -> None:
    """Counted are all bytes of replies that left the server, listings and handshakes among them."""
    chance, killed = random.Random(kills), 0  # noqa: S311 -- the same instants every time, not a secret
    most = SIZE * 5 // (4 * kills)
    while killed < kills:
        with site.start("copy", "d.toml", "--bandwidth", "40mbit", "-q") as process:
            until = link.carried + chance.randrange(most)
            while link.carried < until and process.poll() is None:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.2))
            if process.poll() is not None:
                break
            site.kill(process)
            killed += 1
    ended = site.run("copy", "d.toml", "-q")
    assert ended.code == 0, ended.said
    assert killed >= kills // 2
    assert link.carried <= SIZE + killed * 2 * MIB
    assert site.held() == sha256_of(FILES)
    assert site.run("verify", "d", "--deep", "-i", "key").code == 0
    assert unpacked(site, tmp_path / "clear") == FILES
