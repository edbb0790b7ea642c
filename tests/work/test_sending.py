"""Volumes that another machine puts: noted before, proven after, given up if that machine is gone."""

import hashlib
from pathlib import Path

import pytest

from repatria.bundle.rows import ObjectRow
from repatria.bundle.writer import BundleWriter
from repatria.crypt.sealing import Sealed
from repatria.work.bundling import BundleRun
from repatria.work.patience import Patience
from repatria.work.sending import GoneError, SealedVolume, is_kept
from tests.work.making import Site, read_chain, told, verify

DATA = b"d" * 5_000


def sealed_at_another_machine(run: BundleRun, path: str, number: int, name: str) -> tuple[SealedVolume, Sealed]:
    """Return a volume as the journal's machine knows it, and its file as the other one holds it."""
    volume = run.volume()
    volume.begin(told(path, DATA), name, number=number)
    volume.write(DATA)
    row = ObjectRow.of(told(path, DATA), number=number, source="", sha256=hashlib.sha256(DATA).digest(), salt=bytes(16))
    there = run.seal(volume, [row], [volume.end()])
    run.drop(volume)
    file = there.sealed
    here = Sealed(
        memoryview(b""), file.head_sha256, file.payload_sha256, file.payload_size, file.sha256, size=file.size
    )
    return run.sealed_elsewhere(here, there.content, None), file


def test_what_another_machine_put_is_proven_and_what_it_took_with_it_goes_under_another_number(tmp_path: Path) -> None:
    site = Site(tmp_path)

    def vanish(_number: int) -> bool:
        raise GoneError

    with site.open() as run:
        writer = BundleWriter(site.target, "d", run.bundle_id)
        number = run.next_object_number()
        name = run.member_name("a", number)
        lost, _file = sealed_at_another_machine(run, "a", number, name)
        with pytest.raises(GoneError):
            run.send(lost, vanish)
        assert run.proven == 0
        again, file = sealed_at_another_machine(run, "a", number, name)
        assert run.send(again, lambda number: is_kept(writer, Patience(), number, file)) > lost.number
        assert run.proven == 1
        run.finish()
    assert read_chain(site.target) == {"a": DATA}
    assert verify(site.target, tmp_path) == []


def test_a_volume_that_came_back_altered_goes_under_another_number_there_too(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.open() as run:
        writer = BundleWriter(site.target, "d", run.bundle_id)
        number = run.next_object_number()
        volume, file = sealed_at_another_machine(run, "a", number, run.member_name("a", number))
        tried: list[int] = []

        def put(number: int) -> bool:
            tried.append(number)
            return len(tried) > 1 and is_kept(writer, Patience(), number, file)

        assert run.send(volume, put) == tried[-1]
        assert tried == [volume.number, volume.number + 1]
        run.finish()
    assert verify(site.target, tmp_path) == []
