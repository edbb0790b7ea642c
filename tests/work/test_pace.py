"""Windows and rates."""

import random
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.errors import UsageError
from repatria.work.pace import SAVED_UP, Throttle, Window, next_clock_time, parse_window

DAKAR, PARIS = ZoneInfo("Africa/Dakar"), ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def at(day: int, clock: str, month: int = 1) -> datetime:
    hour, minute = clock.split(":")
    return datetime(2026, month, day, int(hour), int(minute), tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "closes", "opens"),
    [
        (at(5, "12:00"), at(5, "12:00"), at(5, "20:00")),
        (at(5, "20:00"), at(6, "06:00"), at(5, "20:00")),
        (at(6, "05:59"), at(6, "06:00"), at(6, "05:59")),
        (at(6, "06:00"), at(6, "06:00"), at(6, "20:00")),
    ],
)
def test_hours_that_run_over_midnight(now: datetime, closes: datetime, opens: datetime) -> None:
    window = parse_window("20:00-06:00", DAKAR)
    assert (window.closes(now), window.opens(now)) == (closes, opens)


def test_a_whole_week_end_joins_the_night_before_it() -> None:
    window = parse_window("Mon-Fri 20:00-06:00, Sat-Sun", UTC)
    assert window.closes(at(9, "21:00")) == at(12, "00:00")  # Friday night to the end of Sunday
    assert window.opens(at(12, "03:00")) == at(12, "20:00")


def test_days_may_run_over_the_end_of_the_week() -> None:
    window = parse_window("Sat-Mon 10:00-12:00", UTC)
    assert [stretch.opens.weekday() for stretch in islice(window.stretches(at(6, "00:00")), 4)] == [5, 6, 0, 5]


@pytest.mark.parametrize(
    "text",
    [
        "lun-ven 20:00-06:00, sam-dim",
        "Lun-Ven 20:00-06:00, Samedi, dimanche",
        "monday-friday 20:00-06:00,sat-sun",
        "lun-Fri 20:00-06:00, sam-Sun",
    ],
)
def test_days_are_named_in_french_or_english(text: str) -> None:
    week = parse_window("Mon-Fri 20:00-06:00, Sat-Sun", UTC)
    assert list(islice(parse_window(text, UTC).stretches(MONDAY), 10)) == list(islice(week.stretches(MONDAY), 10))


@pytest.mark.parametrize("text", [None, "Mon-Sun", "00:00-24:00", "00:00-00:00", "12:00-12:00", "Mon-Fri, Sat-Sun"])
def test_a_window_that_never_closes(text: str | None) -> None:
    window = parse_window(text, UTC)
    assert window.closes(MONDAY) is None
    assert window.opens(MONDAY) == MONDAY
    assert list(window.stretches(MONDAY)) == []


def test_hours_are_those_of_the_wall_clock_on_both_sides_of_summer_time() -> None:
    window = parse_window("20:00-06:00", PARIS)
    winter, summer = window.opens(at(27, "12:00", month=3)), window.opens(at(29, "12:00", month=3))
    assert (winter.hour, summer.hour) == (19, 18)
    night = next(window.stretches(at(28, "12:00", month=3)))
    assert night.closes - night.opens == timedelta(hours=9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20:00",
        "25:00-06:00",
        "20:00-06:60",
        "Foo 20:00-06:00",
        "Mon-",
        "24:30-06:00",
        ",",
        "Mon20:00-06:00",
        "lun ven",
    ],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_window(text, UTC)


CLOCKS = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
DAYS = st.sampled_from(["", "Mon ", "Mon-Fri ", "Sat-Mon ", "Sun "])
SPANS = st.lists(st.builds("{}{}-{}".format, DAYS, CLOCKS, CLOCKS), min_size=1, max_size=3).map(", ".join)


@given(SPANS, st.integers(0, 20_000), st.sampled_from([UTC, DAKAR, PARIS]))
def test_stretches_follow_each_other_and_agree_with_opens_and_closes(text: str, minutes: int, zone: ZoneInfo) -> None:
    window, now = parse_window(text, zone), MONDAY + timedelta(minutes=minutes)
    before = None
    for stretch in islice(window.stretches(now), 12):
        assert stretch.opens < stretch.closes
        assert now < stretch.closes
        if before is not None:
            assert before.closes < stretch.opens
            between = before.closes + (stretch.opens - before.closes) / 2
            assert window.opens(between) == stretch.opens
            assert window.closes(between) == between
        inside = max(now, stretch.opens)
        assert window.closes(inside) == stretch.closes
        assert window.opens(inside) == inside
        before = stretch


