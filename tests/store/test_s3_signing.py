"""Signatures: those that botocore makes."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from repatria.store.s3_signing import EMPTY_SHA256, UNSIGNED, Signer, encoded_path, query_of

MOMENT = time.strptime("20130524T000000Z", "%Y%m%dT%H%M%SZ")
KEYS = SimpleNamespace(
    access_key="AKIAIOSFODNN7EXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", token=None
)


def signature(signed: dict[str, str]) -> str:
    return signed["authorization"].rpartition("Signature=")[2]


def test_the_example_of_the_s3_reference() -> None:
    """GET Object, in "Examples: Signature calculations in AWS Signature Version 4"."""
    headers = {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9"}
    signed = Signer(lambda: KEYS, "us-east-1").signed("GET", "/test.txt", "", headers, EMPTY_SHA256, MOMENT)
    assert signature(signed) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


def test_the_example_of_a_listing() -> None:
    headers = {"host": "examplebucket.s3.amazonaws.com"}
    query = query_of({"prefix": "J", "max-keys": "2"})
    signed = Signer(lambda: KEYS, "us-east-1").signed("GET", "/", query, headers, EMPTY_SHA256, MOMENT)
    assert signature(signed) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"


def test_one_signer_signs_time_after_time_and_into_the_next_day_as_a_new_one_does() -> None:
    lasting = Signer(lambda: KEYS, "us-east-1")
    for moment in (MOMENT, MOMENT, time.strptime("20130525T000000Z", "%Y%m%dT%H%M%SZ")):
        given = ("GET", "/test.txt", "", {"host": "h"}, EMPTY_SHA256, moment)
        assert lasting.signed(*given) == Signer(lambda: KEYS, "us-east-1").signed(*given)


class _Oracle(S3SigV4Auth):
    """botocore's, at a moment of ours."""

    def _set_necessary_date_headers(self, request: Any) -> None:
        request.headers["X-Amz-Date"] = request.context["timestamp"]

    def add_auth(self, request: Any) -> None:
        request.context["timestamp"] = "20130524T000000Z"
        self._modify_request_before_signing(request)  # type: ignore[attr-defined] # not in the stubs
        canonical = self.canonical_request(request)
        found = self.signature(self.string_to_sign(request, canonical), request)
        self._inject_signature_to_request(request, found)  # type: ignore[attr-defined] # not in the stubs


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
visible = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(
    key=text,
    prefix=text,
    value=visible,
    token=st.none() | st.text("abc/+=", min_size=1),
    method=st.sampled_from(["GET", "PUT", "POST", "HEAD", "DELETE"]),
)
def test_any_request_is_signed_as_botocore_signs_it(
    key: str, prefix: str, value: str, token: str | None, method: str
) -> None:
    keys = SimpleNamespace(access_key="AK", secret_key="SK", token=token)
    path, query = f"/bucket/{encoded_path(key)}", query_of({"prefix": prefix, "list-type": "2", "uploads": ""})
    headers = {"host": "s3.example.org:9000", "x-amz-meta-a": value, "content-md5": "xMpCOKC5I4INzFCab3WEmw=="}
    ours = Signer(lambda: keys, "eu-west-3").signed(method, path, query, headers, UNSIGNED, MOMENT)
    request = AWSRequest(method, f"http://s3.example.org:9000{path}?{query}", headers)
    request.context["payload_signing_enabled"] = False
    request.headers["X-Amz-Content-SHA256"] = UNSIGNED
    oracle = _Oracle(Credentials("AK", "SK", token), "s3", "eu-west-3")
    oracle.payload = lambda request: UNSIGNED  # type: ignore[method-assign] # what both are told of the body
    oracle.add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]


@pytest.mark.parametrize(
    ("key", "path"),
    [("a//b", "a//b"), ("/a", "/a"), ("a/../b", "a/../b"), ("é ~+%", "%C3%A9%20~%2B%25"), ("a\n\x01", "a%0A%01")],
)
def test_a_path_is_encoded_and_never_normalised(key: str, path: str) -> None:
    assert encoded_path(key) == path


def test_temporary_keys_are_asked_for_at_each_request_and_their_token_is_signed() -> None:
    tokens = iter(["first", "second"])
    keys = lambda: SimpleNamespace(access_key="AK", secret_key="SK", token=next(tokens))  # noqa: E731 -- a call a request
    signer = Signer(keys, "us-east-1")
    for token in ("first", "second"):
        signed = signer.signed("GET", "/", "", {"host": "h"}, EMPTY_SHA256)
        assert signed["x-amz-security-token"] == token
        assert "x-amz-security-token" in signed["authorization"]
