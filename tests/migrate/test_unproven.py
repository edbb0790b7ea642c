"""What a power cut costs: never as much as two volumes, whenever it comes; and what a copy holds in memory."""

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from repatria.migrate.unproven import MOST_VOLUMES, Unproven
from repatria.model import Object
from repatria.store.memory import MemoryStore
from repatria.work.stop import StopSignal
from tests.migrate.making import Job, Watched, folder_source, noise, write
from tests.work.making import MIB, PowerCutError, read_chain, verify

FILES = {
    **{f"petits/{number:03}": noise(8_192) for number in range(150)},
    **{f"moyens/{number:02}": noise(300_000 + number) for number in range(12)},
    **{f"vides/{number:03}": b"" for number in range(100)},
    "grand.sql": noise(6 * MIB + 321),
    "zz.dump": noise(2 * MIB),
}
SIZE = sum(map(len, FILES.values()))


class Mains:
    """Power, which is cut once so many reads and puts have begun; and the bytes that were asked for meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = 0
        self.asked = 0

    def on_for(self, events: int) -> None:
        self._left = events

    def use(self, asked: int = 0) -> None:
        with self._lock:
            self._left -= 1
            if self._left < 0:
                raise PowerCutError
            self.asked += asked

    def read(self, told: Object, start: int, length: int | None) -> None:
        self.use(told.size - start if length is None else length)


@pytest.mark.parametrize("seed", range(4))
def test_a_power_cut_at_any_instant_costs_less_than_two_volumes(tmp_path: Path, seed: int) -> None:
    """Counted are the bytes asked for at the source, so those in sockets and on the link are among them."""
    chance, mains, cuts = random.Random(seed), Mains(), 0  # noqa: S311 -- the same instants every time, not a secret
    source = Watched(folder_source(write(tmp_path / "abroad", FILES)), before_request=mains.read)
    job = Job([source], tmp_path / "state")
    assert isinstance(job.target, MemoryStore)
    job.target.faults.before_put = lambda _path: mains.use()
    while True:
        mains.on_for(chance.randint(5, 90) if cuts < 12 else 1 << 30)
        try:
            job.run()
            break
        except PowerCutError:
            cuts += 1
            job.stop = StopSignal()  # another process
    assert cuts >= 3
    assert mains.asked <= SIZE + cuts * 2 * job.volume_size
    assert read_chain(job.target) == FILES
    assert verify(job.target, job.state) == []


def test_the_limit_counts_what_is_asked_for_until_it_is_proven() -> None:
    unproven = Unproven(100)
    assert unproven.has_room(1000), "whatever it is, something must go on"
    unproven.add(100)
    assert unproven.has_room(90)
    assert not unproven.has_room(91)
    unproven.add(90)
    unproven.proven(100)
    assert unproven.has_room(100)
    assert MOST_VOLUMES < 2


def test_a_copy_holds_less_than_600_mib_whatever_the_dataset(tmp_path: Path) -> None:
    large = write(tmp_path / "abroad", {"large": b""}) / "large"
    os.truncate(large, 450 * MIB)
    script = (
        "import sys; from pathlib import Path; from tests.migrate.making import *\n"
        "folder = Path(sys.argv[1])\n"
        "Job([folder_source(folder / 'abroad')], folder / 'state', LocalStore(folder / 'vault'), 64 << 20).run()\n"
        # Not ru_maxrss: that of a child begins at what the process that started it held.
        "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')])"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=root, check=True, stdout=subprocess.PIPE, text=True
    )
    assert int(ran.stdout) < 600 * 1024
