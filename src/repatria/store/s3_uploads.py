"""Uploads in parts that never came to their end: nobody sees them, and they cost and keep data until aborted."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_plus

from repatria.store.s3_exchange import Exchange, Request
from repatria.store.s3_link import BrokenError
from repatria.store.s3_listing import tree_of
from repatria.store.s3_refusals import RefusalError


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload that is not complete."""

    path: str
    """Its whole key."""
    id: str
    begun_ns: int | None


def list_uploads(exchange: Exchange, prefix: str) -> Iterator[Upload]:
    """Yield the uploads under keys that begin with `prefix`, a page at a time."""
    query = {"uploads": "", "encoding-type": "url", "prefix": prefix}
    while True:
        try:
            root = tree_of(exchange.read(Request("GET", query=query))[1])
        except RefusalError as error:
            if error.code == "NoSuchUpload":  # what rclone's server says where there is none
                return
            raise
        fields = {element.tag.rpartition("}")[2]: element.text or "" for element in root}
        encoded = fields.get("EncodingType") == "url"
        for entry in root.findall("{*}Upload"):
            told = {element.tag.rpartition("}")[2]: element.text or "" for element in entry}
            key = told.get("Key", "")
            path = unquote_plus(key, errors="surrogateescape") if encoded else key
            if path.startswith(prefix) and told.get("UploadId"):
                yield Upload(path, told["UploadId"], _moment(told.get("Initiated", "")))
        if fields.get("IsTruncated", "").strip() != "true":
            return
        marker = fields.get("NextKeyMarker", "")
        marks = {
            "key-marker": unquote_plus(marker) if encoded else marker,
            "upload-id-marker": fields.get("NextUploadIdMarker", ""),
        }
        if not marker or marks.items() <= query.items():
            raise BrokenError("the listing of uploads does not tell how it goes on")
        query.update(marks)


def abort_upload(exchange: Exchange, key: str, upload: str) -> None:
    """Drop an upload and its parts; nothing if it is gone already."""
    try:
        exchange.read(Request("DELETE", key, {"uploadId": upload}))
    except RefusalError as error:
        if error.status != 404:
            raise


def _moment(text: str) -> int | None:
    try:
        return int(datetime.fromisoformat(text).timestamp()) * 1_000_000_000
    except ValueError:
        return None
