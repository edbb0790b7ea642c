"""S3 services that answer the later the more they are asked at once: they are asked less, and it ends."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from repatria.errors import Role
from repatria.migrate import climbing, connections
from repatria.migrate.climbing import FIRST, FIRST_RANGE
from repatria.progress import Silent
from repatria.source.objects import Selection, StoreSource
from repatria.store import s3_exchange, s3_http
from repatria.store.registry import open_store
from tests.faults.making import fill
from tests.migrate.making import Job, noise
from tests.servers import Server
from tests.store.meddling import Answer, Asked, Meddler
from tests.work.making import MIB, read_chain

FILES = {f"large/{number}": noise(6 * MIB + number) for number in range(4)}


class Hashing:
    """Meddles with a service so that one processor has so many seconds to do for each answer about an object."""

    def __init__(self, service: Meddler, seconds: float) -> None:
        self._service, self._seconds = service, seconds
        self._processor, self._counting = threading.Lock(), threading.Lock()
        self._under_way = 0
        self.most = 0
        """Answers that were worked at or waited for at once, at most."""

    def __call__(self, asked: Asked) -> Answer | None:
        if asked.method != "GET" or "/large/" not in asked.path:
            return None
        with self._counting:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        with self._processor:  # also for whoever waits no more
            threading.Event().wait(self._seconds)
        answer = self._service.fetched(asked)
        with self._counting:
            self._under_way -= 1
        return answer


class Told(Silent):
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, message: str) -> None:
        self.sentences.append(message)


@pytest.fixture
def service(rclone_s3: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meddler]:
    rclone_s3.use(monkeypatch)
    monkeypatch.setattr(s3_exchange, "FIRST_PAUSE", 0.01)
    with Meddler(str(rclone_s3.endpoint)) as service:
        yield service


@pytest.fixture
def job(service: Meddler, rclone_s3: Server, tmp_path: Path) -> Iterator[Job]:
    place = rclone_s3.new_place()
    fill(rclone_s3, place, FILES)
    source = StoreSource(
        open_store(place, endpoint=service.endpoint, profile="test", role=Role.SOURCE), place, Selection()
    )
    yield Job([source], tmp_path / "state", volume_size=8 * MIB)
    source.close()


def test_it_is_asked_for_much_at_a_time_and_by_few_beside_each_other(
    job: Job, service: Meddler, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (climbing, connections):
        monkeypatch.setattr(module, "PONDERS", 0.1)
    service.meddle = hashing = Hashing(service, 0.02)
    assert job.run().findings == []
    assert hashing.most <= 2 * FIRST  # one step up, if the first answers come before the others hold each other up
    reads = sum(asked.method == "GET" and "/large/" in asked.path for asked in service.asked)
    assert reads < sum(map(len, FILES.values())) / FIRST_RANGE  # MIB at a time, once it is known
    assert read_chain(job.target) == FILES


def test_answers_that_do_not_come_in_time_are_asked_for_with_fewer_beside_them(
    job: Job, service: Meddler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that are asked for at first, no answer would ever come in time."""
    monkeypatch.setattr(s3_http, "STALL_SECONDS", 0.05)
    monkeypatch.setattr(s3_http, "ANSWER_SECONDS", 0.4)
    monkeypatch.setattr(connections, "SILENCE", 0.1)
    monkeypatch.setattr(connections, "CALM_WHEN_LATE", 0.15)
    service.meddle = Hashing(service, 0.03)
    job.progress = told = Told()
    assert job.run().findings == []
    assert read_chain(job.target) == FILES
    assert [sentence for sentence in told.sentences if "link" in sentence] == []
    assert any("answers late" in sentence for sentence in told.sentences)