def test_a_week_holds_the_hours_it_should() -> None:
    window = parse_window("Mon-Fri 20:00-06:00, Sat-Sun", UTC)
    hours = sum(
        (min(each.closes, MONDAY + timedelta(days=7)) - max(each.opens, MONDAY)).total_seconds()
        for each in islice(window.stretches(MONDAY), 10)
        if each.opens < MONDAY + timedelta(days=7)
    )
    assert hours == (5 * 10 + 48 - 6) * 3600  # Friday's last six hours lie in Saturday, which is open anyway


def test_without_spans_a_window_is_open() -> None:
    assert Window().always_open(MONDAY)


@pytest.mark.parametrize(
    ("now", "clock", "then"),
    [
        (at(5, "12:00"), "18:30", at(5, "18:30")),
        (at(5, "18:30"), "18:30", at(6, "18:30")),
        (at(5, "23:00"), "06:00", at(6, "06:00")),
    ],
)
def test_the_next_time_that_a_clock_shows(now: datetime, clock: str, then: datetime) -> None:
    assert next_clock_time(clock, now, DAKAR) == then


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds


@given(st.lists(st.integers(1, 1 << 20), min_size=20, max_size=60), st.integers(1_000_000, 100_000_000))
def test_a_throttle_keeps_its_rate(chunks: list[int], rate: int) -> None:
    clock = Clock()
    throttle = Throttle(rate, clock.wait, lambda: clock.now)
    for chunk in chunks:
        throttle.take(chunk)
    ideal = sum(chunks[:-1]) * 8 / rate  # the last one is on its way
    assert ideal - SAVED_UP - 1e-6 <= clock.now <= ideal + 1e-6


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [1_000_000, 8_000_000, 20_000_000])
def test_over_any_minute_it_is_kept_within_three_percent(seed: int, rate: int) -> None:
    """Reads of at most a quarter of a second each, as `Fetcher.range_size` cuts them, with pauses between."""
    chance = random.Random(seed)  # noqa: S311 -- the same reads every time, not a secret
    clock, flown = Clock(), list[tuple[float, int]]()
    throttle = Throttle(rate, clock.wait, lambda: clock.now)
    for _read in range(600):
        count = chance.randint(1, rate // 32)
        throttle.take(count)
        flown.append((clock.now, count))
        clock.now += chance.uniform(0, 3) if chance.random() < 0.1 else 0.0
    for first, (begun, _count) in enumerate(flown):
        minute = sum(count for at, count in flown[first:] if at < begun + 60)
        assert minute * 8 <= rate * 60 * 1.03


def test_a_throttle_saves_up_no_more_than_half_a_second() -> None:
    clock = Clock()
    throttle = Throttle(8_000_000, clock.wait, lambda: clock.now)
    clock.now = 3600.0
    throttle.take(2_000_000)
    throttle.take(1)
    assert clock.now == pytest.approx(3601.5)


def test_what_never_came_may_be_asked_for_again() -> None:
    clock = Clock()
    throttle = Throttle(8_000_000, clock.wait, lambda: clock.now)
    throttle.take(2_000_000)
    throttle.give_back(1_500_000)
    throttle.take(1)
    assert clock.now == pytest.approx(0.5)


def test_what_came_without_waiting_is_waited_for_by_what_follows() -> None:
    clock = Clock()
    throttle = Throttle(8_000_000, clock.wait, lambda: clock.now)
    clock.now = 3600.0
    throttle.count(2_500_000)
    assert clock.now == 3600.0
    throttle.take(1)
    assert clock.now == pytest.approx(3602.0)


def test_without_a_rate_nothing_waits_and_it_may_come_later() -> None:
    clock = Clock()
    throttle = Throttle(None, clock.wait, lambda: clock.now)
    throttle.take(1 << 40)
    assert clock.now == 0.0
    throttle.bits_per_second = 8_000_000
    throttle.take(3_000_000)
    throttle.take(1)
    assert clock.now == pytest.approx(3.0)
