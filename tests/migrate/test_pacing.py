"""When and how fast: the command line before the manifest, and a manifest that changes meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from repatria.errors import ManifestError, StoppedError, UnreachableError
from repatria.manifest import Manifest, load_manifest
from repatria.migrate import pacing as module
from repatria.migrate.headway import Remainder
from repatria.migrate.pacing import Pacing, Wishes, until_clock
from repatria.work.stop import Reason, StopSignal
from tests.work.making import IDENTITY


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    file = tmp_path / "d.toml"
    file.write_text(
        f"""id = "d"
timezone = "Africa/Dakar"
[[source]]
uri = "a"
[target]
uri = "b"
[encryption]
recipients = ["{IDENTITY.recipient}"]
[transfer]
bandwidth = "20mbit"
window = "20:00-06:00"
"""
    )
    return load_manifest(file)


def pacing(manifest: Manifest, wishes: Wishes | None = None, stop: StopSignal | None = None) -> Pacing:
    return Pacing(manifest, wishes or Wishes(), stop or StopSignal(), lambda: manifest)


NIGHT = datetime(2026, 1, 5, 23, 0, tzinfo=UTC)


def test_the_manifest_says_how_fast_and_until_when(manifest: Manifest) -> None:
    stop = StopSignal(clock=lambda: NIGHT.timestamp() + 7 * 3600)
    pace = pacing(manifest, stop=stop)
    pace.begin(NIGHT)
    assert pace.throttle.bits_per_second == 20_000_000
    assert stop.requested
    assert stop.reason is Reason.WINDOW
    assert "20:00" in stop.error().advice


def test_the_command_line_comes_first(manifest: Manifest) -> None:
    pace = pacing(manifest, Wishes(bandwidth=1_000, window="Mon-Sun"))
    pace.begin(NIGHT)
    assert pace.throttle.bits_per_second == 1_000
    assert not pace.stop.requested


def test_a_closed_window_is_code_8_and_says_when_it_opens(manifest: Manifest) -> None:
    with pytest.raises(StoppedError) as caught:
        pacing(manifest).begin(NIGHT + timedelta(hours=10))
    assert "2026-01-06 20:00" in caught.value.advice


def test_until_ends_before_the_window_does(manifest: Manifest) -> None:
    stop = StopSignal(clock=lambda: NIGHT.timestamp() + 3600)
    pacing(manifest, Wishes(until=NIGHT + timedelta(hours=1)), stop).begin(NIGHT)
    assert stop.requested


@pytest.mark.parametrize(
    ("hours", "sentence"),
    [
        (0.5, "This run ends today at 23:30 (Africa/Dakar), resumably."),
        (3, "This run ends tomorrow at 02:00 (Africa/Dakar), resumably."),
        (30, "This run ends tomorrow at 06:00 (Africa/Dakar), resumably."),
    ],
)
def test_it_is_told_when_a_run_ends(manifest: Manifest, hours: float, sentence: str) -> None:
    pace = pacing(manifest, Wishes(until=NIGHT + timedelta(hours=hours)))
    pace.begin(NIGHT)
    assert pace.ending(NIGHT) == sentence


def test_an_end_far_away_is_told_with_its_date(manifest: Manifest) -> None:
    pace = pacing(manifest, Wishes(window="Sat-Thu"))
    pace.begin(NIGHT)
    assert pace.ending(NIGHT) == "This run ends on 2026-01-09 at 00:00 (Africa/Dakar), resumably."


def test_a_run_without_an_end_tells_none(manifest: Manifest) -> None:
    pace = pacing(manifest, Wishes(window="Mon-Sun"))
    pace.begin(NIGHT)
    assert pace.ending(NIGHT) == ""


def test_whose_hour_has_come_is_told(manifest: Manifest) -> None:
    stop = StopSignal(clock=lambda: NIGHT.timestamp() + 9 * 3600)
    pacing(manifest, stop=stop).begin(NIGHT)
    assert stop.requested
    assert stop.error().message.startswith("It is 06:00 (Africa/Dakar), and the window is closed.")
    stop = StopSignal(clock=lambda: NIGHT.timestamp() + 3600)
    pacing(manifest, Wishes(until=NIGHT + timedelta(hours=1)), stop).begin(NIGHT)
    assert stop.requested
    assert stop.error().message.startswith("It is 00:00 (Africa/Dakar), the hour that --until gave.")


def test_until_within_the_window_promises_no_other_opening(manifest: Manifest) -> None:
    stop = StopSignal(clock=lambda: NIGHT.timestamp() + 3600)
    pacing(manifest, Wishes(until=NIGHT + timedelta(hours=1)), stop).begin(NIGHT)
    assert stop.requested
    assert stop.error().advice == ""


def test_what_is_left_is_told_in_nights_at_the_speed_that_was_measured(manifest: Manifest) -> None:
    morning = NIGHT + timedelta(hours=7)
    rest = pacing(manifest).rest(Remainder(bytes=3 * 36_000_000_000 + 1, bytes_per_second=1_000_000), morning)
    assert rest.transfer == timedelta(hours=30, microseconds=1)
    assert rest.nights == 4


def test_until_is_meant_in_the_dataset_s_time_zone(manifest: Manifest) -> None:
    moment = until_clock("06:00", replace(manifest, timezone="Asia/Tokyo"))
    assert moment is not None
    assert moment.hour == 21
    assert until_clock(None, manifest) is None


def test_changes_of_the_manifest_take_effect_while_it_runs(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LOOKS", 0.0)
    now = [manifest]
    pace = Pacing(manifest, Wishes(), StopSignal(), lambda: now[0])
    pace.begin(NIGHT)
    now[0] = replace(manifest, transfer=replace(manifest.transfer, bandwidth=1_000_000, window=None))
    pace.look()
    assert pace.throttle.bits_per_second == 1_000_000
    assert not pace.stop.requested


def test_patience_with_a_lost_link_is_the_manifest_s_and_may_change_while_it_lasts(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LOOKS", 0.0)
    now = [manifest]
    pace = Pacing(manifest, Wishes(window="Mon-Sun"), StopSignal(), lambda: now[0])
    assert pace.patience.seconds == 6 * 3600
    pace.begin(NIGHT)
    pace.patience.first_pause = 0.001
    outage = pace.patience.attempt()
    outage.pause(UnreachableError("away"))
    now[0] = replace(manifest, transfer=replace(manifest.transfer, patience=0))
    pace.look()
    with pytest.raises(StoppedError, match="waited for in vain"):
        outage.pause(UnreachableError("away"))


def test_a_manifest_that_is_wrong_for_a_moment_changes_nothing(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LOOKS", 0.0)

    def reread() -> Manifest:
        raise ManifestError("half written")

    pace = Pacing(manifest, Wishes(), StopSignal(), reread)
    pace.begin(NIGHT)
    pace.look()
    assert pace.throttle.bits_per_second == 20_000_000
