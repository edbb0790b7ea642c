"""Requests to one bucket: signed, sent, tried again a few times.

Hours of patience are the caller's. Here a lost connection or a service that trips costs a request another try or two,
after a pause that grows and is never the same for two threads.
"""

import hashlib
import random
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from time import sleep, time
from typing import TypeVar

from repatria import __version__
from repatria.store.s3_http import Buffers, Reply, size_of
from repatria.store.s3_link import NoAnswerError, ProxyRefusedError
from repatria.store.s3_pool import Pool
from repatria.store.s3_refusals import RefusalError, is_throttling
from repatria.store.s3_route import Route, Routing
from repatria.store.s3_signing import EMPTY_SHA256, UNSIGNED, encoded_path, query_of

TRIES = 5
OVERLOADED_TRIES = 2
"""Fewer where a service asks for less, or does not answer in time: whoever makes the requests has to hear it, and make
fewer at a time."""
FIRST_PAUSE = 0.2
"""Seconds before the second try at most; twice as long before each further one."""
LONGEST_PAUSE = 30.0
"""Who asks for a longer one is not asked again from here."""
LONGEST_ERROR = 1 << 16
LONGEST_REPLY = 16 << 20
"""Bytes of a reply that is read whole: a page of a listing has a few hundred thousand."""
_AGENT = f"repatria/{__version__}"
_PASSING = {408, 500, 502, 504}
_DAMAGED = {"RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch"}
"""What a service says of a body that did not come whole."""
_RENEWABLE = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
_UNEXPLAINED = {301, 307, 400, 403}
_ERROR = re.compile(rb"\s*(<\?xml[^>]*\?>\s*)?<Error[\s>]")
_SECONDS = re.compile(r"[0-9]{1,9}")
_STATUS = {"PreconditionFailed": 412, "NoSuchUpload": 404, "InvalidPart": 400, "SlowDown": 503}
"""What the status would have been of an error that comes with 200."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a bucket."""

    method: str
    key: str = ""
    """Empty for what concerns the bucket itself."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: Buffers | None = None
    sha256: bytes | None = None
    """Of the body, if it is known already."""


class Exchange:
    """Asks a bucket and returns its replies; for many threads. Nothing is connected before the first request.

    Errors: RefusalError for a reply that is no success, OSError for none, and those of `Routing.find`.
    """

    def __init__(self, routing: Routing) -> None:
        self._routing = routing
        self._lock = threading.Lock()
        self._way: tuple[Route, Pool] | None = None

    @property
    def bucket(self) -> str:
        """The name of the bucket."""
        return self._routing.bucket

    @property
    def host(self) -> str:
        """The host that requests go to."""
        return self._known_way()[0].origin.host

    def ask(self, request: Request) -> Reply:
        """Return the reply to a request; its body is the caller's to read or close."""
        return self._tried(request, lambda reply: reply)

    def head(self, key: str) -> Mapping[str, str]:
        """Return the headers that a key has. A refusal has no body here to tell why: GET is asked for its reason."""
        try:
            return self.read(Request("HEAD", key))[0].headers
        except RefusalError as error:
            if error.status not in _UNEXPLAINED:
                raise
        self.ask(Request("GET", key)).body.close()
        return self.read(Request("HEAD", key))[0].headers

    def read(self, request: Request) -> tuple[Reply, bytes]:
        """Return the reply to a request, and its whole body; one that holds an error is none, whatever its status."""
        return self._tried(request, _read)

    def _tried(self, request: Request, take: Callable[[Reply], _T]) -> _T:
        attempt = _Attempt()
        while True:
            route, pool = self._known_way()
            try:
                return take(_success(pool.ask(_head(request, route), request.body, is_head=request.method == "HEAD")))
            except RefusalError as error:
                if attempt.mended or not self._mends(error, route):
                    attempt.pause(error, slower=is_throttling(error.code, error.status))
                attempt.mended = True
            except (ssl.SSLCertVerificationError, ProxyRefusedError):
                raise
            except OSError as error:
                attempt.pause(error, slower=isinstance(error, NoAnswerError))

    def close(self) -> None:
        """End the connections."""
        with self._lock:
            way, self._way = self._way, None
        if way is not None:
            way[1].close()

    def _known_way(self) -> tuple[Route, Pool]:
        with self._lock:
            return self._find_way() if self._way is None else self._way

    def _find_way(self) -> tuple[Route, Pool]:
        route = self._routing.find()
        self._way = (route, Pool(route.origin))
        return self._way

    def _mends(self, error: RefusalError, used: Route) -> bool:
        """Find another way if the bucket is in another region, or the profile has another key meanwhile."""
        with self._lock:
            if self._way is None or self._way[0] is not used:
                return True  # another thread has
            if error.region and error.region != used.region:
                self._routing = self._routing.within(error.region)
            elif error.code not in _RENEWABLE:
                return False
            self._way[1].close()
            found, _pool = self._find_way()
            return found.region != used.region or found.signer.keys() != used.signer.keys()


