"""S3 services that refuse, trip, ask for less, or say yes and mean no: what was proven is safe, and it goes on."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from repatria.errors import FullError, RefusedError, Role, StoreError
from repatria.migrate import climbing, connections
from repatria.migrate.climbing import FEWEST, FIRST
from repatria.source.objects import Selection, StoreSource
from repatria.store import s3_exchange, s3_put
from repatria.store.registry import open_store
from repatria.store.s3 import S3Store
from repatria.work.stop import StopSignal
from tests.faults.making import fill
from tests.migrate.making import Job, Watched, folder_source, noise, write
from tests.servers import BUCKET, Server
from tests.store.meddling import Answer, Asked, Meddler, error
from tests.work.making import MIB, read_chain, verify

FILES = {f"{number:02}": noise(MIB - 40_000 - number) for number in range(8)}


@pytest.fixture
def meddler(moto_s3: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meddler]:
    moto_s3.use(monkeypatch)
    monkeypatch.setattr(s3_exchange, "FIRST_PAUSE", 0.01)
    with Meddler(str(moto_s3.endpoint)) as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Watched:
    return Watched(folder_source(write(tmp_path / "abroad", FILES)))


@pytest.fixture
def job(meddler: Meddler, moto_s3: Server, source: Watched, tmp_path: Path) -> Iterator[Job]:
    place = urlsplit(moto_s3.new_place()).path.strip("/")
    target = S3Store(BUCKET, place, endpoint=meddler.endpoint, profile="test", role=Role.TARGET)
    yield Job([source], tmp_path / "state", target)
    target.close()


def from_volume(number: int, answer: Answer, times: int = 1 << 30) -> Callable[[Asked], Answer | None]:
    """Return what answers so to puts, from that of the volume with this number on, as often as said."""
    left = [times]

    def meddle(asked: Asked) -> Answer | None:
        if asked.method != "PUT" or "/vol-" not in asked.path or not left[0]:
            return None
        if int(asked.path.rpartition("/vol-")[2][:6]) < number:
            return None
        left[0] -= 1
        return answer

    return meddle


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(403, "QuotaExceeded", FullError), (403, "AccessDenied", RefusedError)],
)
def test_a_target_that_takes_no_more_ends_the_run_and_later_it_goes_on(
    job: Job, meddler: Meddler, source: Watched, status: int, code: str, kind: type[StoreError]
) -> None:
    meddler.meddle = from_volume(4, Answer(status, error(code)))
    with pytest.raises(kind) as caught:
        job.run()
    assert caught.value.code == 5
    meddler.meddle = lambda asked: None
    job.stop = StopSignal()
    job.run()
    assert source.fetched <= sum(map(len, FILES.values())) + 2 * MIB
    assert read_chain(job.target) == FILES
    assert verify(job.target, job.state) == []


@pytest.mark.parametrize(
    ("status", "code", "after", "times"),
    [
        (500, "InternalError", None, 12),
        (503, "SlowDown", None, 6),
        (429, "TooManyRequests", None, 6),
        (429, "TooManyRequests", "1", 2),
    ],
)
def test_a_target_that_trips_or_asks_for_less_is_waited_for(
    job: Job, meddler: Meddler, status: int, code: str, after: str | None, times: int
) -> None:
    headers = {"Retry-After": after} if after else {}
    meddler.meddle = from_volume(2, Answer(status, error(code), headers), times)
    assert job.run().findings == []
    assert read_chain(job.target) == FILES
    assert verify(job.target, job.state) == []


@pytest.mark.parametrize(
    ("status", "code", "after"),
    [(503, "SlowDown", None), (429, "TooManyRequests", None), (429, "TooManyRequests", "1")],
)
def test_a_source_that_asks_for_less_is_asked_less(
    rclone_s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, code: str, after: str | None
) -> None:
    """It takes so many requests at a time, and those keep it busy until fewer are made."""
    rclone_s3.use(monkeypatch)
    monkeypatch.setattr(s3_exchange, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(connections, "CALM", 0.02)
    files = {f"{number:03}": noise(5_000) for number in range(300)}
    place, allowed, fewer = rclone_s3.new_place(), list[int](), threading.Event()
    fill(rclone_s3, place, files)
    under_way = threading.Semaphore(FEWEST)
    headers = {"Retry-After": after} if after else {}
    push_back = climbing.Climb.pushed_back

    def pushed_back(climb: climbing.Climb, running: int) -> int:
        allowed.extend((climb.allowed, push_back(climb, running)))
        fewer.set()
        return climb.allowed

    monkeypatch.setattr(climbing.Climb, "pushed_back", pushed_back)

    def take_few(asked: Asked) -> Answer:
        if not under_way.acquire(blocking=False):
            return Answer(status, error(code), headers)
        try:
            if "list-type" not in asked.path:
                fewer.wait(20)
            return service.fetched(asked)
        finally:
            under_way.release()

    with Meddler(str(rclone_s3.endpoint)) as service:
        service.meddle = take_few
        store = open_store(place, endpoint=service.endpoint, profile="test", role=Role.SOURCE)
        source = StoreSource(store, place, Selection())
        job = Job([source], tmp_path / "state")
        assert job.run().findings == []
        source.close()
    assert allowed[0] == FIRST
    assert min(allowed) <= FIRST // 2
    assert read_chain(job.target) == files


def test_volumes_whose_end_is_answered_with_200_and_an_error_are_no_volumes(
    job: Job, meddler: Meddler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(s3_put, "SINGLE_PUT", 6 << 20)
    monkeypatch.setattr(s3_put, "PART", 5 << 20)
    write(tmp_path / "abroad", {"large": noise(17 * MIB)})
    job.volume_size = 8 * MIB
    left = [Answer(200, b"\n" + error("InternalError"))] * 7
    meddler.meddle = lambda asked: left.pop() if left and asked.method == "POST" and "uploadId" in asked.path else None
    job.run()
    assert not left
    assert set(read_chain(job.target)) == {*FILES, "large"}
    assert verify(job.target, job.state) == []


def test_a_target_that_alters_every_volume_is_found_out_by_reading_back(job: Job, meddler: Meddler) -> None:
    def alter(asked: Asked) -> None:
        if asked.method == "PUT" and "/vol-" in asked.path:
            asked.body = asked.body[:-1] + bytes([asked.body[-1] ^ 1])
            for name in ("content-md5", "x-amz-content-sha256", "x-amz-checksum-sha256"):
                asked.headers.pop(name, None)  # type: ignore[attr-defined]  # it is a dict

    meddler.meddle = alter
    with pytest.raises(RefusedError, match="does not keep what it is given"):
        job.run()
    assert not [each.path for each in job.target.list() if each.path.endswith("statement.json")]
    meddler.meddle = lambda asked: None
    job.stop = StopSignal()
    job.run()
    assert read_chain(job.target) == FILES
