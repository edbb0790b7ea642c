"""What runs that were cut off left in stores of every kind."""

import fcntl
import os
import time
from pathlib import Path

import boto3
import pytest

from repatria.errors import Role
from repatria.store.leftovers import leftovers_at, remove_leftover
from repatria.store.local import LocalStore
from repatria.store.memory import MemoryStore
from repatria.store.registry import open_store
from tests.servers import ACCESS_KEY, BUCKET, SECRET_KEY, Server


def half_written(folder: Path, name: str = "half", hours: float = 48) -> Path:
    file = folder / ".repatria-tmp" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"half")
    moment = time.time() - hours * 3600
    os.utime(file, (moment, moment))
    return file


def test_a_folder_of_this_machine(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert leftovers_at(store) == []
    old, young, held = half_written(tmp_path), half_written(tmp_path, "young", 0), half_written(tmp_path, "held")
    with held.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        (left,) = leftovers_at(store)
    assert (left.path, left.size) == (".repatria-tmp/half", 4)
    remove_leftover(store, left)
    remove_leftover(store, left)
    assert not old.exists()
    assert young.exists()


def test_a_link_in_place_of_the_folder_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    outside = half_written(tmp_path / "other")
    (tmp_path / "root/.repatria-tmp").symlink_to(outside.parent)
    assert leftovers_at(LocalStore(tmp_path / "root")) == []
    assert outside.exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert leftovers_at(LocalStore(tmp_path / "none")) == []
    assert leftovers_at(MemoryStore()) == []


def test_a_folder_over_ssh(sshd: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = sshd.use(monkeypatch).new_place()
    assert sshd.folder is not None
    old = half_written(sshd.folder / uri.rpartition("/")[2])
    half_written(old.parent.parent, "young", 1)
    store = open_store(uri, role=Role.TARGET)
    try:
        (left,) = leftovers_at(store)
        assert (left.path, left.size) == (".repatria-tmp/half", 4)
        remove_leftover(store, left)
        assert not old.exists()
        assert leftovers_at(store) == []
    finally:
        store.close()


def test_uploads_in_a_bucket(moto_s3: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = moto_s3.use(monkeypatch).new_place()
    place = uri.removeprefix(f"s3://{BUCKET}/")
    client = boto3.client(
        "s3",
        endpoint_url=moto_s3.endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
    )
    store = open_store(uri, endpoint=moto_s3.endpoint, profile=moto_s3.profile, role=Role.TARGET)
    try:
        for key in (f"{place}/d/b/é +1", f"{place}-other/x"):
            client.create_multipart_upload(Bucket=BUCKET, Key=key)
        (left,) = leftovers_at(store)
        assert left.path == "d/b/é +1", "not those of other places"
        assert left.begun_ns is not None
        remove_leftover(store, left)
        remove_leftover(store, left)
        assert leftovers_at(store) == []
        kept = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        assert f"{place}-other/x" in [each["Key"] for each in kept]
    finally:
        store.close()
        client.close()
