"""How a dataset stands, read while others work on it."""

from pathlib import Path

from repatria.work.arrived import Arrived
from repatria.work.lock import dataset_lock
from repatria.work.overview import standing_of
from repatria.work.signing import choose_signer
from repatria.work.state import StateFolder
from tests.work.making import Site, store_all, told


def test_a_dataset_that_was_never_worked_on(tmp_path: Path) -> None:
    found = standing_of(StateFolder(tmp_path), "d")
    assert (found.bundle, found.unfinished, found.holder) == (None, None, None)


def test_a_finished_and_an_unfinished_bundle(tmp_path: Path) -> None:
    site = Site(tmp_path / "state")
    site.make({"a": b"123"})
    with site.open() as run, dataset_lock(site.state, "d"):
        store_all(run, [(told("b", b"45"), b"45")])
        found = standing_of(site.state, "d")
    assert (found.objects, found.bytes) == (1, 3)
    assert found.uri is not None
    assert found.bundle is not None
    assert found.uri.endswith(found.bundle)
    assert found.holder is not None
    assert found.unfinished is not None
    assert (found.unfinished.bundle, found.unfinished.proven) == (run.bundle_id, 1)


def test_what_arrived_is_known_to_the_next_run(tmp_path: Path) -> None:
    site = Site(tmp_path / "state")
    with site.open() as run:
        store_all(run, [(told("a", b"123"), b"123"), (told("b", b"45"), b"45")])
    with site.open() as again:
        assert again.arrived == Arrived(objects=2, bytes=5, volumes=1)


def test_a_signer_is_made_once_and_kept_private(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    first, second = choose_signer(None, state), choose_signer(None, state)
    assert (first.made, second.made) == (True, False)
    assert first.signer.fingerprint == second.signer.fingerprint
    assert first.file.stat().st_mode & 0o077 == 0
    assert choose_signer(first.file, StateFolder(tmp_path / "other")).signer.fingerprint == first.signer.fingerprint
