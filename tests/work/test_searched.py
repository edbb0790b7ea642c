"""What a search for damage has read so far: it goes on where it was stopped."""

from pathlib import Path

import pytest

from repatria.errors import UsageError
from repatria.model import FindingKind
from repatria.work.searched import DAYS, FILE_NAME, Searched

ONE, OTHER = "1" * 64, "2" * 64


def test_what_was_read_of_a_bundle_is_known_by_its_manifest(tmp_path: Path) -> None:
    searched = Searched(tmp_path)
    searched.note(ONE, "data/vol-000001.tar.age", FindingKind.INTACT)
    searched.note(ONE, "data/vol-000002.tar.age", FindingKind.ALTERED)
    assert Searched(tmp_path).known(ONE) == {
        "data/vol-000001.tar.age": FindingKind.INTACT,
        "data/vol-000002.tar.age": FindingKind.ALTERED,
    }
    assert searched.known(OTHER) == {}
    searched.forget()
    searched.forget()
    assert searched.known(ONE) == {}


@pytest.mark.parametrize("kind", [FindingKind.UNVERIFIABLE, FindingKind.MISSING])
def test_what_could_not_be_read_is_looked_at_again(tmp_path: Path, kind: FindingKind) -> None:
    searched = Searched(tmp_path)
    searched.note(ONE, "a", kind)
    assert searched.known(ONE) == {}


def test_what_was_read_long_ago_is_read_again(tmp_path: Path) -> None:
    now = [1e9]
    searched = Searched(tmp_path, lambda: now[0])
    searched.note(ONE, "a", FindingKind.INTACT)
    now[0] += DAYS * 86_400
    assert searched.known(ONE)
    now[0] += 1
    assert not searched.known(ONE)
    now[0] = 1e9 - 1  # the clock was set back: nobody knows how long ago it is
    assert not searched.known(ONE)


@pytest.mark.parametrize("damage", [b"\0\0\xff", b"[]", b"7", b"{}", b'{"manifest": "1', b'{"read": "x"}'])
def test_a_line_that_is_half_written_is_as_none(tmp_path: Path, damage: bytes) -> None:
    searched = Searched(tmp_path)
    searched.note(ONE, "a", FindingKind.INTACT)
    (tmp_path / FILE_NAME).write_bytes((tmp_path / FILE_NAME).read_bytes() + damage + b"\n")
    searched.note(ONE, "b", FindingKind.INTACT)
    assert searched.known(ONE) == {"a": FindingKind.INTACT, "b": FindingKind.INTACT}


def test_a_state_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    searched = Searched(tmp_path / "gone")
    with pytest.raises(UsageError, match="state folder"):
        searched.note(ONE, "a", FindingKind.INTACT)
    (tmp_path / FILE_NAME).mkdir()
    for use in (lambda: Searched(tmp_path).known(ONE), Searched(tmp_path).forget):
        with pytest.raises(UsageError, match="state folder"):
            use()
