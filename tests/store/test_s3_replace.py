"""Replacing an object of a bucket: what the shared contract does not cover."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from repatria.errors import RefusedError
from repatria.store import s3_put
from repatria.store.s3 import S3Store
from tests.servers import BUCKET, Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def moto(moto_s3: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    return moto_s3.use(monkeypatch)


@pytest.fixture
def client(moto: Server) -> "S3Client":
    return boto3.session.Session(profile_name="test").client("s3", endpoint_url=moto.endpoint)


def replace(store: S3Store, path: str, data: bytes) -> None:
    store.replace(path, [data], len(data), hashlib.sha256(data).digest())


def read(store: S3Store, path: str) -> bytes:
    with store.read(path) as reading:
        return b"".join(reading.chunks)


@pytest.mark.parametrize("lock", ["retention", "legal hold"])
def test_a_locked_object_is_refused_before_anything_is_put(moto: Server, client: "S3Client", lock: str) -> None:
    bucket = f"locked-{lock.replace(' ', '-')}"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    store = S3Store(bucket, "vault", endpoint=moto.endpoint, profile="test")
    store.put("a", [b"old"], 3)
    if lock == "retention":
        until = datetime.now(UTC) + timedelta(days=1)
        client.put_object_retention(
            Bucket=bucket, Key="vault/a", Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until}
        )
    else:
        client.put_object_legal_hold(Bucket=bucket, Key="vault/a", LegalHold={"Status": "ON"})
    with pytest.raises(RefusedError, match="Object Lock") as caught:
        replace(store, "a", b"new")
    assert caught.value.code == 5
    assert read(store, "a") == b"old"
    assert [each["Key"] for each in client.list_object_versions(Bucket=bucket)["Versions"]] == ["vault/a"]


def test_what_was_put_in_parts_is_read_back_after_the_copy_too(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_put, "SINGLE_PUT", 1 << 20)
    monkeypatch.setattr(s3_put, "PART", 5 << 20)
    store = S3Store(BUCKET, moto.new_place().removeprefix(f"s3://{BUCKET}/"), endpoint=moto.endpoint, profile="test")
    store.put("a", [b"old"], 3)
    data = bytes(range(256)) * (7 << 12)
    replace(store, "a", data)
    assert read(store, "a") == data
    assert [each.path for each in store.list()] == ["a"]
