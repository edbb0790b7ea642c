"""Listings made elsewhere: read as they were written, and refused where they are none."""

import json
from pathlib import Path

import pytest

from repatria.errors import UsageError
from repatria.migrate.inventory import take_inventory
from repatria.migrate.listed import ListedSource
from repatria.migrate.object_table import object_table
from repatria.model import Object, ObjectKind
from repatria.source.objects import Selection

STRANGE = ["=1+1", "'=1+1", "''x", "-rf", "é/a b", "line\nfeed", "latin1-\udce9", 'quo"te,comma', "plain.csv"]


def source(file: Path, name: str = "", *, is_only: bool = True, exclude: tuple[str, ...] = ()) -> ListedSource:
    return ListedSource(file, "d", name, "file:///abroad", Selection((), exclude), is_only)


def test_an_exported_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    told = [Object(path, number, 1_700_000_000_000_000_000) for number, path in enumerate(STRANGE)]
    told += [Object("link", 4, kind=ObjectKind.SYMLINK), Object("pipe", 0, kind=ObjectKind.SPECIAL)]
    with object_table(tmp_path / "list.csv") as table:
        assert table is not None
        for each in told:
            table.adder("d", "")(each, None)
        table.adder("other", "")(Object("x", 1), None)
        table.adder("d", "exports")(Object("exports/y", 1), None)
    assert list(source(tmp_path / "list.csv").list()) == told
    assert [each.path for each in source(tmp_path / "list.csv", "exports", is_only=False).list()] == ["exports/y"]


def lsjson(file: Path, *facts: object) -> Path:
    file.write_text("[\n" + ",\n".join(map(json.dumps, facts)) + "\n]\n")
    return file


def test_what_rclone_prints_is_counted_by_names_alone(tmp_path: Path) -> None:
    file = lsjson(
        tmp_path / "list.json",
        {"Path": "a", "Name": "a", "Size": -1, "ModTime": "2026-01-01T00:00:00Z", "IsDir": True},
        {"Path": "a/scan.dcm", "Size": 7, "ModTime": "2026-01-01T10:00:00.123456789+01:00", "IsDir": False},
        {"Path": "a/cache.tmp", "Size": 9, "ModTime": "", "IsDir": False},
    )
    found = take_inventory(source(file, exclude=("*.tmp",)), names_only=True)
    assert (found.objects, found.bytes, found.unreadable) == (1, 7, 0)
    assert {kind: (each.objects, each.sampled) for kind, each in found.kinds.items()} == {"dicom": (1, 0)}
    (told,) = source(file, exclude=("*.tmp",)).list()
    assert told.mtime_ns == 1_767_258_000_000_000_000


@pytest.mark.parametrize("text", ["", "a\nb\n", "[\n{}\n]\n", '[\n{"Path": "a", "Size": "x"}\n]', "[\n[]\n]", "[\n{\n"])
def test_a_file_that_is_no_listing_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "list").write_text(text)
    with pytest.raises(UsageError, match=r"Line [12] of .*list"):
        list(source(tmp_path / "list").list())


def test_a_table_that_was_changed_is_refused(tmp_path: Path) -> None:
    with object_table(tmp_path / "list.csv"):
        pass
    with (tmp_path / "list.csv").open("a") as stream:
        stream.write("d,,a,file,many,,,\n")
    with pytest.raises(UsageError, match="Line 2"):
        list(source(tmp_path / "list.csv").list())


def test_a_listing_that_may_be_of_any_of_several_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="of which source"):
        list(source(lsjson(tmp_path / "list.json"), "exports", is_only=False).list())
    with pytest.raises(UsageError, match="no such file"):
        list(source(tmp_path / "absent").list())
