"""Putting one object into a bucket: once, whole, with its digest."""

import base64
import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as Tree

from repatria.model import Object
from repatria.store.base import Buffer
from repatria.store.s3_exchange import Exchange, Request, sha256_of
from repatria.store.s3_http import Buffers, size_of
from repatria.store.s3_listing import text_of, tree_of
from repatria.store.s3_refusals import RefusalError
from repatria.store.s3_service import Service
from repatria.store.s3_uploads import abort_upload, list_uploads

SINGLE_PUT = 128 << 20
"""Bytes up to which an object is one request, all of it in memory; larger ones are put in parts."""
PART = 32 << 20
"""Bytes of a part, unless the object would need more than MOST_PARTS."""
MOST_PARTS = 10_000
MEBIBYTE = 1 << 20
_WITHOUT_MD5 = {"InvalidRequest", "MissingContentMD5"}
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


class TakenError(Exception):
    """Something is under the key already."""


@dataclass(slots=True)
class Putter:
    """Puts objects under new keys of one bucket; raises what `Exchange` does, and TakenError."""

    exchange: Exchange
    service: Service
    conditional: bool = True
    """`If-None-Match` is sent; a service that answers that it is not implemented is not asked again."""
    wants_md5: bool = False
    """The service wants a Content-MD5 with every put, as some do for buckets with Object Lock."""

    def put(self, key: str, data: Iterable[Buffer], size: int, like: Object | None, sha256: bytes | None) -> None:
        """Put `size` bytes in one request or in parts; ValueError if they are not as many."""
        kept = _kept(like)
        self._look(key)
        if size <= SINGLE_PUT:
            self._put_whole(key, _gathered(data, size), kept, sha256)
        else:
            self._put_parts(key, data, size, kept)

    def _look(self, key: str) -> None:
        """Raise TakenError if the key is taken, unless the service can be trusted to refuse by itself."""
        if self.service.write_once and self.conditional:
            return
        try:
            self.exchange.head(key)
        except RefusalError as error:
            if error.status != 404:
                raise
        else:
            raise TakenError

    def _put_whole(self, key: str, body: Buffers, kept: Mapping[str, str], sha256: bytes | None) -> None:
        while True:
            headers = {**kept, **self._digest(body, sha256), **self._once()}
            try:
                self.exchange.read(Request("PUT", key, headers=headers, body=body, sha256=sha256))
            except RefusalError as error:
                if not self._learn(error):
                    raise
            else:
                return
            self._look(key)

    def _digest(self, body: Buffers, sha256: bytes | None) -> dict[str, str]:
        """Return the digest of a body that the service compares with what reached it.

        A SHA-256 that is known goes into the signature, and a service that keeps one gets it; a Content-MD5 is made
        only where there is none: it costs more than sending the bytes.
        """
        if self.service.checksums:
            return {"x-amz-checksum-sha256": _base64(sha256 or sha256_of(body))}
        return {"content-md5": _md5(body)} if sha256 is None or self.wants_md5 else {}

    def _put_parts(self, key: str, data: Iterable[Buffer], size: int, kept: Mapping[str, str]) -> None:
        self._abort_earlier(key)
        reply = self.exchange.read(Request("POST", key, {"uploads": ""}, kept, ()))[1]
        upload = {"uploadId": text_of(tree_of(reply), "UploadId")}
        try:
            parts = self._send_parts(key, upload, data, size)
            self._look(key)
            self._complete(key, upload, parts)
        except BaseException:
            with contextlib.suppress(RefusalError, OSError):
                self.exchange.read(Request("DELETE", key, upload))
            raise

    def _abort_earlier(self, key: str) -> None:
        """Drop the parts that a killed run left under this very key: they cost, and keep data, for ever.

        Where listing uploads or dropping them is not allowed they stay: no more than this can be done with such a key.
        """
        with contextlib.suppress(RefusalError):
            for upload in list_uploads(self.exchange, key):
                if upload.path == key:
                    abort_upload(self.exchange, key, upload.id)

    def _send_parts(self, key: str, upload: Mapping[str, str], data: Iterable[Buffer], size: int) -> list[str]:
        """Send the parts one after the other; return their ETags."""
        sent: list[str] = []
        total = 0
        for number, part in enumerate(_cut(data, part_size(size)), 1):
            query = {**upload, "partNumber": str(number)}
            reply, _empty = self.exchange.read(Request("PUT", key, query, {"content-md5": _md5(part)}, part))
            sent.append(reply.headers.get("etag", ""))
            total += size_of(part)
        if total != size:
            raise ValueError(f"{total} bytes came where {size} were announced")
        return sent

    def _complete(self, key: str, upload: Mapping[str, str], parts: list[str]) -> None:
        while True:
            try:
                self.exchange.read(Request("POST", key, upload, self._once(), [_parts_list(parts)]))
            except RefusalError as error:
                if error.code == "NoSuchUpload":
                    # Completed already, by a request whose reply was lost.
                    raise TakenError from error
                if not self._learn(error):
                    raise
            else:
                return

    def _once(self) -> dict[str, str]:
        return {"if-none-match": "*"} if self.conditional else {}

    def _learn(self, error: RefusalError) -> bool:
        """Raise TakenError if the condition failed; return True if the service told how it wants to be asked."""
        if error.status == 412:
            raise TakenError from error
        if self.conditional and (error.code == "NotImplemented" or error.status == 501):
            self.conditional = False
            return True
        if not self.wants_md5 and error.code in _WITHOUT_MD5:
            self.wants_md5 = True
            return True
        return False


def part_size(size: int) -> int:
    """Return the bytes of each part of an object, so that 10,000 parts are enough."""
    return max(PART, -(-size // MOST_PARTS // MEBIBYTE) * MEBIBYTE)


def _cut(data: Iterable[Buffer], size: int) -> Iterator[list[memoryview]]:
    """Yield the same bytes in bodies of exactly `size`, the last one shorter."""
    body: list[memoryview] = []
    missing = size
    for chunk in data:
        rest = memoryview(chunk)
        while rest:
            body.append(rest[:missing])
            rest = rest[missing:]
            missing -= len(body[-1])
            if not missing:
                yield body
                body, missing = [], size
    if body:
        yield body


def _gathered(data: Iterable[Buffer], size: int) -> Buffers:
    body = list(data)
    if size_of(body) != size:
        raise ValueError(f"{size_of(body)} bytes came where {size} were announced")
    return body


def _parts_list(etags: Iterable[str]) -> bytes:
    root = Tree.Element("CompleteMultipartUpload", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
    for number, etag in enumerate(etags, 1):
        part = Tree.SubElement(root, "Part")
        Tree.SubElement(part, "PartNumber").text = str(number)
        Tree.SubElement(part, "ETag").text = etag
    return Tree.tostring(root)


def _md5(body: Buffers) -> str:
    """Return the Content-MD5 of a request: against damage on the way, not against people."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in body:
        digest.update(piece)
    return _base64(digest.digest())


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _kept(like: Object | None) -> dict[str, str]:
    """Return what a service can keep of another object: content type and user metadata."""
    kept: dict[str, str] = {}
    if like and like.content_type:
        kept["content-type"] = _header(like.content_type)
    if like:
        kept |= {f"x-amz-meta-{name}": _header(value) for name, value in like.metadata.items()}
    return kept


def _header(value: str) -> str:
    """Return a value as a header can carry it: other than printable ASCII by RFC 2047, as S3 itself does."""
    if _PRINTABLE.fullmatch(value):
        return value
    encoded = base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()
    return f"=?UTF-8?B?{encoded}?="
