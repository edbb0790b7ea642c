"""What a copy does side by side: it copies while it lists, and reads one large object over many connections."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repatria.model import Object
from repatria.store.memory import MemoryStore
from tests.migrate.making import Job, Watched, folder_source, noise, write
from tests.work.making import MIB, read_chain

PAGE = 500


@dataclass
class Slow(Watched):
    """A source whose listing comes a page at a time, each after a while, as over a long link."""

    listed: bool = False
    """Whether its listing has come to its end."""

    def list(self) -> Iterator[Object]:
        for number, told in enumerate(super().list()):
            if number % PAGE == 0:
                time.sleep(0.15)
            yield told
        self.listed = True


def test_objects_arrive_while_the_source_is_still_listed(tmp_path: Path) -> None:
    files = {f"{number:05}": noise(2_000) for number in range(10 * PAGE)}
    source = Slow(folder_source(write(tmp_path / "abroad", files)))
    job, target, arrived = Job([source], tmp_path / "state"), MemoryStore(), list[bool]()

    def look(path: str) -> None:
        if "/vol-" in path:
            arrived.append(source.listed)

    target.faults.before_put, job.target = look, target
    job.run()
    assert not arrived[0], "the first volume was full long before the listing ended"
    assert arrived[-1]
    assert read_chain(target) == files


def test_a_large_object_at_the_very_end_is_read_over_many_connections(tmp_path: Path) -> None:
    """However late it is listed: no tail of one connection, as where an object is one request."""
    files = {"a": b"small", "z": noise(12 * MIB)}
    source = Watched(folder_source(write(tmp_path / "abroad", files)))
    now, most, counting = 0, 0, threading.Lock()

    def linger(told: Object, _at: int) -> None:
        nonlocal now, most
        with counting:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with counting:
            now -= 1

    source.before_read = linger
    job = Job([source], tmp_path / "state", volume_size=4 * MIB)
    job.run()
    assert most >= min(4, source.reads_at_once)
    assert read_chain(job.target) == files
