"""A dataset's sources: which objects they give, under which paths, and that they fail as sources."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from repatria.errors import ChangedError, ManifestError, NotFoundError, UnreachableError
from repatria.manifest import load_manifest
from repatria.model import Object, ObjectKind
from repatria.source.base import ObjectSource
from repatria.source.objects import Selection, StoreSource, open_sources
from repatria.store.local import LocalStore
from repatria.store.memory import MemoryStore

ENCRYPTION = '[encryption]\nrecipients = ["age1example"]\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path in ["a.dcm", "a.tmp", "exports/b.dcm", "exports/cache/c.dcm", "exports/keep.tmp", "notes/été.txt"]:
        file = tmp_path / "tree" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (tmp_path / "tree" / "empty").mkdir()
    return tmp_path / "tree"


def listed(source: ObjectSource) -> list[str]:
    return sorted(each.path for each in source.list())


def source_of(tree: Path, *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> StoreSource:
    return StoreSource(LocalStore(tree), tree.as_uri(), Selection(include, exclude))


class TestSelection:
    def test_without_patterns_everything(self, tree: Path) -> None:
        assert listed(source_of(tree)) == [
            "a.dcm",
            "a.tmp",
            "empty",
            "exports/b.dcm",
            "exports/cache/c.dcm",
            "exports/keep.tmp",
            "notes/été.txt",
        ]

    @pytest.mark.parametrize(
        ("include", "exclude", "expected"),
        [
            ((), ("*.tmp",), ["a.dcm", "empty", "exports/b.dcm", "exports/cache/c.dcm", "notes/été.txt"]),
            (
                (),
                ("*.tmp", "!keep.tmp", "empty/", "notes/"),
                ["a.dcm", "exports/b.dcm", "exports/cache/c.dcm", "exports/keep.tmp"],
            ),
            ((), ("/exports/", "empty"), ["a.dcm", "a.tmp", "notes/été.txt"]),
            (("*.dcm",), (), ["a.dcm", "exports/b.dcm", "exports/cache/c.dcm"]),
            (("*.dcm",), ("cache/",), ["a.dcm", "exports/b.dcm"]),
            (("/notes",), (), ["notes/été.txt"]),
            (("nothing",), (), []),
        ],
    )
    def test_by_gitignore_patterns(
        self, tree: Path, include: tuple[str, ...], exclude: tuple[str, ...], expected: list[str]
    ) -> None:
        assert listed(source_of(tree, include=include, exclude=exclude)) == expected

    def test_what_is_no_pattern_is_the_manifests_fault(self) -> None:
        with pytest.raises(ManifestError, match="!"):
            Selection(exclude=["!"])

    def test_a_folder_left_out_is_not_even_opened(self) -> None:
        entered: list[str] = []

        class Watched(MemoryStore):
            def list(self, prefix: str = "", *, enter: object = None) -> Iterator[Object]:
                assert callable(enter)
                entered.extend(name for name in ("lost+found", "exports") if enter(name))
                return iter(())

        assert listed(StoreSource(Watched(), "memory://", Selection(exclude=["lost+found/"]))) == []
        assert entered == ["exports"]


class TestManifest:
    def test_one_source_without_a_name(self, tree: Path, tmp_path: Path) -> None:
        manifest = tmp_path / "m.toml"
        manifest.write_text(
            f'id = "d"\n[[source]]\nuri = "tree"\nexclude = ["*.tmp"]\n[target]\nuri = "out"\n{ENCRYPTION}'
        )
        (source,) = open_sources(load_manifest(manifest))
        assert source.name == ""
        assert source.public_uri == tree.as_uri()
        assert "a.dcm" in listed(source)
        assert "a.tmp" not in listed(source)

    def test_of_several_each_has_its_name_before_its_paths(self, tree: Path, tmp_path: Path) -> None:
        manifest = tmp_path / "m.toml"
        manifest.write_text(
            f'id = "d"\n[[source]]\nname = "x"\nuri = "tree/exports"\n[[source]]\nname = "n"\nuri = "tree/notes"\n'
            f'[target]\nuri = "out"\n{ENCRYPTION}'
        )
        sources = open_sources(load_manifest(manifest))
        assert [listed(source) for source in sources] == [["x/b.dcm", "x/cache/c.dcm", "x/keep.tmp"], ["n/été.txt"]]
        found = next(iter(sources[1].list()))
        with sources[1].read(found, 0, 4) as reading:
            assert reading.object.path == "n/été.txt"
            assert b"".join(reading.chunks) == b"note"

    def test_a_source_that_is_not_there_ends_in_code_4(self, tmp_path: Path) -> None:
        manifest = tmp_path / "m.toml"
        manifest.write_text(f'id = "d"\n[[source]]\nuri = "gone"\n[target]\nuri = "out"\n{ENCRYPTION}')
        (source,) = open_sources(load_manifest(manifest))
        with pytest.raises(NotFoundError) as caught:
            listed(source)
        assert caught.value.code == 4
        assert caught.value.advice

    def test_a_service_that_does_not_answer_ends_in_code_4(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        manifest = tmp_path / "m.toml"
        manifest.write_text(
            f'id = "d"\n[[source]]\nuri = "sftp://no-such-host.invalid/x"\n[target]\nuri = "out"\n{ENCRYPTION}'
        )
        (source,) = open_sources(load_manifest(manifest))
        with pytest.raises(UnreachableError, match=r"no such host as no-such-host\.invalid") as caught:
            listed(source)
        assert caught.value.code == 4


def test_a_read_is_of_the_version_listed(tree: Path) -> None:
    source = source_of(tree)
    found = next(each for each in source.list() if each.path == "a.dcm")
    (tree / "a.dcm").write_text("another content")
    with pytest.raises(ChangedError), source.read(found) as reading:
        list(reading.chunks)


def test_specials_are_yielded_to_be_findings(tree: Path) -> None:
    import os

    os.mkfifo(tree / "pipe")
    assert [each.kind for each in source_of(tree).list() if each.path == "pipe"] == [ObjectKind.SPECIAL]
