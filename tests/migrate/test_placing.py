"""Where a restored object goes: names and links that mean no harm, and those that do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.bundle.rows import ObjectRow
from repatria.migrate.names_table import TableRow, escaped
from repatria.migrate.placing import likeness, marked_folder, natural_path, stays_inside, substitute_path


def row(path: str, size: int = 0, kind: str = "file", **facts: object) -> ObjectRow:
    return ObjectRow(7, "", path, kind, size, b"", b"", **facts)  # type: ignore[arg-type]  # facts are the row's own


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", "b"),
        ("a", "b/c"),
        ("a/b/c", "../../x"),
        ("a/b", ".."),
        ("a/b", ".././//x/"),
        ("a", "..."),
        ("a", "b\\..\\c"),
    ],
)
def test_links_that_stay_inside(path: str, target: str) -> None:
    assert stays_inside(path, target)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", "/etc/passwd"),
        ("a", ".."),
        ("a", "../x"),
        ("a/b", "../../x"),
        ("a/b", "c/../../../x"),
        ("a/b", "c/.."),  # c may be a link that leads up
        ("a", ""),
        ("a", "b\0c"),
        ("a", "//x"),
    ],
)
def test_links_that_might_lead_outside(path: str, target: str) -> None:
    assert not stays_inside(path, target)


def test_an_object_has_its_own_path_unless_it_would_lie_among_the_renamed() -> None:
    assert natural_path(row("a/_names/b")) == "a/_names/b"
    assert natural_path(row("_names/table.tsv")) is None
    assert natural_path(row("_names")) is None
    assert substitute_path(row("a")) == "_names/ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


def test_an_empty_object_with_a_slash_at_its_end_is_a_folder() -> None:
    assert marked_folder(row("a/b/")) == "a/b"
    assert marked_folder(row("a/b/", size=1)) is None
    assert marked_folder(row("a/b")) is None


def test_no_privileges_are_restored() -> None:
    assert likeness(row("a", mode=0o6755)).mode == 0o755
    assert likeness(row("a")).mode is None


class TestTable:
    def test_a_line(self) -> None:
        line = TableRow("_names/abc", row("a\tb\n\\", kind="symlink", link_target="/x")).line()
        assert line == "_names/abc\tsymlink\t7\ta\\tb\\n\\\\\t/x\n"

    def test_bytes_that_are_not_utf8(self) -> None:
        assert escaped(b"caf\xe9".decode("utf-8", "surrogateescape")) == "caf\\xe9"
        assert escaped("café") == "café"

    @given(st.text(st.characters(exclude_categories=())))
    def test_a_field_is_one_field_of_one_line(self, text: str) -> None:
        assert len(f"{escaped(text)}x".splitlines()) == 1
        assert "\t" not in escaped(text)
