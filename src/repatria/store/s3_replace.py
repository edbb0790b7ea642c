"""Putting one object of a bucket in the place of another: proven aside first, then copied over it by the service."""

import contextlib
import hashlib
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from repatria.store.base import Buffer
from repatria.store.local_files import STALE_AFTER
from repatria.store.paths import ASIDE
from repatria.store.s3_put import Putter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE = 1 << 20


class LockedKeyError(Exception):
    """The object that is to be replaced is under Object Lock."""


class NotKeptError(Exception):
    """What was put does not come back as it was."""


@dataclass(slots=True)
class Replacer:
    """Replaces objects of one bucket; raises the client's exceptions, LockedKeyError and NotKeptError.

    An object appears whole under its key, whatever is cut off: a killed run leaves at most a copy aside, which a later
    run removes after a day.
    """

    putter: Putter
    prefix: str
    """That of the store, with its slash."""
    _swept: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def _client(self) -> "S3Client":
        return self.putter.client

    def replace(self, key: str, data: Iterable[Buffer], size: int, sha256: bytes) -> None:
        """Put `size` bytes under a key that is taken; a client's 404 if it is not."""
        self._refuse_locked(key)
        self._sweep()
        aside = f"{self.prefix}{ASIDE}/{secrets.token_hex(16)}"
        try:
            self.putter.put(aside, data, size, None)
            self._require(aside, sha256)
            self._copy(aside, key, sha256)
        finally:
            with contextlib.suppress(ClientError, BotoCoreError):
                self._client.delete_object(Bucket=self.putter.bucket, Key=aside)

    def _refuse_locked(self, key: str) -> None:
        """Raise LockedKeyError where a service would keep the old bytes, under this key or as a version of it."""
        told = self._client.head_object(Bucket=self.putter.bucket, Key=key)
        until = told.get("ObjectLockRetainUntilDate")
        if told.get("ObjectLockLegalHoldStatus") == "ON" or (until is not None and until > datetime.now(UTC)):
            raise LockedKeyError

    def _copy(self, aside: str, key: str, sha256: bytes) -> None:
        proven = self._client.head_object(Bucket=self.putter.bucket, Key=aside)["ETag"]
        self._client.copy_object(
            Bucket=self.putter.bucket, Key=key, CopySource={"Bucket": self.putter.bucket, "Key": aside}
        )
        if self._client.head_object(Bucket=self.putter.bucket, Key=key)["ETag"] != proven:
            self._require(key, sha256)  # a copy of several parts has another ETag than they: only its bytes tell

    def _require(self, key: str, sha256: bytes) -> None:
        """Read an object back; NotKeptError unless it has that digest."""
        digest = hashlib.sha256()
        with contextlib.closing(self._client.get_object(Bucket=self.putter.bucket, Key=key)["Body"]) as body:
            for chunk in body.iter_chunks(_PIECE):
                digest.update(chunk)
        if digest.digest() != sha256:
            raise NotKeptError

    def _sweep(self) -> None:
        """Once, remove what killed runs left aside."""
        with self._lock:
            swept, self._swept = self._swept, True
        if swept:
            return
        oldest = datetime.now(UTC) - timedelta(seconds=STALE_AFTER)
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.putter.bucket, Prefix=f"{self.prefix}{ASIDE}/"):
            for entry in page.get("Contents", []):
                if entry["LastModified"] < oldest:
                    self._client.delete_object(Bucket=self.putter.bucket, Key=entry["Key"])
