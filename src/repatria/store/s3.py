"""Buckets: `s3://`, on AWS and on the services that speak its protocol.

Services differ: some ignore `If-Match` and `If-None-Match` (rclone's), some ignore checksums (Ceph's gateway over plain
HTTP). What a read or a put relies on is therefore checked here as well: the ETag and range of each reply, and a look
before each put.
"""

import base64
import contextlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError

from repatria.errors import Role, StoreError, UsageError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.store import failures
from repatria.store.base import Buffer, Reading
from repatria.store.paths import UnholdableNameError
from repatria.store.resuming import Resuming
from repatria.store.s3_client import CONNECTIONS, Service, make_client, of_connection, reply_of, service_of, told
from repatria.store.s3_put import Putter, TakenError
from repatria.store.s3_replace import LockedKeyError, NotKeptError, Replacer

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

PAGE = 1000
"""Objects listed in one reply: as many as S3 gives."""
LONGEST_KEY = 1024
CHUNK = 1 << 20
"""Bytes read at a time."""
_BUCKET = re.compile(r"[a-zA-Z0-9.\-_]{1,255}|arn:.+")
_MD5 = re.compile(r"[0-9a-f]{32}")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class S3Store:
    """The objects of a bucket whose keys start with a prefix and `/`, or all of them.

    An empty directory is kept as an empty object whose key ends in `/`, as S3 consoles do; symlinks cannot be kept.
    Object tags are not fetched: each object would need a request of its own.
    """

    reads_at_once = CONNECTIONS

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint: str | None = None,
        profile: str | None = None,
        role: Role = Role.TARGET,
        service: Service | None = None,
    ) -> None:
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(
                _("{bucket} is no name of a bucket.").format(bucket=bucket or "s3://"),
                advice=_("A bucket's URI looks like s3://bucket/path."),
            )
        prefix = prefix.removesuffix("/")
        self.uri = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        self.role = role
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._connect = partial(make_client, endpoint, profile)
        self._service = service
        self._lock = threading.Lock()
        self._putter: Putter | None = None
        self._replacer: Replacer | None = None

    def list(self, prefix: str = "", *, enter: Callable[[str], bool] | None = None) -> Iterator[Object]:  # noqa: ARG002 -- a bucket has no folders
        """Yield objects in order of their keys, a page at a time."""
        paginator = self._client.get_paginator("list_objects_v2")
        pages = iter(
            paginator.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix, PaginationConfig={"PageSize": PAGE})
        )
        while True:
            with self._told(prefix):
                page = next(pages, None)
            if page is None:
                return
            for entry in page.get("Contents", []):
                path = entry["Key"][len(self._prefix) :]
                if path or entry["Size"]:  # an empty object at the prefix itself marks the root, and is none of it
                    version = _version(entry.get("ETag", ""))
                    yield Object(path, entry["Size"], _nanoseconds(entry["LastModified"]), version)

    def stat(self, path: str) -> Object:
        """Return what HEAD tells of one object."""
        with self._told(path):
            reply = self._client.head_object(Bucket=self._bucket, Key=self._key_to_read(path))
        return _object(path, reply, reply["ContentLength"])

    def read(self, path: str, start: int = 0, length: int | None = None, *, version: str | None = None) -> Reading:
        """Read with one request; if the reply breaks off, another takes it up there, pinned to the same version."""
        if length == 0 or (start and length is None):
            # An empty range, and one that begins at the end, are no ranges to HTTP.
            found = self.stat(path)
            if version not in {None, found.version} or start > found.size:
                raise failures.changed(path, self.uri, self.role)
            if length == 0 or start == found.size:
                return Reading(found, iter(()))
            version = found.version
        found, body = self._get(path, start, length, version)
        stop = found.size if length is None else start + length
        if stop > found.size:
            body.close()
            raise failures.changed(path, self.uri, self.role)

        def reopen(at: int) -> "_Body":
            rest = self._get(path, at, stop - at, found.version)[1]
            return _Body(rest, stop - at, partial(self._lost, path))

        return Reading(found, Resuming(_Body(body, stop - start, partial(self._lost, path)), start, reopen))

    def put(self, path: str, data: Iterable[Buffer], size: int, *, like: Object | None = None) -> None:
        """Put in one request or in parts; the service shows the object when it has all of it."""
        if like and like.kind is ObjectKind.DIRECTORY:
            path, data, size = f"{path}/", (), 0
        elif like and like.kind is not ObjectKind.FILE:
            raise failures.unholdable(path, self.uri, self.role, _("it holds files only"))
        key = self._key(path)
        try:
            with self._told(path):
                self._open().put(key, data, size, like)
        except TakenError as error:
            raise failures.already_exists(path, self.uri, self.role) from error

    def replace(self, path: str, data: Iterable[Buffer], size: int, sha256: bytes) -> None:
        """Put aside, read back, then have the service copy it over the key; a locked object is refused first."""
        putter = self._open()
        with self._lock:
            self._replacer = replacer = self._replacer or Replacer(putter, self._prefix)
        try:
            with self._told(path):
                replacer.replace(self._key(path), data, size, sha256)
        except LockedKeyError as error:
            raise failures.locked(path, self.uri, self.role) from error
        except NotKeptError as error:
            raise failures.not_kept(self.uri, self.role) from error

    def delete(self, path: str) -> None:
        """Delete the object (in a bucket that keeps versions, its latest)."""
        with self._told(path):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(path))

    def close(self) -> None:
        """End the connections."""
        if self._putter is not None:
            self._client.close()

    def _open(self) -> Putter:
        with self._lock:
            if self._putter is None:
                with self._told(""):
                    client = self._connect()
                service = self._service or service_of(client.meta.endpoint_url)
                self._putter = Putter(client, self._bucket, service)
            return self._putter

    @property
    def _client(self) -> "S3Client":
        return self._open().client

    def _told(self, path: str) -> contextlib.AbstractContextManager[None]:
        return told(path, self.uri, self.role)

    def _lost(self, path: str, error: BotoCoreError | None) -> StoreError:
        """Return the error for a reply that broke off, or ended before it was whole."""
        return of_connection(error or ConnectionClosedError(endpoint_url=""), path, self.uri, self.role)

    def _key(self, path: str) -> str:
        key = self._prefix + path
        try:
            long = len(key.encode()) > LONGEST_KEY
        except UnicodeEncodeError:
            raise failures.unholdable(path, self.uri, self.role, _("it is not UTF-8")) from None
        if long or not path or "\0" in path:
            raise failures.unholdable(path, self.uri, self.role, _("it is no name for S3"))
        return key

    def _key_to_read(self, path: str) -> str:
        try:
            return self._key(path)
        except UnholdableNameError as error:
            raise failures.not_found(path, self.uri, self.role) from error

    def _get(self, path: str, start: int, length: int | None, version: str | None) -> "tuple[Object, StreamingBody]":
        """Ask for a range; return what the reply tells of the whole object, and its body."""
        options: dict[str, Any] = {"ChecksumMode": "ENABLED"} if self._open().service.checksums else {}
        if start or length is not None:
            options["Range"] = f"bytes={start}-" if length is None else f"bytes={start}-{start + length - 1}"
        if version is not None:
            options["IfMatch"] = version if version.startswith("W/") else f'"{version}"'
        try:
            with self._told(path):
                reply = self._client.get_object(Bucket=self._bucket, Key=self._key_to_read(path), **options)
        except StoreError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and reply_of(cause)[1] in {412, 416}:
                raise failures.changed(path, self.uri, self.role) from cause
            raise
        answered_from, size = _span_of(reply)
        found = _object(path, reply, size)
        if answered_from != start or version not in {None, found.version}:
            reply["Body"].close()
            raise failures.changed(path, self.uri, self.role) if answered_from == start else self._no_ranges()
        return found, reply["Body"]

    def _no_ranges(self) -> StoreError:
        message = _("{store} does not give parts of objects; Repatria needs a service that does.")
        return StoreError(message.format(store=self.uri), role=self.role)