@dataclass(slots=True)
class _Attempt:
    """The tries of one request."""

    tries: int = 0
    mended: bool = False

    def pause(self, error: RefusalError | OSError, *, slower: bool = False) -> None:
        """Wait before the next try, or raise the error if there is none to make."""
        self.tries += 1
        asked = 0.0
        if isinstance(error, RefusalError):
            if not slower and error.status not in _PASSING and error.code not in _DAMAGED:
                raise error
            asked = error.pause or 0.0
        if self.tries >= (OVERLOADED_TRIES if slower else TRIES) or asked > LONGEST_PAUSE:
            raise error
        pause = FIRST_PAUSE * 2 ** (self.tries - 1) * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, not a secret
        sleep(asked + min(pause, LONGEST_PAUSE))


def _head(request: Request, route: Route) -> str:
    """Return the head of a request, signed now, without the empty line that ends it."""
    origin, body = route.origin, request.body
    path, query = route.root + encoded_path(request.key), query_of(request.query)
    payload = _payload(request, tls=origin.tls is not None)
    headers = route.signer.signed(request.method, path, query, {"host": origin.authority, **request.headers}, payload)
    headers["user-agent"] = _AGENT
    headers["accept-encoding"] = "identity"
    if body is not None:
        headers["content-length"] = str(size_of(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if lines.count("\n") != len(headers):
        raise ValueError("a header cannot hold a line break")
    target = f"{origin.target_prefix}{path}?{query}" if query else f"{origin.target_prefix}{path}"
    return f"{request.method} {target} HTTP/1.1\r\n{lines}{origin.proxy_line}"


def _payload(request: Request, *, tls: bool) -> str:
    """Return what the signature says of the body: its digest, unless that would have to be made and TLS guards it."""
    if request.body is None:
        return EMPTY_SHA256
    if request.sha256 is not None:
        return request.sha256.hex()
    return UNSIGNED if tls else sha256_of(request.body).hex()


def sha256_of(body: Buffers) -> bytes:
    """Return the SHA-256 of a body in pieces."""
    digest = hashlib.sha256()
    for piece in body:
        digest.update(piece)
    return digest.digest()


def _success(reply: Reply) -> Reply:
    """Return a reply that is a success, its body unread; RefusalError for any other, ProxyRefusedError if a proxy's."""
    if 200 <= reply.status < 300:
        return reply
    try:
        if reply.status == 407:
            raise ProxyRefusedError(reply.status)
        text = reply.body.read(LONGEST_ERROR)
    finally:
        reply.body.close()
    raise _refusal(reply, text, reply.status)


def _read(reply: Reply) -> tuple[Reply, bytes]:
    try:
        text = reply.body.read_all(LONGEST_REPLY)
    finally:
        reply.body.close()
    if _ERROR.match(text):  # the end of an upload in parts may fail after its 200 was sent
        raise _refusal(reply, text, _STATUS.get(_element(text, "Code"), 500))
    return reply, text


def _refusal(reply: Reply, text: bytes, status: int) -> RefusalError:
    region = reply.headers.get("x-amz-bucket-region") or _element(text, "Region")
    return RefusalError(status, _element(text, "Code"), region, _pause_told(reply.headers.get("retry-after", "")))


def _pause_told(after: str) -> float | None:
    """Return the seconds that `Retry-After` asks for, as a number or as a date (RFC 9110, 10.2.3); None for none."""
    if _SECONDS.fullmatch(after):
        return float(after)
    try:
        return max(0.0, parsedate_to_datetime(after).timestamp() - time())
    except (ValueError, OverflowError):
        return None


def _element(text: bytes, name: str) -> str:
    """Return what an element of an error says: a word, so that no parser is needed for what may be no XML at all."""
    found = re.search(rf"<{name}>\s*([\w.\-]+)\s*</{name}>".encode(), text)
    return found[1].decode() if found else ""
