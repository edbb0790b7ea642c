"""One object that does not come while others do: a finding about it, soon, and not a link that is waited for."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repatria.errors import Role, StoppedError, UnreachableError
from repatria.model import FindingKind, Object
from repatria.progress import Silent
from repatria.source.objects import Selection, StoreSource
from repatria.store import s3_exchange
from repatria.store.registry import open_store
from repatria.work.stop import StopSignal
from tests.faults.making import client_of, fill
from tests.migrate.making import Job, Watched, folder_source, noise, write
from tests.servers import BUCKET, Server
from tests.store.meddling import Answer, Asked, Meddler, error
from tests.work.making import MIB, read_chain, verify

BESIDE = {f"beside/{number}": noise(40_000 + number) for number in range(12)}
FILES = {**BESIDE, "it": noise(2 * MIB + 3)}


class Told(Silent):
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, message: str) -> None:
        self.sentences.append(message)


class Abroad:
    """A service in front of which one object may be answered otherwise, and the job that copies from it."""

    def __init__(self, service: Meddler, server: Server, folder: Path) -> None:
        self.place = server.new_place()
        fill(server, self.place, FILES)
        store = open_store(self.place, endpoint=service.endpoint, profile="test", role=Role.SOURCE)
        self.service, self.source = service, StoreSource(store, self.place, Selection())
        self.told = Told()
        self.job = Job([self.source], folder / "state", progress=self.told)

    def answer(self, answer: Answer, methods: tuple[str, ...] = ("GET",)) -> None:
        """Have requests for the one object answered so."""
        self.service.meddle = lambda asked: answer if asked.method in methods and self.asks_for_it(asked) else None

    @property
    def requests(self) -> int:
        """How often the one object was asked for."""
        return sum(map(self.asks_for_it, self.service.asked))

    @staticmethod
    def asks_for_it(asked: Asked) -> bool:
        return asked.path.endswith("/it")


@pytest.fixture
def abroad(moto_s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Abroad]:
    moto_s3.use(monkeypatch)
    monkeypatch.setattr(s3_exchange, "FIRST_PAUSE", 0.001)
    with Meddler(str(moto_s3.endpoint)) as service:
        made = Abroad(service, moto_s3, tmp_path)
        yield made
        made.source.close()


def test_access_to_one_object_that_is_denied_is_told_at_once(abroad: Abroad) -> None:
    abroad.answer(Answer(403, error("AccessDenied")))
    [found] = abroad.job.run().findings
    assert (found.path, found.kind) == ("it", FindingKind.FAILED)
    assert abroad.told.sentences == []
    reads = 1 + len(FILES["it"]) // (MIB // 8)  # each range of it may be under way already, once
    assert abroad.requests <= reads
    assert read_chain(abroad.job.target) == BESIDE
    assert verify(abroad.job.target, abroad.job.state) == []


def test_an_object_that_is_gone_is_told_at_once(abroad: Abroad, moto_s3: Server) -> None:
    removed: list[Asked] = []

    def remove(asked: Asked) -> None:
        if asked.method == "GET" and abroad.asks_for_it(asked) and not removed:
            removed.append(asked)
            client = client_of(moto_s3)
            client.delete_object(Bucket=BUCKET, Key=f"{abroad.place.rpartition('/')[2]}/it")
            client.close()

    abroad.service.meddle = remove
    [found] = abroad.job.run().findings
    assert (found.path, found.kind) == ("it", FindingKind.CHANGED)
    assert abroad.told.sentences == []
    assert read_chain(abroad.job.target) == BESIDE


@pytest.mark.parametrize(
    ("status", "code", "methods"),
    [
        (500, "InternalError", ("GET",)),  # while it is told of
        (500, "InternalError", ("GET", "HEAD")),
        (503, "SlowDown", ("GET",)),
        (429, "TooManyRequests", ("GET", "HEAD")),
    ],
)
def test_an_object_for_which_the_service_fails_or_asks_for_patience_is_given_up(
    abroad: Abroad, status: int, code: str, methods: tuple[str, ...]
) -> None:
    """As rclone's does that remembers a file which somebody removed behind its back."""
    abroad.answer(Answer(status, error(code)), methods)
    [found] = abroad.job.run().findings
    assert (found.path, found.kind) == ("it", FindingKind.FAILED)
    assert abroad.told.sentences == []
    assert read_chain(abroad.job.target) == BESIDE
    assert verify(abroad.job.target, abroad.job.state) == []


def test_an_object_at_which_the_service_fails_for_a_while_comes_after_the_others(abroad: Abroad) -> None:
    looked_at: list[str] = []

    def fail_at_first(asked: Asked) -> Answer | None:
        looked_at.extend([asked.path] if asked.method == "HEAD" and abroad.asks_for_it(asked) else [])
        return Answer(500, error("InternalError")) if abroad.asks_for_it(asked) and not looked_at else None

    abroad.service.meddle = fail_at_first
    assert abroad.job.run().findings == []
    assert read_chain(abroad.job.target) == FILES


def test_a_service_that_fails_at_everything_is_waited_for(abroad: Abroad) -> None:
    failure = Answer(500, error("InternalError"))
    abroad.service.meddle = lambda asked: failure if "list-type" not in asked.path else None
    abroad.job.patience_seconds = 3
    with pytest.raises(StoppedError, match="fails: InternalError 500"):
        abroad.job.run()
    assert abroad.told.sentences == ["The service fails; it is tried again for up to 1 minute."]


@pytest.mark.parametrize("small", [False, True], ids=["nothing else came", "smaller ones came"])
def test_a_link_that_carries_only_little_replies_is_waited_for(tmp_path: Path, *, small: bool) -> None:
    """A path MTU that nobody tells of; a proxy's limit."""
    files = {f"large/{number:03}": noise(20_000) for number in range(60)}
    files |= {f"a small one/{number}": noise(100) for number in range(40)} if small else {}

    def hang(_told: Object, _start: int, length: int | None) -> None:
        if length is None or length > 1000:
            raise UnreachableError("timed out", role=Role.SOURCE)

    source = Watched(folder_source(write(tmp_path / "abroad", files)))
    source.before_request = lambda told, start, length: hang(told, start, told.size if length is None else length)
    told = Told()
    job = Job([source], tmp_path / "state", progress=told, patience_seconds=2.0)
    with pytest.raises(StoppedError, match="timed out") as caught:
        job.run()
    assert caught.value.code == 8
    assert told.sentences[:1] == ["The link is slow or lost; it is tried again for up to 1 minute."]
    source.before_request = lambda told, start, length: None
    job.stop = StopSignal()
    assert job.run().findings == []
    assert read_chain(job.target) == files


def breaking(path: str) -> Callable[[Object, int], None]:
    def break_off(told: Object, _at: int) -> None:
        if told.path == path:
            raise UnreachableError("Input/output error", role=Role.SOURCE)

    return break_off


def test_a_file_on_a_damaged_sector_is_given_up_and_the_others_come(tmp_path: Path) -> None:
    source = Watched(folder_source(write(tmp_path / "abroad", FILES)), before_chunk=breaking("it"))
    told = Told()  # it is the first to be read, and all reads that run at once are of it
    job = Job([source], tmp_path / "state", progress=told)
    [found] = job.run().findings
    assert (found.path, found.kind) == ("it", FindingKind.FAILED)
    assert told.sentences == []
    assert read_chain(job.target) == BESIDE
