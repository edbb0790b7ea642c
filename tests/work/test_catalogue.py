"""What is known of a dataset's objects: looked up page by page, as if one by one."""

from dataclasses import replace
from pathlib import Path

from repatria.model import Object
from repatria.work.catalogue import Catalogue
from repatria.work.journal import Journal
from tests.work.making import Site, told


def listed(run_catalogue: Catalogue, objects: list[Object]) -> list[str]:
    """Return the paths of what a listing of `objects` finds new or changed."""
    run_catalogue.begin_listing()
    return [each.path for each, same in run_catalogue.compared(objects) if not same]


def test_a_listing_of_several_pages_tells_what_is_new_changed_and_gone(tmp_path: Path) -> None:
    site = Site(tmp_path, per_volume=1_000)
    files = {f"f{number}": b"x" for number in range(2_500)}
    site.make(files)
    with site.open() as run:
        objects = [told(path, data) for path, data in files.items()]
        objects[0] = told("f0", b"changed")
        assert listed(run.catalogue, [*objects[:2_499], told("new", b"")]) == ["f0", "new"]
        gone = list(run.catalogue.unseen())
        assert gone == [run.known("f2499").number]  # type: ignore[union-attr]  # it is known
        assert listed(run.catalogue, objects) == ["f0"]
        assert list(run.catalogue.unseen()) == []


def test_what_a_bundle_takes_while_the_source_is_listed_counts_as_seen(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.make({"kept": b"1", "changed": b"1", "gone": b"1"})
    site.make({"kept": b"1", "changed": b"2"})
    assert site.read() == {"kept": b"1", "changed": b"2"}
    with site.open() as run:
        assert listed(run.catalogue, [told("kept", b"1"), told("changed", b"2")]) == []
        assert list(run.catalogue.unseen()) == []


def test_an_object_that_tells_nothing_of_its_version_always_looks_changed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.make({"a": b"1"})
    with site.open() as run:
        silent = replace(told("a", b"1"), version="")
        assert not run.catalogue.unchanged(silent)
        assert run.catalogue.unchanged(told("a", b"1"))
        assert listed(run.catalogue, [silent]) == ["a"]


def test_the_journal_is_read_without_being_changed_by_a_listing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.make({f"f{number}": b"x" for number in range(10)})
    journal = Journal(site.state.dataset("d"), site.state.key(), read_only=True)
    before = journal.file.stat().st_mtime_ns
    assert listed(Catalogue(journal), [told(f"f{number}", b"x") for number in range(10)]) == []
    assert journal.file.stat().st_mtime_ns == before
    journal.close()
