"""What a bucket tells of its objects: a page of a listing, the head of a reply."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote_plus
from xml.etree import ElementTree as Tree

from repatria.model import Object
from repatria.store.s3_exchange import Exchange, Request
from repatria.store.s3_http import size_told
from repatria.store.s3_link import BrokenError

PAGE = 1000
"""Objects listed in one reply: as many as S3 gives."""
_MD5 = re.compile(r"[0-9a-f]{32}")
_CHECKSUMS = ("sha256", "sha1", "crc64nvme", "crc32c", "crc32")
"""The additional checksums of S3 that are compared, the strongest first."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_SECOND = 1_000_000_000


def page_after(exchange: Exchange, prefix: str, token: str | None = None, delimiter: str = "") -> "Page":
    """Return a page of the objects whose keys begin with `prefix`: the first, or the one that a token asks for.

    With a delimiter, keys that hold it beyond the prefix are left out, and what they have in common up to there told.
    Keys are asked for in the encoding of URLs: XML has no place for control characters.
    """
    query = {"list-type": "2", "encoding-type": "url", "max-keys": str(PAGE), "prefix": prefix}
    if delimiter:
        query["delimiter"] = delimiter
    if token is not None:
        query["continuation-token"] = token
    page = page_of(exchange.read(Request("GET", query=query))[1])
    if not all(found.path.startswith(prefix) for found in page.objects):
        raise BrokenError("the listing holds what was not asked for")
    if not all(folder.startswith(prefix) and len(folder) > len(prefix) for folder in page.folders):
        raise BrokenError("the listing holds folders that were not asked for")
    if page.next is not None and page.next == token:
        raise BrokenError("the listing does not go on")
    return page


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a listing."""

    objects: list[Object]
    """Each with its whole key as its path."""
    next: str | None
    """What asks for the next page."""
    folders: list[str] = field(default_factory=list)
    """What keys that were left out have in common: each ends with the delimiter, whole from the bucket's root."""


def page_of(text: bytes) -> Page:
    """Read a reply to ListObjectsV2; BrokenError if it is none."""
    root = tree_of(text)
    space = root.tag[: root.tag.find("}") + 1]  # services differ in it
    if root.tag != f"{space}ListBucketResult":
        raise BrokenError("the reply is no listing")
    encoded = root.findtext(f"{space}EncodingType") == "url"
    objects = [_listed(entry, space, encoded=encoded) for entry in root.findall(f"{space}Contents")]
    told = (entry.findtext(f"{space}Prefix", "") for entry in root.findall(f"{space}CommonPrefixes"))
    folders = [_decoded(folder) if encoded else folder for folder in told]
    if root.findtext(f"{space}IsTruncated", "").strip() != "true":
        return Page(objects, None, folders)
    token = root.findtext(f"{space}NextContinuationToken")
    if not token:
        raise BrokenError("the listing does not tell how it goes on")
    return Page(objects, token, folders)


def tree_of(text: bytes) -> Tree.Element:
    """Parse a reply; BrokenError if it is no XML."""
    try:
        return Tree.fromstring(text)  # noqa: S314 -- expat bounds entities since 2.4.1, and resolves no external ones
    except Tree.ParseError as error:
        raise BrokenError("the reply is no XML") from error


def text_of(element: Tree.Element, name: str) -> str:
    """Return what the child of that name says, whatever its namespace; BrokenError if it says nothing."""
    found = element.findtext(f"{{*}}{name}")
    if not found:
        raise BrokenError(f"the reply tells no {name}")
    return found


def _listed(entry: Tree.Element, space: str, *, encoded: bool) -> Object:
    key, size, date = (entry.findtext(f"{space}{name}") for name in ("Key", "Size", "LastModified"))
    if key is None or size is None or date is None:
        raise BrokenError("the reply is no listing")
    try:
        return Object(
            _decoded(key) if encoded else key,
            size_told(size),
            _nanoseconds(datetime.fromisoformat(date)),
            version_of(entry.findtext(f"{space}ETag", "")),
        )
    except ValueError as error:
        raise BrokenError("the reply is no listing") from error


def _decoded(key: str) -> str:
    return unquote_plus(key, errors="surrogateescape")


def object_of(path: str, headers: Mapping[str, str], *, md5_etags: bool = False) -> Object:
    """Return what the head of a reply tells of the whole object, whatever part of it the reply brings.

    `md5_etags`: the service is known to give MD5s where an ETag looks like one.
    """
    return Object(
        path,
        span_of(headers)[1],
        mtime_ns=_of_date(headers.get("last-modified", "")),
        version=version_of(headers.get("etag", "")),
        content_type=headers.get("content-type"),
        metadata={name[11:]: value for name, value in headers.items() if name.startswith("x-amz-meta-")},
        checksum=checksum_of(headers, md5_etags=md5_etags),
    )


def span_of(headers: Mapping[str, str]) -> tuple[int, int]:
    """Return where a reply's bytes begin and the size of the whole object.

    Content-Range is asked, not the status: rclone's server gives ranges with 200.
    """
    match = _RANGE.fullmatch(headers.get("content-range", ""))
    if match:
        return size_told(match[1]), size_told(match[3])
    return 0, size_told(headers.get("content-length", ""))


def checksum_of(headers: Mapping[str, str], *, md5_etags: bool = False) -> tuple[str, str] | None:
    """Return the checksum of the whole object that a reply vouches for, None if there is none that we can compute.

    What was made to be a checksum comes first, the strongest of them; then the ETag. Of several parts there may be only
    a checksum of checksums (`-N`), and of a range only that of the range. An ETag is the MD5 of a single part, unless
    the object is encrypted with a key of KMS or of the customer (Amazon S3 API reference, Object: ETag); that is what
    the protocol says, and not what every gateway does: so it is called `etag` where the service
    is not known.
    """
    kept = _kept_checksums(headers)
    etag = version_of(headers.get("etag", ""))
    plain = headers.get("x-amz-server-side-encryption", "AES256") == "AES256"
    own_key = "x-amz-server-side-encryption-customer-algorithm" in headers
    if plain and not own_key and _MD5.fullmatch(etag):
        kept["md5" if md5_etags else "etag"] = etag
    return next(((name, kept[name]) for name in (*_CHECKSUMS, "md5", "etag") if name in kept), None)


def _kept_checksums(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the additional checksums of the whole object, in hexadecimal."""
    of_whole = "content-range" not in headers
    if headers.get("x-amz-checksum-type", "FULL_OBJECT" if of_whole else "") != "FULL_OBJECT":
        return {}
    told = ((name, headers.get(f"x-amz-checksum-{name}")) for name in _CHECKSUMS)
    return {name: value for name, text in told if text and (value := _hexadecimal(text))}


def _hexadecimal(value: str) -> str:
    """Return a checksum as it is compared, nothing for what is none: `-N` after it tells a checksum of checksums."""
    try:
        return base64.b64decode(value, validate=True).hex()
    except ValueError:
        return ""


def version_of(etag: str) -> str:
    """Return an ETag as a version is kept: a weak one as it is, any other without its quotes."""
    return etag if etag.startswith("W/") else etag.strip('"')


@lru_cache(4096)
def _of_date(date: str) -> int | None:
    try:
        return _nanoseconds(parsedate_to_datetime(date))
    except ValueError:
        return None


def _nanoseconds(moment: datetime) -> int:
    """Return whole seconds: some services tell more in a listing than in a reply."""
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(known.timestamp()) * _SECOND
