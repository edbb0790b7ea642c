"""Links that reset, stall and fail altogether: a copy ends by itself, whole."""

from pathlib import Path

import pytest

from tests.faults.making import bad_link, fill, make_site, sha256_of
from tests.migrate.making import noise
from tests.servers import Server, free_port
from tests.work.making import MIB

FILES = {
    **{f"petits/{number:03}": noise(8_192) for number in range(200)},
    **{f"moyens/{number}": noise(700_000 + number) for number in range(10)},
    "grand.dcm": noise(8 * MIB + 1),
}
BRIEF = {"rtt_ms": 40, "link_mbit": 20, "reset_every": 1.5, "outage_at": 5, "outage_for": 2}
"""Everything but silent connections, which take half a minute each to be found out."""
LONG = {"link_mbit": 8, "reset_every": 2, "stall_every": 5, "outage_at": 8, "outage_for": 20}


@pytest.mark.parametrize(
    "knobs", [pytest.param(BRIEF, id="brief"), pytest.param(LONG, id="long", marks=pytest.mark.soak)]
)
@pytest.mark.parametrize("far", ["rclone_s3", "sshd"])
def test_a_copy_over_a_bad_link_ends_without_a_hand(
    request: pytest.FixtureRequest, shared: Path, tmp_path: Path, far: str, knobs: dict[str, float]
) -> None:
    server: Server = request.getfixturevalue(far)
    place, port = server.new_place(), free_port()
    fill(server, place, FILES)
    site = make_site(tmp_path, (server.through(port), place), volume_size="4MiB")
    with bad_link(shared, port, server.port, tmp_path / "link.log", **knobs) as link:
        ended = site.run("copy", "d.toml")
    assert ended.code == 0, ended.said
    assert link["resets"] > 0
    assert link["outage_resets"] > 0
    assert ("stall_every" in knobs) == (link.get("stalls", 0) > 0)
    assert site.held() == sha256_of(FILES)
    assert site.run("verify", "d", "--deep", "-i", "key").code == 0
