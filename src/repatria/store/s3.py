"""Buckets: `s3://`, on AWS and on the services that speak its protocol.

Services differ: some ignore `If-Match` and `If-None-Match` (rclone's), some ignore checksums (Ceph's gateway over plain
HTTP). What a read or a put relies on is therefore checked here as well: the ETag and range of each reply, and a look
before each put.
"""

import contextlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from repatria.errors import Role, StoreError, UsageError
from repatria.i18n import _
from repatria.model import Object, ObjectKind
from repatria.store import failures
from repatria.store.base import Buffer, Reading
from repatria.store.paths import UnholdableNameError
from repatria.store.resuming import Resuming
from repatria.store.s3_exchange import Exchange, Request
from repatria.store.s3_http import Body
from repatria.store.s3_link import BrokenError
from repatria.store.s3_listing import checksum_of, object_of, span_of
from repatria.store.s3_put import Putter, TakenError
from repatria.store.s3_refusals import RefusalError, of_connection, told
from repatria.store.s3_replace import LockedKeyError, NotKeptError, Replacer
from repatria.store.s3_route import Routing
from repatria.store.s3_service import Service, service_of
from repatria.store.s3_uploads import Upload, abort_upload, list_uploads
from repatria.store.s3_walk import list_keys

CONNECTIONS = 96
"""A long thin link wants tens; each idle one costs a socket."""
LONGEST_KEY = 1024
CHUNK = 1 << 20
"""Bytes read at a time."""
_WITH_CHECKSUMS = {"x-amz-checksum-mode": "ENABLED"}
_BUCKET = re.compile(r"[a-zA-Z0-9.\-_]{1,255}|arn:.+")


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
        self._exchange = Exchange(Routing(bucket, endpoint, profile))
        self._service = service
        self._lock = threading.Lock()
        self._putter: Putter | None = None
        self._replacer: Replacer | None = None

    def list(self, prefix: str = "", *, enter: Callable[[str], bool] | None = None) -> Iterator[Object]:  # noqa: ARG002 -- a bucket has no folders
        """Yield objects in order of their keys, a page at a time, or several where folders are large."""
        listed = list_keys(self._exchange, self._prefix + prefix)
        while True:
            with self._told(prefix):
                found = next(listed, None)
            if found is None:
                return
            path = found.path[len(self._prefix) :]
            if path or found.size:  # an empty object at the prefix itself marks the root, and is none of it
                yield replace(found, path=path) if self._prefix else found

    def stat(self, path: str) -> Object:
        """Return what HEAD tells of one object."""
        with self._told(path):
            return object_of(path, self._exchange.head(self._key_to_read(path)))

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
        if self._asks_checksums and not start and stop < found.size and found.checksum is None:
            found = replace(found, checksum=self._checksum_of(path))

        def chunks(body: Body, at: int) -> _Chunks:
            return _Chunks(body, stop - at, partial(of_connection, store=self.uri, role=self.role))

        def reopen(at: int) -> _Chunks:
            return chunks(self._get(path, at, stop - at, found.version)[1], at)

        return Reading(found, Resuming(chunks(body, start), start, reopen))

    def put(
        self,
        path: str,
        data: Iterable[Buffer],
        size: int,
        *,
        like: Object | None = None,
        sha256: bytes | None = None,
    ) -> None:
        """Put in one request or in parts; the service shows the object when it has all of it."""
        if like and like.kind is ObjectKind.DIRECTORY:
            path, data, size = f"{path}/", (), 0
        elif like and like.kind is not ObjectKind.FILE:
            raise failures.unholdable(path, self.uri, self.role, _("it holds files only"))
        key = self._key(path)
        try:
            with self._told(path):
                self._open().put(key, data, size, like, sha256)
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
            try:
                self._exchange.read(Request("DELETE", self._key(path)))
            except RefusalError as error:
                if error.code != "NoSuchKey":
                    raise

    def uploads(self) -> Iterator[Upload]:
        """Yield the uploads under the prefix that are not complete; their paths are those of objects."""
        with self._told(""):
            found = list(list_uploads(self._exchange, self._prefix))
        yield from (replace(upload, path=upload.path[len(self._prefix) :]) for upload in found)

    def abort(self, path: str, upload: str) -> None:
        """Drop an upload that is not complete."""
        with self._told(path):
            abort_upload(self._exchange, self._key(path), upload)

    def close(self) -> None:
        """End the connections."""
        self._exchange.close()

    def _open(self) -> Putter:
        with self._lock:
            if self._putter is None:
                self._putter = Putter(self._exchange, self._service or service_of(self._exchange.host))
            return self._putter

    def _told(self, path: str) -> contextlib.AbstractContextManager[None]:
        return told(path, self.uri, self.role)

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

    def _get(self, path: str, start: int, length: int | None, version: str | None) -> tuple[Object, Body]:
        """Ask for a range; return what the reply tells of the whole object, and its body."""
        headers = dict(_WITH_CHECKSUMS) if self._asks_checksums else {}
        if start or length is not None:
            headers["range"] = f"bytes={start}-" if length is None else f"bytes={start}-{start + length - 1}"
        if version is not None:
            headers["if-match"] = version if version.startswith("W/") else f'"{version}"'
        with self._told(path):
            try:
                reply = self._exchange.ask(Request("GET", self._key_to_read(path), headers=headers))
            except RefusalError as error:
                if error.status in {412, 416}:
                    raise failures.changed(path, self.uri, self.role) from error
                raise
            try:
                answered_from, _size = span_of(reply.headers)
                found = object_of(path, reply.headers, md5_etags=self._open().service.md5_etags)
            except BrokenError:
                reply.body.close()
                raise
        if answered_from != start or version not in {None, found.version}:
            reply.body.close()
            raise failures.changed(path, self.uri, self.role) if answered_from == start else self._no_ranges()
        return found, reply.body

    @property
    def _asks_checksums(self) -> bool:
        """Whether replies are to tell what checksums are kept: a service that keeps none takes no notice."""
        return self.role is Role.SOURCE or self._open().service.checksums

    def _checksum_of(self, path: str) -> tuple[str, str] | None:
        """Return the checksum of a whole object, which the reply to a range does not tell; None if none is told."""
        with self._told(path), contextlib.suppress(RefusalError):
            reply, _none = self._exchange.read(Request("HEAD", self._key_to_read(path), headers=_WITH_CHECKSUMS))
            return checksum_of(reply.headers)
        return None

    def _no_ranges(self) -> StoreError:
        message = _("{store} does not give parts of objects; Repatria needs a service that does.")
        return StoreError(message.format(store=self.uri), role=self.role)


class _Chunks:
    """The `length` bytes that one reply has yet to give."""

    def __init__(self, body: Body, length: int, lost: Callable[[OSError], StoreError]) -> None:
        self._body = body
        self._left = length
        self._lost = lost

    def __next__(self) -> bytes:
        if not self._left:
            self._body.close()
            raise StopIteration
        try:
            chunk = self._body.read(min(CHUNK, self._left))
            if not chunk:
                raise BrokenError("the reply ended early")
        except OSError as error:
            raise self._lost(error) from error
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        """Let go of the connection; one that was not read to its end is not used again."""
        self._body.close()
