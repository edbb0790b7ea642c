"""Cutting objects into volumes: every byte once, nothing over capacity, objects whole where they can be."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle.volume import CUT_ABOVE, END, VolumeBuilder, member_span
from repatria.migrate.plan import MOST_WASTE, Planned, Slice, cut, estimate, schedule, volume_count
from repatria.model import Object, ObjectKind
from repatria.work.pace import parse_window

MIB = 1 << 20
SIZES = st.one_of(
    st.integers(0, 5_000), st.integers(0, 3 * MIB), st.sampled_from([0, 1, 511, 512, 513, CUT_ABOVE, CUT_ABOVE + 1])
)
NAMES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=150)


def planned(sizes: list[int], names: list[str] | None = None, kind: ObjectKind = ObjectKind.FILE) -> list[Planned]:
    return [
        Planned(Object(name, size, kind=kind), number, name)
        for number, (size, name) in enumerate(
            zip(sizes, names or [f"f{number}" for number in range(len(sizes))], strict=False), 1
        )
    ]


def volumes(slices: Iterable[Slice]) -> list[list[Slice]]:
    cut_into: list[list[Slice]] = []
    for piece in slices:
        if piece.opens:
            cut_into.append([])
        cut_into[-1].append(piece)
    return cut_into


@given(st.lists(SIZES, max_size=60), st.sampled_from([1, 2, 5]), st.lists(NAMES, min_size=60, max_size=60))
def test_every_byte_of_every_object_lies_in_exactly_one_slice(
    sizes: list[int], mebibytes: int, names: list[str]
) -> None:
    objects = planned(sizes, names)
    by_object: dict[int, list[Slice]] = defaultdict(list)
    for piece in cut(objects, mebibytes * MIB):
        by_object[piece.planned.number].append(piece)
    assert set(by_object) == {each.number for each in objects}
    for each in objects:
        pieces = by_object[each.number]
        at = 0
        for piece in pieces:
            assert piece.start == at
            at += piece.length
        assert at == each.length
        assert [piece.part for piece in pieces] in ([0], list(range(1, len(pieces) + 1)))
        assert all(piece.length % 512 == 0 for piece in pieces[:-1])
        assert [piece.ends_object for piece in pieces] == [False] * (len(pieces) - 1) + [True]


@given(st.lists(SIZES, max_size=40), st.sampled_from([1, 2]), st.lists(NAMES, min_size=40, max_size=40))
def test_no_volume_is_over_capacity(sizes: list[int], mebibytes: int, names: list[str]) -> None:
    capacity = mebibytes * MIB
    for volume in volumes(cut(planned(sizes, names), capacity)):
        builder = VolumeBuilder(1, capacity)
        for piece in volume:
            builder.begin(
                piece.planned.object,
                piece.planned.name,
                number=piece.planned.number,
                length=piece.length,
                part=piece.part,
                start=piece.start,
            )
            builder.write(bytes(piece.length))
            builder.end()
        assert volume, "no volume is empty"


@given(st.lists(st.integers(0, CUT_ABOVE), max_size=60))
def test_objects_of_at_most_a_mebibyte_are_never_cut(sizes: list[int]) -> None:
    assert all(piece.part == 0 for piece in cut(planned(sizes), 4 * MIB))


def test_small_objects_are_whole_and_fill_volumes() -> None:
    filled = volumes(cut(planned([100_000] * 200), 2 * MIB))
    assert len(filled) == 10
    assert {piece.part for volume in filled for piece in volume} == {0}


def test_a_large_object_runs_over_as_many_volumes_as_it_fills() -> None:
    filled = volumes(cut(planned([10 * MIB]), MIB))
    assert [[piece.part for piece in volume] for volume in filled] == [[part] for part in range(1, 12)]


def test_objects_that_fit_badly_waste_little() -> None:
    capacity = 8 * MIB
    filled = volumes(cut(planned([5 * MIB] * 50), capacity))
    alone = [number for number, volume in enumerate(filled) if volume[0].start == 0]
    for first, following in pairwise(alone):
        joined = filled[first:following]
        empty = capacity * len(joined) - sum(piece.length for volume in joined for piece in volume)
        assert empty / (capacity * len(joined)) < MOST_WASTE + 0.01
    assert max(following - first for first, following in pairwise(alone)) <= 1 / MOST_WASTE + 1


def test_an_object_that_was_interrupted_goes_on_with_its_next_part() -> None:
    whole = planned([10 * MIB])[0]
    done = 3 * MIB
    resumed = Planned(whole.object, whole.number, whole.name, done=done, parts=3)
    pieces = list(cut([resumed], MIB))
    assert (pieces[0].start, pieces[0].part) == (done, 4)
    assert sum(piece.length for piece in pieces) == 7 * MIB
    assert pieces[-1].ends_object


def test_the_last_part_of_an_interrupted_object_stays_a_part() -> None:
    resumed = Planned(Object("f", 3 * MIB), 1, "f", done=2 * MIB + 512, parts=2)
    [piece] = cut([resumed], 4 * MIB)
    assert (piece.part, piece.start, piece.length) == (3, 2 * MIB + 512, MIB - 512)


def test_symlinks_and_directories_take_no_data() -> None:
    pieces = cut(planned([17, 0], kind=ObjectKind.SYMLINK), MIB)
    assert [piece.length for piece in pieces] == [0, 0]


def test_the_plan_is_a_stream() -> None:
    def endless() -> object:
        number = 0
        while True:
            number += 1
            yield Planned(Object("f", 500_000), number, "f")

    pieces = cut(endless(), MIB)  # type: ignore[arg-type]  # an endless iterable of planned objects
    assert next(pieces).opens


def test_nothing_more_is_cut_of_an_object_that_is_given_up() -> None:
    """A listing told a size that would fill a thousand million volumes."""
    given_up = set[int]()
    slices = cut(planned([1 << 50, 10]), MIB, given_up.__contains__)
    parts = [next(slices) for _part in range(5)]
    given_up.add(1)
    assert [each.planned.number for each in (*parts, *slices)] == [1, 1, 1, 1, 1, 2]


def test_same_input_same_plan() -> None:
    sizes = [3 * MIB, 17, 0, CUT_ABOVE + 1, 999_999] * 7
    assert list(cut(planned(sizes), MIB)) == list(cut(planned(sizes), MIB))


@given(
    st.lists(st.one_of(SIZES, st.integers(60 * MIB, 90 * MIB), st.integers(190 * MIB, 300 * MIB)), max_size=6),
    st.sampled_from([1, 2]),
)
def test_the_number_of_volumes_is_that_which_objects_are_cut_into(sizes: list[int], mebibytes: int) -> None:
    objects = planned(sizes)
    assert volume_count(objects, mebibytes * MIB) == sum(piece.opens for piece in cut(objects, mebibytes * MIB))


def test_the_number_of_volumes_goes_on_from_the_parts_that_are_stored() -> None:
    resumed = [replace(planned([300 * MIB])[0], done=100 * MIB, parts=100)]
    assert volume_count(resumed, MIB) == sum(piece.opens for piece in cut(resumed, MIB))


def test_the_number_of_volumes_of_a_size_that_nobody_can_count_to_is_reckoned() -> None:
    objects = planned([5, (1 << 63) - 1, 5])
    assert volume_count(objects, MIB) == pytest.approx((1 << 63) / MIB, rel=0.01)


def test_the_estimate_adds_up_bytes_volumes_and_padding() -> None:
    objects = planned([3 * MIB, 1000])
    total = estimate(cut(objects, MIB), MIB)
    assert (total.objects, total.bytes) == (2, 3 * MIB + 1000)
    assert 3 <= total.volumes <= 4
    assert total.bytes < total.payload_bytes <= total.volumes * MIB
    assert total.target_bytes > total.payload_bytes


def test_nothing_to_copy_needs_nothing() -> None:
    assert list(cut([], MIB)) == []
    assert estimate([], MIB).target_bytes == 0


def test_a_ministry_s_nights() -> None:
    """20 Mbit/s, 8 h a night at 80 %: 57.6 GB a night; 1.4 TB are 25 nights of which the last is short."""
    now = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
    window = parse_window("21:00-05:00", UTC)
    assert schedule(57_600_000_000, 20_000_000, window, now).nights == 1
    assert schedule(57_600_000_001, 20_000_000, window, now).nights == 2
    assert schedule(1_400_000_000_000, 20_000_000, window, now).nights == 25


def test_without_a_window_it_ends_when_the_bytes_are_over() -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)
    assert schedule(1_000_000, 8_000_000, parse_window(None, UTC), now).ends == now + timedelta(seconds=1.25)


@pytest.mark.parametrize("room", [END, 512])
def test_a_member_span_is_whole_blocks(room: int) -> None:
    assert member_span(Object("f", room), "f", room) % 512 == 0


def test_a_volume_of_many_members_is_full_whatever_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repatria.migrate.plan.MOST_MEMBERS", 3)
    monkeypatch.setattr("repatria.bundle.volume.MOST_MEMBERS", 3)
    slices = list(cut(planned([0, 10, 0, 0, 2 * MIB, 5, 5, 5]), MIB))
    filled = volumes(slices)
    assert [[piece.planned.number for piece in each] for each in filled[:2]] == [[1, 2, 3], [4, 5]]
    assert all(len(each) <= 3 for each in filled)
    payload = 0
    for number, pieces in enumerate(filled, 1):
        builder = VolumeBuilder(number, MIB)
        for piece in pieces:
            each = piece.planned
            builder.begin(
                each.object, each.name, number=each.number, length=piece.length, part=piece.part, start=piece.start
            )
            builder.write(bytes(piece.length))
            builder.end()
        payload += len(builder.payload(last=number == len(filled)))
    assert estimate(slices, MIB).payload_bytes == payload < len(filled) * MIB