class _Body:
    """The `length` bytes that one reply has yet to give."""

    def __init__(self, body: "StreamingBody", length: int, lost: Callable[[BotoCoreError | None], StoreError]) -> None:
        self._body = body
        self._left = length
        self._lost = lost

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        try:
            chunk: bytes = self._body.read(min(CHUNK, self._left))
        except BotoCoreError as error:
            raise self._lost(error) from error
        if not chunk:
            raise self._lost(None)
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        """Let go of the connection; one that was not read to its end is not used again."""
        self._body.close()


def _span_of(reply: Mapping[str, Any]) -> tuple[int, int]:
    """Return where a reply's bytes begin and the size of the whole object.

    Content-Range is asked, not the status: rclone's server gives ranges with 200.
    """
    match = _RANGE.fullmatch(reply.get("ContentRange", ""))
    return (int(match[1]), int(match[3])) if match else (0, reply["ContentLength"])


def _object(path: str, reply: Mapping[str, Any], size: int) -> Object:
    return Object(
        path,
        size,
        mtime_ns=_nanoseconds(reply["LastModified"]),
        version=_version(reply.get("ETag", "")),
        content_type=reply.get("ContentType"),
        metadata={name.lower(): value for name, value in reply.get("Metadata", {}).items()},
        checksum=checksum_of(reply),
    )


def checksum_of(reply: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the checksum of the whole object that a reply vouches for, None if there is none that we can compute.

    Of several parts there are only checksums of checksums (`-N`). An ETag is the MD5 of a single part, unless the
    object is encrypted with a key of KMS or of the customer (Amazon S3 API reference, Object: ETag).
    """
    if reply.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        for name in ("sha256", "sha1"):
            value = reply.get(f"Checksum{name.upper()}", "")
            if value and "-" not in value:
                return name, base64.b64decode(value).hex()
    etag = _version(reply.get("ETag", ""))
    plain = reply.get("ServerSideEncryption", "AES256") == "AES256" and not reply.get("SSECustomerAlgorithm")
    return ("md5", etag) if plain and _MD5.fullmatch(etag) else None


def _version(etag: str) -> str:
    return etag if etag.startswith("W/") else etag.strip('"')


def _nanoseconds(moment: datetime) -> int:
    """Return whole seconds: some services tell more in a listing than in a reply."""
    return int(moment.timestamp()) * 1_000_000_000
