"""Signature Version 4 of Amazon, as a request to S3 carries it in its headers.

Source: Amazon S3 API reference, "Authenticating requests (AWS Signature Version 4)". For S3 a path is encoded once and
never normalised.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import quote

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
_ALGORITHM = "AWS4-HMAC-SHA256"


class Keys(Protocol):
    """An access key, as botocore gives it."""

    @property
    def access_key(self) -> str:
        """Its public part."""

    @property
    def secret_key(self) -> str:
        """Its secret."""

    @property
    def token(self) -> str | None:
        """The token that goes with a temporary key."""


class Signer:
    """Signs requests to one service; for many threads."""

    def __init__(self, keys: Callable[[], Keys], region: str, service: str = "s3") -> None:
        """`keys` is asked at each request, so that temporary keys are renewed in time."""
        self.keys = keys
        self._region = region
        self._service = service
        self._derived: tuple[str, str, hmac.HMAC] | None = None

    def signed(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        payload: str,
        moment: time.struct_time | None = None,
    ) -> dict[str, str]:
        """Return `headers` and those that sign the request.

        `path` and `query` are as they are sent (the query by `query_of`); `headers` have lower-case names, `host` among
        them; `payload` is the SHA-256 of the body in hexadecimal, or UNSIGNED.
        """
        keys = self.keys()
        stamp = time.strftime("%Y%m%dT%H%M%SZ", moment or time.gmtime())
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        signed = {**headers, "x-amz-content-sha256": payload, "x-amz-date": stamp}
        if keys.token:
            signed["x-amz-security-token"] = keys.token
        names = sorted(signed)
        lines = "".join(f"{name}:{' '.join(signed[name].split())}\n" for name in names)
        listed = ";".join(names)
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{listed}\n{payload}".encode()
        text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
        mac = self._mac(keys.secret_key, stamp[:8])
        mac.update(text.encode())
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={listed}, Signature={mac.hexdigest()}"
        )
        return signed

    def _mac(self, secret: str, day: str) -> hmac.HMAC:
        """Return a code to be taken over what is signed on a day.

        One that is copied makes no other thread go first, as `hmac.digest` does: with many that sign, waiting for one's
        turn again takes longer than the signature.
        """
        derived = self._derived
        if derived is None or derived[:2] != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = derived = (secret, day, hmac.new(key, digestmod="sha256"))
        return derived[2].copy()


def encoded_path(text: str) -> str:
    """Return a key as a request's path and its signature have it."""
    return quote(text, safe="/~")


def query_of(parameters: Mapping[str, str]) -> str:
    """Return a query in the one order and encoding that can be signed."""
    return "&".join(
        f"{name}={value}"
        for name, value in sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in parameters.items())
    )
