"""From URIs to stores, and what of a URI may be shown."""

from pathlib import Path

import pytest

from repatria.errors import Role, UsageError
from repatria.store.local import LocalStore
from repatria.store.memory import MemoryStore
from repatria.store.registry import join, open_store, public_uri


def test_folders_by_path_or_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "été 50%"
    for uri in ("été 50%", str(folder), folder.as_uri(), f"file://localhost{folder.as_uri().removeprefix('file://')}"):
        store = open_store(uri)
        assert isinstance(store, LocalStore)
        assert (store.root, store.uri) == (folder, folder.as_uri())


def test_memory_of_one_name_is_one() -> None:
    open_store("memory://one").put("a", [b"1"], 1)
    assert open_store("memory://one", role=Role.SOURCE).stat("a").size == 1
    assert isinstance(open_store("memory://two"), MemoryStore)
    assert not list(open_store("memory://two").list())


def test_nothing_is_connected_before_the_first_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for uri in ("s3://bucket/prefix/", "sftp://user@nowhere.invalid:2222/srv/x"):
        store = open_store(uri)
        store.close()
    assert open_store("s3://bucket/prefix/").uri == "s3://bucket/prefix"
    assert open_store("sftp://user@nowhere.invalid:2222/srv/x").uri == "sftp://nowhere.invalid:2222/srv/x"


def test_other_schemes_are_refused() -> None:
    with pytest.raises(UsageError, match="ftp://"):
        open_store("ftp://host/x")


@pytest.mark.parametrize("uri", ["s3://", "s3:///x", "s3://a bucket/x", "sftp:///x"])
def test_what_names_no_place_is_refused(uri: str) -> None:
    with pytest.raises(UsageError):
        open_store(uri)


def test_a_password_in_a_uri_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        open_store("sftp://user:secret@host/x")
    assert "secret" not in caught.value.message + caught.value.advice


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("s3://bucket/a b?x", "s3://bucket/a b"),
        ("sftp://user:secret@host:22/a/b", "sftp://host:22/a/b"),
        ("sftp://user@host", "sftp://host"),
        ("file:///srv/a%20b/", "file:///srv/a%20b"),
        ("/srv/a b", "file:///srv/a%20b"),
        ("memory://x", "memory://x"),
    ],
)
def test_what_is_public_of_a_uri(uri: str, shown: str) -> None:
    assert public_uri(uri) == shown


def test_joining_escapes_where_the_scheme_does() -> None:
    assert join("s3://b/x/", "a b/é") == "s3://b/x/a b/é"
    assert join("file:///srv", "a b/é") == "file:///srv/a%20b/%C3%A9"
    assert join("sftp://u@h/srv/", "a%b") == "sftp://u@h/srv/a%25b"
    assert join("/srv/x y", "a") == "file:///srv/x%20y/a"
