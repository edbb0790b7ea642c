"""A copy from a real server that is killed at random instants: it comes to its end whole, and pays little for it."""

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.making import fill, fill_from, make_site, sha256_of, unpacked
from tests.migrate.making import noise
from tests.servers import CuttingProxy, Server
from tests.work.making import MIB

SMALL = {
    **{f"dossiers/{number:02}": noise(number * 997) for number in range(60)},
    **{f"moyens/{number}": noise(300_000 + number) for number in range(8)},
    "vide": b"",
}
GIB = 1 << 30
VOLUME = 64 * MIB


@pytest.fixture(params=["rclone_s3", "sshd", pytest.param("ceph_s3", marks=pytest.mark.soak)])
def far(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def link(far: Server) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(far.port)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=pytest.mark.soak)])
def test_a_copy_that_is_killed_fetches_at_most_two_volumes_more_a_kill(
    far: Server, link: CuttingProxy, tmp_path: Path, kills: int, record_property: Callable[[str, object], None]
) -> None:
    """Counted are all bytes of replies that left the server, listings and handshakes among them."""
    files = {**SMALL, "grand.sql": noise((4 + kills) * MIB + 321)}
    size = sum(map(len, files.values()))
    place = far.new_place()
    fill(far, place, files)
    site = make_site(tmp_path, (far.through(link.port), place))
    chance, killed = random.Random(kills), 0  # noqa: S311 -- the same instants every time, not a secret
    most = size * 5 // (4 * kills)
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
    assert killed >= kills * 4 // 5
    assert link.carried <= size + killed * 2 * MIB
    assert site.held() == sha256_of(files)
    assert site.run("verify", "d", "--deep", "-i", "key").code == 0
    assert unpacked(site, tmp_path / "clear") == files
    record_property("killed", killed)
    record_property("fetched beyond the dataset, in volumes a kill", (link.carried - size) / MIB / killed)


@pytest.mark.soak
def test_an_object_of_a_gibibyte_goes_on_after_two_kills_with_one_digest(
    far: Server, link: CuttingProxy, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance, digest = random.Random(64), hashlib.sha256()  # noqa: S311 -- the same bytes every time, not a secret
    with (tmp_path / "base.sql").open("wb") as file:
        for _volume in range(GIB // VOLUME):
            data = chance.randbytes(VOLUME)
            digest.update(data)
            file.write(data)
    place = far.new_place()
    fill_from(far, place, tmp_path / "base.sql")
    site = make_site(tmp_path, (far.through(link.port), place), volume_size="64MiB")
    for _kill in (1, 2):
        with site.start("copy", "d.toml", "-q") as process:
            until = link.carried + GIB // 3
            while link.carried < until:
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            site.kill(process)
    ended = site.run("copy", "d.toml")
    assert ended.code == 0, ended.said
    assert link.carried <= GIB + 2 * 2 * VOLUME
    listed = site.run("ls", "d", "-i", "key", "--json")
    [told] = [line for line in map(json.loads, listed.out.splitlines()) if line["type"] == "object"]
    assert (told["size"], told["sha256"]) == (GIB, digest.hexdigest())
    assert site.run("verify", "d", "--deep", "-i", "key").code == 0
    record_property("fetched beyond the object, in volumes a kill", (link.carried - GIB) / VOLUME / 2)
