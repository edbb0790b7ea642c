"""Names of bundles and files, and the BagIt texts."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle import layout
from repatria.bundle.errors import MalformedError

NOW = datetime(2024, 1, 30, 20, 0, 0, tzinfo=UTC)


def test_a_bundle_is_named_after_the_time_it_was_begun() -> None:
    name = layout.new_bundle_id(NOW)
    assert name.startswith("20240130T200000Z-")
    assert layout.BUNDLE_ID.match(name)
    assert layout.new_bundle_id(NOW.astimezone(timezone(timedelta(hours=3)))).startswith("20240130T200000Z-")


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.timedeltas(timedelta(-10), timedelta(10)))
def test_a_bundle_sorts_after_the_one_before_it_whatever_the_clock_says(moment: datetime, step: timedelta) -> None:
    moment = moment.replace(tzinfo=UTC)
    first = layout.new_bundle_id(moment)
    assert layout.new_bundle_id(moment + step, first) > first


def test_paths_of_files() -> None:
    assert layout.volume_path(1) == "data/vol-000001.tar.age"
    assert layout.volume_path(1234567) == "data/vol-1234567.tar.age"
    assert layout.index_path(12) == "data/index-0012.db.age"
    assert layout.signature_path(layout.checkpoint_path(3)) == "checkpoints/0003.json.sig"


@given(st.dictionaries(st.from_regex(r"[!-~]{1,40}", fullmatch=True), st.binary(min_size=32, max_size=32), max_size=5))
def test_a_manifest_is_read_as_it_was_written(digests: dict[str, bytes]) -> None:
    data = layout.render_manifest(digests)
    assert layout.parse_manifest(data) == digests
    assert data.splitlines() == sorted(data.splitlines(), key=lambda line: line[66:])


@pytest.mark.parametrize(
    "data",
    [
        b"ab" * 32 + b"  data/x",
        b"ab" * 32 + b" data/x\n",
        b"AB" * 32 + b"  data/x\n",
        b"ab" * 32 + b"  data/x y\n",
        b"ab" * 32 + b"  data/\xc3\xa9\n",
        (b"ab" * 32 + b"  data/x\n") * 2,
        b"\n",
        b"ab" * 31 + b"  data/x\n",
    ],
)
def test_a_manifest_of_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        layout.parse_manifest(data)


def test_bag_info_keeps_every_value_on_its_line() -> None:
    info = layout.bag_info({"Source-Organization": "CHU\nde Fann", "External-Description": ""})
    assert info == b"Source-Organization: CHU de Fann\n"


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (3_700_000, "3.7 MB")])
def test_sizes_for_people(size: int, text: str) -> None:
    assert layout.human_size(size) == text
