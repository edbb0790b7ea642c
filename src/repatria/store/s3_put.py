"""Putting one object into a bucket: once, whole, with its digest."""

import base64
import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from repatria.model import Object
from repatria.store.base import Buffer
from repatria.store.s3_client import Service, reply_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

SINGLE_PUT = 128 << 20
"""Bytes up to which an object is one request, all of it in memory; larger ones are put in parts."""
PART = 32 << 20
"""Bytes of a part, unless the object would need more than MOST_PARTS."""
MOST_PARTS = 10_000
MEBIBYTE = 1 << 20


class TakenError(Exception):
    """Something is under the key already."""


@dataclass(slots=True)
class Putter:
    """Puts objects under new keys of one bucket; raises the client's exceptions and TakenError."""

    client: "S3Client"
    bucket: str
    service: Service
    conditional: bool = True
    """`If-None-Match` is sent; a service that answers that it is not implemented is not asked again."""

    def put(self, key: str, data: Iterable[Buffer], size: int, like: Object | None) -> None:
        """Put `size` bytes in one request or in parts; ValueError if they are not as many."""
        kept = _kept(like)
        self._look(key)
        if size <= SINGLE_PUT:
            self._put_whole(key, _joined(data, size), kept)
        else:
            self._put_parts(key, data, size, kept)

    def _look(self, key: str) -> None:
        """Raise TakenError if the key is taken, unless the service can be trusted to refuse by itself."""
        if self.service.write_once and self.conditional:
            return
        try:
            self.client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if reply_of(error)[1] != 404:
                raise
        else:
            raise TakenError

    def _put_whole(self, key: str, body: bytes | bytearray, kept: dict[str, Any]) -> None:
        request = {"Bucket": self.bucket, "Key": key, "Body": body, **self._digest(body), **kept}
        try:
            self.client.put_object(**request, **self._once())
        except ClientError as error:
            if not self._learn(error):
                raise
            self._look(key)
            self.client.put_object(**request)

    def _put_parts(self, key: str, data: Iterable[Buffer], size: int, kept: dict[str, Any]) -> None:
        upload = self.client.create_multipart_upload(Bucket=self.bucket, Key=key, **kept)["UploadId"]
        try:
            parts = self._send_parts(key, upload, data, size)
            self._look(key)
            self._complete(key, upload, parts)
        except BaseException:
            with contextlib.suppress(ClientError, BotoCoreError):
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)
            raise

    def _send_parts(self, key: str, upload: str, data: Iterable[Buffer], size: int) -> "list[CompletedPartTypeDef]":
        sent: list[CompletedPartTypeDef] = []
        total = 0
        for number, part in enumerate(_cut(data, part_size(size)), 1):
            reply = self.client.upload_part(
                Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=part, ContentMD5=_md5(part)
            )
            sent.append({"PartNumber": number, "ETag": reply["ETag"]})
            total += len(part)
        if total != size:
            raise ValueError(f"{total} bytes came where {size} were announced")
        return sent

    def _complete(self, key: str, upload: str, parts: "list[CompletedPartTypeDef]") -> None:
        def complete() -> None:
            self.client.complete_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **self._once()
            )

        try:
            complete()
        except ClientError as error:
            if reply_of(error)[0] == "NoSuchUpload":
                # Completed already, by a request whose reply was lost.
                raise TakenError from error
            if not self._learn(error):
                raise
            complete()

    def _digest(self, body: bytes | bytearray) -> dict[str, Any]:
        """Return the digest that the service compares with what reached it."""
        if self.service.checksums:
            return {"ChecksumSHA256": base64.b64encode(hashlib.sha256(body).digest()).decode()}
        return {"ContentMD5": _md5(body)}

    def _once(self) -> dict[str, Any]:
        return {"IfNoneMatch": "*"} if self.conditional else {}

    def _learn(self, error: ClientError) -> bool:
        """Raise TakenError if the condition failed; return True if the service turned out not to know conditions."""
        code, status = reply_of(error)
        if status == 412:
            raise TakenError from error
        if self.conditional and (code == "NotImplemented" or status == 501):
            self.conditional = False
            return True
        return False


def part_size(size: int) -> int:
    """Return the bytes of each part of an object, so that 10,000 parts are enough."""
    return max(PART, -(-size // MOST_PARTS // MEBIBYTE) * MEBIBYTE)


def _cut(data: Iterable[Buffer], size: int) -> Iterator[bytes]:
    """Yield the same bytes in pieces of exactly `size`, the last one shorter."""
    waiting = bytearray()
    for chunk in data:
        waiting += chunk
        while len(waiting) >= size:
            yield bytes(memoryview(waiting)[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)


def _joined(data: Iterable[Buffer], size: int) -> bytes | bytearray:
    chunks = list(data)
    whole = chunks[0] if len(chunks) == 1 and isinstance(chunks[0], bytes | bytearray) else b"".join(chunks)
    if len(whole) != size:
        raise ValueError(f"{len(whole)} bytes came where {size} were announced")
    return whole


def _md5(body: bytes | bytearray) -> str:
    """Return the Content-MD5 of a request: against damage on the way, not against people."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _kept(like: Object | None) -> dict[str, Any]:
    """Return what a service can keep of another object: content type and user metadata."""
    kept: dict[str, Any] = {}
    if like and like.content_type:
        kept["ContentType"] = like.content_type
    if like and like.metadata:
        kept["Metadata"] = {name: _header(value) for name, value in like.metadata.items()}
    return kept


def _header(value: str) -> str:
    """Return a value as a header can carry it: other than ASCII by RFC 2047, as S3 itself does."""
    if value.isascii():
        return value
    encoded = base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()
    return f"=?UTF-8?B?{encoded}?="
