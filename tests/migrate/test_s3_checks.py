"""Copies from and to S3 services that damage what they hold: what checksums and reading back find."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repatria.bundle.chain import Chain
from repatria.errors import Role
from repatria.model import FindingKind
from repatria.source.checksums import running_checksum
from repatria.source.objects import Selection, StoreSource
from repatria.store.s3 import S3Store
from tests.faults.making import fill
from tests.migrate.making import Job, Watched, folder_source, noise, write
from tests.servers import BUCKET, Server
from tests.store.meddling import Answer, Asked, Meddler
from tests.work.making import MIB, read_chain, verify

ETAG = re.compile(rb"[0-9a-f]{32}")

FILES = {f"d{number % 3}/f{number}": noise(1 + number * 997) for number in range(20)}


@pytest.fixture
def meddler(rclone_s3: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meddler]:
    rclone_s3.use(monkeypatch)
    with Meddler(str(rclone_s3.endpoint)) as made:
        yield made


@pytest.fixture
def place(rclone_s3: Server) -> str:
    return rclone_s3.new_place()


def store_at(meddler: Meddler, place: str, role: Role) -> S3Store:
    return S3Store(BUCKET, place.removeprefix(f"s3://{BUCKET}/"), endpoint=meddler.endpoint, profile="test", role=role)


@pytest.fixture
def source(meddler: Meddler, place: str) -> Iterator[StoreSource]:
    abroad = store_at(meddler, place, Role.TARGET)
    for path, data in FILES.items():
        abroad.put(path, [data], len(data))
    abroad.close()
    made = StoreSource(store_at(meddler, place, Role.SOURCE), place, Selection())
    yield made
    made.close()


def test_every_checksum_that_the_source_keeps_is_compared_and_counted(source: StoreSource, tmp_path: Path) -> None:
    job = Job([source], tmp_path / "state")
    assert job.run().findings == []
    assert Chain.load(job.target, "d").head.statement.checksums_compared == len(FILES)


def test_bytes_that_are_not_those_of_the_checksum_are_fetched_again_then_a_finding(
    meddler: Meddler, source: StoreSource, tmp_path: Path
) -> None:
    def rot(asked: Asked) -> Answer | None:
        if asked.method == "GET" and asked.path.endswith(("d1/f7", "d2/f8")):
            headers = {name: value for name, value in meddler.fetched(asked).headers.items()}
            if asked.path.endswith("f8") and sum(each.path == asked.path for each in meddler.asked) > 1:
                return None  # the second reading comes as it should
            body = meddler.fetched(asked).body
            return Answer(200, bytes([body[0] ^ 1]) + body[1:], headers)
        return None

    meddler.meddle = rot
    job = Job([source], tmp_path / "state")
    result = job.run()
    assert [(each.kind, each.path) for each in result.findings] == [(FindingKind.FAILED, "d1/f7")]
    assert "md5" in result.findings[0].detail
    assert read_chain(job.target) == {path: data for path, data in FILES.items() if path != "d1/f7"}


def strange(etag: re.Match[bytes]) -> bytes:
    """Return another 32 hexadecimal digits, as a gateway that encrypts may give."""
    return etag[0][::-1]


def telling(
    meddler: Meddler, asked: Asked, etag: Callable[[re.Match[bytes]], bytes], **checksums: str
) -> Answer | None:
    """Return what the service says, with other ETags, and with checksums that it keeps."""
    if asked.method not in {"GET", "HEAD"}:
        return None
    answer = meddler.fetched(asked)
    headers = {name: value for name, value in answer.headers.items() if "checksum" not in name.lower()}
    if "Etag" in headers:
        headers["Etag"] = ETAG.sub(etag, headers["Etag"].encode()).decode()
        if "x-amz-checksum-mode" in asked.headers and "Content-Range" not in headers:
            headers |= {f"x-amz-checksum-{name}": value for name, value in checksums.items()}
        return Answer(answer.status, answer.body, headers)
    return Answer(answer.status, ETAG.sub(etag, answer.body), headers)


def test_etags_that_are_no_md5s_are_no_findings_and_cost_one_small_object(
    meddler: Meddler, source: StoreSource, tmp_path: Path
) -> None:
    meddler.meddle = lambda asked: telling(meddler, asked, strange)
    watched = Watched(source)
    job = Job([watched], tmp_path / "state")
    assert job.run().findings == []
    assert read_chain(job.target) == FILES
    assert verify(job.target, job.state) == []
    assert Chain.load(job.target, "d").head.statement.checksums_compared == 0
    assert watched.fetched <= sum(map(len, FILES.values())) + max(map(len, FILES.values()))


@pytest.mark.parametrize("size", [1_000, 3 * MIB], ids=["whole", "in ranges"])
@pytest.mark.parametrize("algorithm", ["crc64nvme", "crc32c", "crc32", "sha1", "sha256"])
def test_checksums_that_were_made_to_be_some_are_compared_whatever_the_etag(
    meddler: Meddler, rclone_s3: Server, tmp_path: Path, algorithm: str, size: int
) -> None:
    place, data = rclone_s3.new_place(), noise(size)
    fill(rclone_s3, place, {"it": data})
    running = running_checksum(algorithm) or hashlib.sha256()
    running.update(data)
    kept = {algorithm: base64.b64encode(bytes.fromhex(running.hexdigest())).decode(), "type": "FULL_OBJECT"}
    meddler.meddle = lambda asked: telling(meddler, asked, lambda etag: etag[0][:-1] + b"-", **kept)
    source = StoreSource(store_at(meddler, place, Role.SOURCE), place, Selection())
    job = Job([source], tmp_path / "state")
    assert job.run().findings == []
    assert Chain.load(job.target, "d").head.statement.checksums_compared == 1
    fill(rclone_s3, place, {"it": data[::-1]})
    result = job.run()
    assert [(each.kind, each.path) for each in result.findings] == [(FindingKind.FAILED, "it")]
    assert algorithm in result.findings[0].detail
    assert read_chain(job.target) == {"it": data}
    source.close()


def test_a_volume_that_the_target_damages_goes_there_again_under_another_number(
    meddler: Meddler, place: str, tmp_path: Path
) -> None:
    damaged: list[str] = []

    def damage(asked: Asked) -> None:
        if asked.method == "PUT" and "/vol-" in asked.path and not damaged:
            damaged.append(asked.path)
            asked.body = asked.body[:-1] + bytes([asked.body[-1] ^ 1])

    meddler.meddle = damage
    target = store_at(meddler, place, Role.TARGET)
    job = Job([folder_source(write(tmp_path / "abroad", FILES))], tmp_path / "state", target)
    job.run()
    assert read_chain(job.target) == FILES
    [left] = verify(job.target, job.state)
    assert "data/vol-000001.tar.age" in left
    assert "nobody signed for it" in left
    assert len(damaged) == 1
    target.close()
