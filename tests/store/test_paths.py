"""Paths that a store with folders can hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.errors import Role
from repatria.store.paths import UnholdableNameError, components, folder_of


@pytest.mark.parametrize("path", ["a", "a/b", "...", ".a", "a/..b", "-", "a b", "a\nb", "é" * 127, "a/.repatria-tmp"])
def test_paths_of_files(path: str) -> None:
    assert "/".join(components(path)) == path


@pytest.mark.parametrize(
    "path", ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "./a", "a\0", "é" * 128, ".repatria-tmp/a"]
)
def test_paths_of_none(path: str) -> None:
    with pytest.raises(UnholdableNameError) as caught:
        components(path, Role.SOURCE)
    assert caught.value.code == 4
    assert not caught.value.public


@given(st.text())
def test_components_never_lead_elsewhere(path: str) -> None:
    try:
        parts = components(path)
    except UnholdableNameError:
        return
    assert not {"", ".", ".."} & set(parts)
    assert not any("/" in part or "\0" in part for part in parts)


def test_the_folder_that_holds_every_path_with_a_prefix() -> None:
    assert [folder_of(prefix) for prefix in ["", "a", "a/", "a/b", "a/b/c"]] == ["", "", "a", "a", "a/b"]
