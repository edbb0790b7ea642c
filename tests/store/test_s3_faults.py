"""Services that trip, ponder, lie or forget: a real one with a meddling proxy before it."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from repatria.bundle.writer import BundleWriter
from repatria.errors import (
    AlreadyExistsError,
    NotFoundError,
    RefusedError,
    StoreError,
    ThrottledError,
    UnreachableError,
)
from repatria.store import resuming, s3_exchange, s3_http, s3_put
from repatria.store.s3 import S3Store
from tests.servers import ACCESS_KEY, BUCKET, SECRET_KEY, Server, aws_environment
from tests.store.meddling import Answer, Asked, Meddler, error

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DATA = bytes(range(256)) * 60_000


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long requests waited before another try; nobody really waits."""
    waited: list[float] = []
    monkeypatch.setattr(s3_exchange, "sleep", waited.append)
    monkeypatch.setattr(resuming, "FIRST_PAUSE", 0)
    return waited


@pytest.fixture
def moto(moto_s3: Server, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> Iterator[Meddler]:
    moto_s3.use(monkeypatch)
    with Meddler(str(moto_s3.endpoint)) as meddler:
        yield meddler


@pytest.fixture
def rclone(rclone_s3: Server, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> Iterator[Meddler]:
    rclone_s3.use(monkeypatch)
    with Meddler(str(rclone_s3.endpoint)) as meddler:
        yield meddler


@pytest.fixture
def client(moto_s3: Server) -> "S3Client":
    return boto3.client(
        "s3", "us-east-1", endpoint_url=moto_s3.endpoint, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY
    )


@pytest.fixture
def store(moto: Meddler, request: pytest.FixtureRequest) -> Iterator[S3Store]:
    made = at(moto, request.node.name)
    yield made
    made.close()


def at(meddler: Meddler, place: str) -> S3Store:
    return S3Store(
        BUCKET, f"faults-{hashlib.sha256(place.encode()).hexdigest()[:8]}", endpoint=meddler.endpoint, profile="test"
    )


def read(store: S3Store, path: str) -> bytes:
    with store.read(path) as reading:
        return b"".join(reading.chunks)


def first(method: str, answer: Answer, times: int = 1) -> "Meddling":
    return Meddling(method, answer, times)


class Meddling:
    """Answers the first requests of one kind by itself."""

    def __init__(self, method: str, answer: Answer, times: int) -> None:
        self._method = method
        self._answer = answer
        self._left = times

    def __call__(self, asked: Asked) -> Answer | None:
        if asked.method != self._method or not self._left:
            return None
        self._left -= 1
        return self._answer


class TestTrippingServices:
    @pytest.mark.parametrize("status", [500, 502, 504, 408])
    def test_are_asked_again(self, moto: Meddler, store: S3Store, status: int, pauses: list[float]) -> None:
        moto.meddle = first("PUT", Answer(status, error("InternalError")), 2)
        store.put("a", [b"data"], 4)
        moto.meddle = first("GET", Answer(status, error("InternalError")), 4)
        assert read(store, "a") == b"data"
        assert len(pauses) == 6
        assert all(pause <= 2 ** (number % 4) for number, pause in enumerate(pauses))

    def test_are_not_asked_for_ever(self, moto: Meddler, store: S3Store, pauses: list[float]) -> None:
        moto.meddle = first("GET", Answer(500, error("InternalError")), 99)
        with pytest.raises(UnreachableError):
            read(store, "a")
        assert len(pauses) == s3_exchange.TRIES - 1

    def test_have_the_time_they_ask_for(self, moto: Meddler, store: S3Store, pauses: list[float]) -> None:
        store.put("a", [b"data"], 4)
        moto.meddle = first("GET", Answer(503, error("SlowDown"), {"Retry-After": "7"}))
        assert read(store, "a") == b"data"
        assert 7 < pauses[0] < 8

    @pytest.mark.parametrize(("status", "code"), [(429, "TooManyRequests"), (503, "SlowDown"), (400, "SlowDown")])
    def test_that_ask_for_less_are_told_of_soon(
        self, moto: Meddler, store: S3Store, pauses: list[float], status: int, code: str
    ) -> None:
        moto.meddle = first("GET", Answer(status, error(code), {"Retry-After": "86400"}), 99)
        with pytest.raises(ThrottledError) as caught:
            read(store, "a")
        assert pauses == []  # who asks has to hear of so long a pause
        assert caught.value.pause == 86400

    def test_refusals_are_no_accidents(self, moto: Meddler, store: S3Store, pauses: list[float]) -> None:
        moto.meddle = first("GET", Answer(403, error("AccessDenied")), 99)
        with pytest.raises(RefusedError, match="AccessDenied"):
            read(store, "a")
        assert pauses == []

    def test_answers_that_are_no_s3_are_said_to_be_none(self, moto: Meddler, store: S3Store) -> None:
        moto.meddle = first("GET", Answer(200, b"<html>Welcome to the hotel's network</html>"), 99)
        with pytest.raises(StoreError):
            list(store.list())

    def test_no_secret_is_ever_in_an_error(self, moto: Meddler, store: S3Store) -> None:
        moto.meddle = first("GET", Answer(403, error("AccessDenied")), 99)
        with pytest.raises(RefusedError) as caught:
            read(store, "a")
        shown: BaseException | None = caught.value
        while shown is not None:
            assert SECRET_KEY not in f"{shown!r} {vars(shown)}"
            assert "Signature=" not in f"{shown!r} {vars(shown)}"
            shown = shown.__cause__ or shown.__context__


class TestStalls:
    def test_a_reply_that_stalls_is_taken_up_on_another_connection(
        self, moto: Meddler, store: S3Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.put("a", [DATA], len(DATA))
        found = store.stat("a")
        monkeypatch.setattr(s3_http, "STALL_SECONDS", 0.3)
        headers = {"Content-Length": str(len(DATA)), "ETag": f'"{found.version}"'}
        stall = threading.Event()
        moto.meddle = first("GET", Answer(200, DATA, {**headers, "Last-Modified": LATELY}, stall))
        assert read(store, "a") == DATA
        stall.set()
        assert [asked.headers.get("range", "").partition("-")[0] for asked in moto.asked if asked.method == "GET"] == [
            "",
            f"bytes={len(DATA) // 2}",
        ]

    def test_a_service_that_does_not_answer_is_asked_again(
        self, moto: Meddler, store: S3Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.put("a", [b"data"], 4)
        monkeypatch.setattr(s3_http, "STALL_SECONDS", 0.2)
        waiting = threading.Event()

        def ponder(asked: Asked) -> None:
            if asked.method == "GET" and not waiting.is_set():
                waiting.set()
                threading.Event().wait(0.6)

        moto.meddle = ponder
        assert read(store, "a") == b"data"

    def test_a_service_may_ponder_what_it_was_given(
        self, moto: Meddler, store: S3Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(s3_http, "STALL_SECONDS", 0.2)

        def ponder(asked: Asked) -> None:
            if asked.method == "PUT":
                threading.Event().wait(0.5)

        moto.meddle = ponder
        store.put("a", [b"data"], 4)
        assert [asked.method for asked in moto.asked].count("PUT") == 1


LATELY = "Tue, 30 Jan 2024 20:00:00 GMT"


class TestPutsThatFailAfterTheBytesWereTaken:
    def test_are_there_already_when_tried_again(self, moto: Meddler, store: S3Store) -> None:
        def forget(asked: Asked) -> Answer | None:
            if asked.method != "PUT":
                return None
            moto.fetched(asked)
            moto.meddle = lambda later: None
            return Answer(500, error("InternalError"))

        moto.meddle = forget
        with pytest.raises(AlreadyExistsError):
            store.put("a", [b"data"], 4)
        assert read(store, "a") == b"data"

    def test_are_no_failure_to_who_reads_back(self, moto: Meddler, store: S3Store) -> None:
        def forget(asked: Asked) -> Answer | None:
            if asked.method != "PUT":
                return None
            moto.fetched(asked)
            moto.meddle = lambda later: None
            return Answer(500, error("InternalError"))

        moto.meddle = forget
        BundleWriter(store, "d", "b").put("statement.json", b"{}")
        assert read(store, "d/b/statement.json") == b"{}"


class TestTargetsThatDamage:
    def test_what_they_were_sent_are_found_out_by_reading_back(self, rclone: Meddler) -> None:
        store = at(rclone, "damage")

        def damage(asked: Asked) -> None:
            if asked.method == "PUT":
                asked.body = b"\xff" + asked.body[1:]

        rclone.meddle = damage
        writer = BundleWriter(store, "d", "b")
        writer.put("data/vol-000001.tar.age", DATA)
        assert not writer.read_back("data/vol-000001.tar.age", hashlib.sha256(DATA).digest(), len(DATA))
        store.close()

    def test_what_nobody_reads_back_are_found_out_by_its_md5(self, rclone: Meddler) -> None:
        store = at(rclone, "md5")

        def damage(asked: Asked) -> None:
            if asked.method == "PUT":
                asked.body = b"\xff" + asked.body[1:]

        rclone.meddle = damage
        with pytest.raises(UnreachableError, match="BadDigest"):
            store.put("a", [b"data"], 4)
        rclone.meddle = lambda asked: None
        with pytest.raises(NotFoundError):
            store.stat("a")
        store.close()


class TestTheEndOfAnUploadInParts:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s3_put, "SINGLE_PUT", 6 << 20)
        monkeypatch.setattr(s3_put, "PART", 5 << 20)

    @staticmethod
    def ends(asked: Asked) -> bool:
        return asked.method == "POST" and "uploadId" in asked.path

    def test_that_fails_with_200_is_tried_again(self, moto: Meddler, store: S3Store) -> None:
        left = [Answer(200, error("InternalError")), Answer(200, b"\n  " + error("SlowDown"))]
        moto.meddle = lambda asked: left.pop() if left and self.ends(asked) else None
        store.put("a", [DATA], len(DATA))
        assert read(store, "a") == DATA

    def test_that_fails_for_good_leaves_nothing(self, moto: Meddler, store: S3Store, client: "S3Client") -> None:
        moto.meddle = lambda asked: Answer(200, error("InternalError")) if self.ends(asked) else None
        with pytest.raises(UnreachableError, match="InternalError"):
            store.put("a", [DATA], len(DATA))
        assert list(store.list()) == []
        assert "Uploads" not in client.list_multipart_uploads(
            Bucket=BUCKET, Prefix=store.uri.removeprefix(f"s3://{BUCKET}/")
        )

    def test_that_succeeded_although_the_reply_was_lost(self, moto: Meddler, store: S3Store) -> None:
        def forget(asked: Asked) -> Answer | None:
            if not self.ends(asked):
                return None
            moto.fetched(asked)
            moto.meddle = first("POST", Answer(404, error("NoSuchUpload")))
            return Answer(500, error("InternalError"))

        moto.meddle = forget
        with pytest.raises(AlreadyExistsError):
            store.put("a", [DATA], len(DATA))
        assert read(store, "a") == DATA

    def test_parts_that_a_killed_run_left_are_dropped(self, store: S3Store, client: "S3Client") -> None:
        prefix = store.uri.rpartition("/")[2]
        for key in (f"{prefix}/é a", f"{prefix}/é abc"):
            upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
            client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=b"x")
        store.put("é a", [DATA], len(DATA))
        left = client.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix)["Uploads"]
        assert [upload["Key"] for upload in left] == [f"{prefix}/é abc"]
        client.abort_multipart_upload(Bucket=BUCKET, Key=left[0]["Key"], UploadId=left[0]["UploadId"])


class TestServicesThatWantMore:
    def test_a_content_md5_is_sent_where_it_is_asked_for(self, moto: Meddler, store: S3Store) -> None:
        def insist(asked: Asked) -> Answer | None:
            if asked.method == "PUT" and "content-md5" not in asked.headers:
                return Answer(400, error("InvalidRequest"))
            return None

        moto.meddle = insist
        known = hashlib.sha256(b"data").digest()
        for path in ("a", "b"):
            store.put(path, [b"data"], 4, sha256=known)
        assert ["content-md5" in asked.headers for asked in moto.asked if asked.method == "PUT"] == [False, True, True]


class TestMoving:
    def test_a_bucket_of_another_region_is_asked_there(self, moto: Meddler, store: S3Store) -> None:
        def move(asked: Asked) -> Answer | None:
            if "/eu-west-3/" in asked.headers["authorization"]:
                return None
            return Answer(301, error("PermanentRedirect"), {"x-amz-bucket-region": "eu-west-3"})

        moto.meddle = move
        store.put("a", [b"data"], 4)
        assert read(store, "a") == b"data"
        assert ["/eu-west-3/" in asked.headers["authorization"] for asked in moto.asked].count(False) == 1

    def test_a_bucket_that_is_nowhere_is_not_looked_for_for_ever(self, moto: Meddler, store: S3Store) -> None:
        regions = iter(f"region-{number}" for number in range(99))
        moto.meddle = lambda asked: Answer(301, error("PermanentRedirect"), {"x-amz-bucket-region": next(regions)})
        with pytest.raises(RefusedError, match="another region"):
            list(store.list())
        assert len(moto.asked) == 2

    def test_a_key_that_expired_is_read_anew(
        self, moto: Meddler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in aws_environment(tmp_path, "old").items():
            monkeypatch.setenv(name, value)
        store = S3Store(BUCKET, endpoint=moto.endpoint, profile="test")

        def expire(asked: Asked) -> Answer | None:
            if "Credential=new/" in asked.headers["authorization"]:
                return None
            return Answer(400, error("ExpiredToken"))

        moto.meddle = expire
        with pytest.raises(RefusedError, match="ExpiredToken"):
            store.stat("a")
        aws_environment(tmp_path, "new")
        with pytest.raises(NotFoundError):
            store.stat("a")
        store.close()
