"""What a URI means, and when two mean the same place."""

from pathlib import Path

import pytest

from repatria.manifest import StoreTable
from repatria.uri import absolute, location, named_uri, store_name

HERE = Path("/srv/ministere")


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("coffre", "file:///srv/ministere/coffre"),
        ("./coffre/../x/", "file:///srv/ministere/x"),
        ("/mnt/disque 2", "file:///mnt/disque%202"),
        ("/mnt/100%", "file:///mnt/100%25"),
        ("file:///mnt/disque%202", "file:///mnt/disque%202"),
        ("file://coffre", "file:///srv/ministere/coffre"),
        ("file://localhost/mnt", "file:///mnt"),
        ("./a:b", "file:///srv/ministere/a%3Ab"),
        ("s3://bucket/a b//c", "s3://bucket/a b//c"),
        ("sftp://u@host:2222/x", "sftp://u@host:2222/x"),
    ],
)
def test_a_uri_is_made_absolute(text: str, uri: str) -> None:
    assert absolute(text, HERE) == uri


@pytest.mark.parametrize(
    ("text", "name"), [("coffre:x/y", ("coffre", "x/y")), ("coffre:", ("coffre", "")), ("s3://b", None), ("a/b", None)]
)
def test_a_name_before_a_colon_is_a_store(text: str, name: tuple[str, str] | None) -> None:
    assert store_name(text) == name


def test_a_named_store_gives_the_uri() -> None:
    stores = {"disque": StoreTable(uri="file:///mnt/d"), "s3": StoreTable(uri="s3://b/p/")}
    assert named_uri(stores, "disque:a b")[0] == "file:///mnt/d/a%20b"
    assert named_uri(stores, "s3:a b")[0] == "s3://b/p/a b"
    assert named_uri(stores, "other:x") == ("other:x", None)


@pytest.mark.parametrize("text", ["a\0b", "file:///a%00b"])
def test_a_null_character_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="null character"):
        absolute(text, Path("/srv"))


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("file:///a/b", "file:///a/b", True),
        ("file:///a/b", "file:///a/b/c", True),
        ("file:///a/b/c", "file:///a/b", True),
        ("file:///a/b", "file:///a/bc", False),
        ("s3://b/x", "s3://b/x/", True),
        ("s3://b/x", "s3://b/xy", False),
        ("s3://b", "s3://c", False),
        ("sftp://u@Host/x", "sftp://v@host:22/x/y", True),
        ("sftp://host/x", "sftp://host:23/x", False),
        ("file:///a", "sftp://host/a", False),
    ],
)
def test_two_places_overlap_if_one_is_or_holds_the_other(one: str, other: str, overlap: bool) -> None:
    assert location(StoreTable(uri=one)).overlaps(location(StoreTable(uri=other))) is overlap


def test_the_same_bucket_at_two_services_is_two_places() -> None:
    abroad, home = (
        StoreTable(uri="s3://b", endpoint="https://s3.fr"),
        StoreTable(uri="s3://b", endpoint="https://s3.sn/"),
    )
    assert not location(abroad).overlaps(location(home))
    assert location(home).overlaps(location(StoreTable(uri="s3://b/x", endpoint="https://s3.sn")))


def test_a_link_does_not_hide_that_places_are_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    one, other = StoreTable(uri=f"file://{tmp_path}/real/x"), StoreTable(uri=f"file://{tmp_path}/link")
    assert location(one).overlaps(location(other))
