"""Volumes that another machine puts: noted before, proven after, given up if that machine is gone."""

import hashlib
from pathlib import Path

import pytest

from repatria.bundle.rows import ObjectRow
from repatria.bundle.writer import BundleWriter
from repatria.errors import RefusedError
from repatria.store.memory import MemoryStore
from repatria.work.bundling import BundleRun
from repatria.work.patience import Patience
from repatria.work.sealed_rows import VolumeContent
from repatria.work.sending import GoneError, SealedVolume, is_kept
from tests.work.making import Site, read_chain, told, verify

DATA = b"d" * 5_000


def sealed_at_another_machine(run: BundleRun, path: str, number: int, name: str) -> SealedVolume:
    volume = run.volumes.volume()
    volume.begin(told(path, DATA), name, number=number)
    volume.write(DATA)
    row = ObjectRow.of(told(path, DATA), number=number, source="", sha256=hashlib.sha256(DATA).digest(), salt=bytes(16))
    there = run.volumes.seal(volume, VolumeContent([row], [volume.end()]))
    run.volumes.drop(volume)
    return there


def test_what_another_machine_put_is_proven_and_what_it_took_with_it_goes_under_another_number(tmp_path: Path) -> None:
    site = Site(tmp_path)
    tried: list[int] = []

    def vanish(number: int) -> bool:
        tried.append(number)
        raise GoneError

    with site.open() as run:
        writer = BundleWriter(site.target, "d", run.bundle_id)
        number = run.next_object_number()
        name = run.volumes.member_name("a", number)
        with pytest.raises(GoneError):
            run.volumes.send_from_elsewhere(sealed_at_another_machine(run, "a", number, name).facts, vanish)
        assert run.proven == 0
        there = sealed_at_another_machine(run, "a", number, name)
        kept = run.volumes.send_from_elsewhere(
            there.facts, lambda number: is_kept(writer, Patience(), number, there.sealed)
        )
        assert kept > tried[0]
        assert run.proven == 1
        run.finish()
    assert read_chain(site.target) == {"a": DATA}
    assert verify(site.target, tmp_path) == []


def test_what_another_machine_put_at_another_place_is_not_proven(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.open() as run:
        elsewhere = BundleWriter(MemoryStore(), "d", run.bundle_id)
        number = run.next_object_number()
        there = sealed_at_another_machine(run, "a", number, run.volumes.member_name("a", number))
        with pytest.raises(RefusedError, match=r"data/vol-\d+.tar.age, is not there for this machine") as refused:
            run.volumes.send_from_elsewhere(
                there.facts, lambda number: is_kept(elsewhere, Patience(), number, there.sealed)
            )
        assert refused.value.code == 5
        assert run.proven == 0
    with site.open() as run:
        assert run.known("a") is None
        assert run.proven == 0


def test_a_volume_that_came_back_altered_goes_under_another_number_there_too(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.open() as run:
        writer = BundleWriter(site.target, "d", run.bundle_id)
        number = run.next_object_number()
        there = sealed_at_another_machine(run, "a", number, run.volumes.member_name("a", number))
        tried: list[int] = []

        def put(number: int) -> bool:
            tried.append(number)
            return len(tried) > 1 and is_kept(writer, Patience(), number, there.sealed)

        assert run.volumes.send_from_elsewhere(there.facts, put) == tried[-1]
        assert tried[1] == tried[0] + 1
        run.finish()
    assert verify(site.target, tmp_path) == []
