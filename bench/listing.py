"""Listing a bucket of many keys over a long link, by folders and a page after the other: `./run bench listing [KEYS]`.

The service is made up: keys of a PACS archive, told as ListObjectsV2 tells them, so that what is measured is the link.
"""

import bisect
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bench.harness import Measure, Report
from bench.servers import long_thin_link
from repatria.store import s3_walk
from repatria.store.s3 import S3Store

LINK = ("--rtt-ms", "150", "--link-mbit", "50", "--conn-mbit", "8")
ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>2024-01-30T20:00:00.000Z</LastModified>"
    "<ETag>&quot;{number:032x}&quot;</ETag><Size>524288</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


def archive(count: int) -> list[str]:
    """Return keys by year, month and day, as many each day."""
    days = [
        f"{year}/{month:02}/{day:02}" for year in range(2019, 2025) for month in range(1, 13) for day in range(1, 29)
    ]
    return sorted(f"{days[number % len(days)]}/IM{number:08}.dcm" for number in range(count))


class Handler(BaseHTTPRequestHandler):
    """One page of the listing."""

    protocol_version = "HTTP/1.1"
    keys: list[str]

    def do_GET(self) -> None:
        """Answer ListObjectsV2."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        at = bisect.bisect_right(self.keys, asked["continuation-token"]) if "continuation-token" in asked else 0
        at = max(at, bisect.bisect_left(self.keys, prefix))
        told: list[str] = []
        last = ""
        while at < len(self.keys) and self.keys[at].startswith(prefix) and len(told) < 1000:
            name, slash, _rest = self.keys[at][len(prefix) :].partition(delimiter or "\0")
            if slash:
                told.append(f"<CommonPrefixes><Prefix>{prefix}{name}{slash}</Prefix></CommonPrefixes>")
                last = f"{prefix}{name}{slash}\U0010ffff"
                at = bisect.bisect_left(self.keys, last)
            else:
                last = self.keys[at]
                told.append(ENTRY.format(key=last, number=at))
                at += 1
        more = at < len(self.keys) and self.keys[at].startswith(prefix)
        token = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>" if more else ""
        body = f"<ListBucketResult>{token}{''.join(told)}</ListBucketResult>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def service(keys: list[str]) -> Iterator[int]:
    """Tell of keys on a port until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"keys": keys}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()


def listed(port: int) -> Measure:
    """List the bucket once."""
    begun, spent = time.monotonic(), time.process_time()
    store = S3Store("archive", endpoint=f"http://127.0.0.1:{port}", profile="bench")
    count = sum(1 for _each in store.list())
    store.close()
    return Measure(time.monotonic() - begun, time.process_time() - spent, 0.0, 0, f"{count} keys")


def main() -> None:
    """List both ways and compare."""
    count = int(sys.argv[1]) if sys.argv[1:] else 100_000
    report, keys = Report("listing"), archive(count)
    size = sum(map(len, keys)) + len(ENTRY) * len(keys)
    with tempfile.TemporaryDirectory(prefix="repatria-bench-") as scratch:
        credentials(Path(scratch))
        with service(keys) as far, long_thin_link(far, *LINK) as (port, _told):
            ours = listed(port)
            folders, s3_walk.MOST_FOLDERS = s3_walk.MOST_FOLDERS, 0
            plain = listed(port)
            s3_walk.MOST_FOLDERS = folders
    if ours.output != plain.output or not plain.output.startswith(f"{count} "):
        sys.exit(f"not the same: {ours.output}, {plain.output}")
    one_by_one = report.add(f"{count} keys", "a page after the other", [plain], size)
    by_folders = report.add(f"{count} keys", "by folders", [ours], size)
    report.compare(f"{count} keys", "times faster by folders", one_by_one / by_folders, ">= 4")
    report.show()


def credentials(folder: Path) -> None:
    """Let the profile `bench` have some key."""
    file = folder / "credentials"
    file.write_text("[bench]\naws_access_key_id = key\naws_secret_access_key = secret\nregion = us-east-1\n")
    os.environ |= {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_CONFIG_FILE": str(file)}


if __name__ == "__main__":
    main()
