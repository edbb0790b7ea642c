"""Buckets: what the shared contract does not cover."""

import base64
import hashlib
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repatria.errors import (
    AlreadyExistsError,
    ChangedError,
    FailingError,
    FullError,
    NotFoundError,
    RefusedError,
    Role,
    StoreError,
    ThrottledError,
    UnreachableError,
    UsageError,
)
from repatria.model import Object
from repatria.store import resuming, s3_listing, s3_put, s3_service
from repatria.store.paths import UnholdableNameError
from repatria.store.s3 import S3Store
from repatria.store.s3_listing import checksum_of
from repatria.store.s3_refusals import RefusalError, of_reply
from repatria.store.s3_service import AWS, service_of
from tests.servers import ACCESS_KEY, BUCKET, SECRET_KEY, CuttingProxy, Server
from tests.store.certificates import certificate_for


@pytest.fixture
def moto(moto_s3: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    return moto_s3.use(monkeypatch)


def prefix_of(server: Server) -> str:
    return server.new_place().removeprefix(f"s3://{BUCKET}/")


def store_at(server: Server, **options: Any) -> S3Store:
    return S3Store(BUCKET, prefix_of(server), endpoint=server.endpoint, profile="test", **options)


def read(store: S3Store, path: str, start: int = 0, length: int | None = None) -> bytes:
    with store.read(path, start, length) as reading:
        return b"".join(reading.chunks)


class TestKeys:
    def test_the_prefix_is_a_folder(self, moto: Server) -> None:
        store = store_at(moto)
        store.put("a", [b"1"], 1)
        longer = S3Store(BUCKET, store.uri.rpartition("/")[2] + "x", endpoint=moto.endpoint, profile="test")
        longer.put("b", [b"1"], 1)
        assert [found.path for found in store.list()] == ["a"]

    def test_an_empty_object_that_marks_the_root_is_none_of_it(self, moto: Server) -> None:
        prefix = prefix_of(moto)
        above = S3Store(BUCKET, "", endpoint=moto.endpoint, profile="test")
        above.put(f"{prefix}/", [], 0)
        above.put(f"{prefix}/a", [b"1"], 1)
        store = S3Store(BUCKET, prefix, endpoint=moto.endpoint, profile="test")
        assert [found.path for found in store.list()] == ["a"]

    def test_page_after_page(self, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s3_listing, "PAGE", 3)
        store = store_at(moto)
        for number in range(10):
            store.put(f"a//{number}", [b"1"], 1)
        assert [found.path for found in store.list()] == [f"a//{number}" for number in range(10)]

    def test_a_key_may_have_1024_bytes(self, moto: Server) -> None:
        store = S3Store(BUCKET, "", endpoint=moto.endpoint, profile="test")
        store.put("é" * 512, [b"1"], 1)
        assert store.stat("é" * 512).size == 1
        store.delete("é" * 512)
        with pytest.raises(UnholdableNameError):
            store.put("é" * 512 + "x", [b"1"], 1)
        with pytest.raises(NotFoundError):
            store.stat("é" * 512 + "x")


class TestParts:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s3_put, "SINGLE_PUT", 6 << 20)
        monkeypatch.setattr(s3_put, "PART", 5 << 20)

    @pytest.mark.parametrize("server", ["moto_s3", "rclone_s3"])
    def test_a_large_object_comes_back(
        self, server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = store_at(request.getfixturevalue(server).use(monkeypatch))
        data = bytes(range(256)) * 60_000
        chunks = [data[at : at + 700_001] for at in range(0, len(data), 700_001)]
        store.put("large", iter(chunks), len(data), like=Object("x", 0, content_type="video/mp4", metadata={"k": "v"}))
        assert read(store, "large") == data
        assert read(store, "large", 5_242_870, 20) == data[5_242_870:5_242_890]
        with store.read("large", 0, 1) as reading:
            assert reading.object.checksum is None or server == "rclone_s3"
        with pytest.raises(AlreadyExistsError):
            store.put("large", iter(chunks), len(data))

    def test_one_that_fails_leaves_no_parts_behind(self, moto: Server) -> None:
        def broken() -> Iterator[bytes]:
            yield b"x" * (6 << 20)
            raise RuntimeError("the source is gone")

        store = store_at(moto)
        with pytest.raises(RuntimeError):
            store.put("large", broken(), 20 << 20)
        with pytest.raises(ValueError, match="were announced"):
            store.put("large", [b"x" * (7 << 20)], 8 << 20)
        client = boto3.client(
            "s3",
            endpoint_url=moto.endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
        )
        assert "Uploads" not in client.list_multipart_uploads(
            Bucket=BUCKET, Prefix=store.uri.removeprefix(f"s3://{BUCKET}/")
        )
        client.close()

    @given(st.integers(1, 5 << 40))
    def test_there_are_never_more_than_ten_thousand(self, size: int) -> None:
        assert -(-size // s3_put.part_size(size)) <= 10_000


class TestWriteOnce:
    def test_a_service_that_can_is_not_asked_before(self, moto: Server) -> None:
        store = store_at(moto, service=AWS)
        store.put("a", [b"first"], 5)
        with pytest.raises(AlreadyExistsError):
            store.put("a", [b"other"], 5)
        assert read(store, "a") == b"first"

    def test_a_service_that_knows_no_conditions(self) -> None:
        class Refusing(Service):
            def answer(self, handler: "Handler") -> tuple[int, bytes]:
                if handler.command == "HEAD":
                    return (200, b"") if handler.path in self.kept else (404, b"")
                if handler.headers.get("If-None-Match"):
                    return 501, b"<Error><Code>NotImplemented</Code></Error>"
                self.kept.add(handler.path)
                return 200, b""

        with Refusing() as service:
            store = service.store()
            store.put("a", [b"1"], 1)
            with pytest.raises(AlreadyExistsError):
                store.put("a", [b"1"], 1)
            store.put("b", [b"1"], 1)
        conditions = [bool(headers.get("if-none-match")) for command, headers in service.seen if command == "PUT"]
        assert conditions == [True, False, False]  # it is told once that it does not know them


class TestReadings:
    @pytest.fixture
    def proxy(self, moto: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[CuttingProxy]:
        monkeypatch.setattr(resuming, "FIRST_PAUSE", 0)
        proxy = CuttingProxy(int(str(moto.endpoint).rpartition(":")[2]))
        yield proxy
        proxy.close()

    def test_that_break_off_are_taken_up(self, moto: Server, proxy: CuttingProxy) -> None:
        prefix = prefix_of(moto)
        data = bytes(range(256)) * 20_000
        S3Store(BUCKET, prefix, endpoint=moto.endpoint, profile="test").put("a", [data], len(data))
        store = S3Store(BUCKET, prefix, endpoint=f"http://127.0.0.1:{proxy.port}", profile="test")
        proxy.cut_after(1_500_000, 1_000_000, 2_000_000)
        assert read(store, "a") == data
        assert proxy.connections == 4

    def test_that_break_off_never_mix_two_versions(self, moto: Server, proxy: CuttingProxy) -> None:
        prefix = prefix_of(moto)
        direct = S3Store(BUCKET, prefix, endpoint=moto.endpoint, profile="test")
        direct.put("a", [b"x" * 5_000_000], 5_000_000)
        store = S3Store(BUCKET, prefix, endpoint=f"http://127.0.0.1:{proxy.port}", profile="test")
        proxy.cut_after(2_000_000)
        with store.read("a") as reading:
            next(reading.chunks)
            direct.delete("a")
            direct.put("a", [b"y" * 5_000_000], 5_000_000)
            with pytest.raises(ChangedError):
                list(reading.chunks)

    def test_from_a_service_that_ignores_ranges(self) -> None:
        class Whole(Service):
            def answer(self, handler: "Handler") -> tuple[int, bytes]:
                return 200, b"0123456789"

        with Whole() as service:
            assert read(service.store(), "a", 0, 4) == b"0123"
            with pytest.raises(StoreError, match="does not give parts"):
                read(service.store(), "a", 3, 4)

    def test_of_another_version_than_asked_for_although_the_service_does_not_look(
        self, rclone_s3: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = store_at(rclone_s3.use(monkeypatch))
        store.put("a", [b"12345"], 5)
        with pytest.raises(ChangedError):
            store.read("a", version="0" * 32)


class TestChecksums:
    MD5 = "5eb63bbbe01eeed093cb22bb8f5acdc3"

    FULL: ClassVar = {"x-amz-checksum-type": "FULL_OBJECT"}

    @pytest.mark.parametrize(
        ("reply", "expected"),
        [
            ({"etag": f'"{MD5}"'}, ("etag", MD5)),
            ({"etag": f'"{MD5}"', "x-amz-server-side-encryption": "AES256"}, ("etag", MD5)),
            ({"etag": f'"{MD5}-3"'}, None),
            ({"etag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms"}, None),
            ({"etag": f'"{MD5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"}, None),
            ({"etag": '"an-etag-of-another-kind"'}, None),
            ({}, None),
            ({"etag": f'"{MD5}-2"', "x-amz-checksum-sha256": "AAEC", **FULL}, ("sha256", "000102")),
            ({"etag": f'"{MD5}-2"', "x-amz-checksum-sha256": "AAEC-2", "x-amz-checksum-type": "COMPOSITE"}, None),
            ({"etag": f'"{MD5}"', "x-amz-checksum-crc64nvme": "AAEC", **FULL}, ("crc64nvme", "000102")),
        ],
    )
    def test_of_the_whole_object_only(self, reply: Mapping[str, str], expected: tuple[str, str] | None) -> None:
        assert checksum_of(reply) == expected

    def test_other_services_are_sent_content_md5(self) -> None:
        with Service() as service:
            service.store().put("a", [b"data"], 4)
        (headers,) = [headers for command, headers in service.seen if command == "PUT"]
        assert headers["content-md5"] == base64.b64encode(hashlib.md5(b"data").digest()).decode()  # noqa: S324 -- Content-MD5 is MD5
        assert not any(name.lower().startswith("x-amz-checksum") for name in headers)

    def test_services_that_keep_sha256_are_sent_it_and_asked_for_it(self) -> None:
        digest = hashlib.sha256(b"data")
        with Service() as service:
            service.headers["x-amz-checksum-sha256"] = base64.b64encode(digest.digest()).decode()
            store = service.store(AWS)
            store.put("a", [b"data"], 4)
            with store.read("a") as reading:
                assert reading.object.checksum == ("sha256", digest.hexdigest())
        (put,), (get,) = ([headers for command, headers in service.seen if command == kind] for kind in ("PUT", "GET"))
        assert put["x-amz-checksum-sha256"] == service.headers["x-amz-checksum-sha256"]
        assert get["x-amz-checksum-mode"] == "ENABLED"

    def test_which_services_are_known(self) -> None:
        assert service_of("s3.eu-west-3.amazonaws.com") is AWS
        assert service_of("amazonaws.com.example.org") is not AWS


class TestMetadata:
    def test_other_than_ascii_is_sent_as_rfc_2047(self, moto: Server) -> None:
        store = store_at(moto)
        store.put("a", [b"1"], 1, like=Object("a", 1, metadata={"service": "Pédiatrie"}))
        with store.read("a") as reading:
            assert reading.object.metadata["service"] == "=?UTF-8?B?UMOpZGlhdHJpZQ==?="


class TestRefusals:
    @pytest.mark.parametrize(
        ("code", "status", "kind"),
        [
            ("NoSuchKey", 404, NotFoundError),
            ("404", 404, NotFoundError),
            ("NoSuchBucket", 404, NotFoundError),
            ("AccessDenied", 403, RefusedError),
            ("403", 403, RefusedError),
            ("InvalidAccessKeyId", 403, RefusedError),
            ("SignatureDoesNotMatch", 403, RefusedError),
            ("ExpiredToken", 400, RefusedError),
            ("RequestTimeTooSkewed", 403, RefusedError),
            ("PermanentRedirect", 301, RefusedError),
            ("InvalidObjectState", 403, RefusedError),
            ("MethodNotAllowed", 405, RefusedError),
            ("SlowDown", 503, ThrottledError),
            ("ServiceUnavailable", 503, ThrottledError),
            ("429", 429, ThrottledError),
            ("QuotaExceeded", 403, FullError),
            ("XMinioStorageFull", 507, FullError),
            ("KeyTooLongError", 400, UnholdableNameError),
            ("InternalError", 500, FailingError),
            ("BadDigest", 400, FailingError),
        ],
    )
    def test_by_code(self, code: str, status: int, kind: type[StoreError]) -> None:
        for role, exit_code in ((Role.SOURCE, 4), (Role.TARGET, 5)):
            error = of_reply(code, status, "Diop.pdf", "s3://coffre", role)
            assert type(error) is kind
            assert error.code == exit_code
            assert error.advice or isinstance(error, NotFoundError | UnholdableNameError)
            assert error.public == ("Diop" not in error.message)

    def test_a_code_without_end_is_cut(self) -> None:
        refusal = RefusalError(403, "A" * 65_000)
        shown = of_reply(refusal.code, refusal.status, "", "s3://coffre", Role.SOURCE)
        assert len(shown.message) < 200
        assert len(str(refusal)) < 200

    @pytest.mark.parametrize(
        ("key", "secret", "message"),
        [("other", SECRET_KEY, "InvalidAccessKeyId"), (ACCESS_KEY, "other", "SignatureDoesNotMatch")],
    )
    def test_wrong_keys_are_named_and_never_shown(
        self, rclone_s3: Server, monkeypatch: pytest.MonkeyPatch, key: str, secret: str, message: str
    ) -> None:
        rclone_s3.use(monkeypatch)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        with pytest.raises(RefusedError, match=message) as caught:
            list(S3Store(BUCKET, endpoint=rclone_s3.endpoint).list())
        assert secret not in caught.value.message + caught.value.advice

    def test_a_profile_goes_before_keys_in_the_environment(
        self, rclone_s3: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rclone_s3.use(monkeypatch)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
        assert list(store_at(rclone_s3).list()) == []

    def test_a_bucket_that_is_not_there(self, moto: Server) -> None:
        store = S3Store("no-such-bucket", endpoint=moto.endpoint, profile="test", role=Role.SOURCE)
        with pytest.raises(NotFoundError, match="bucket") as caught:
            list(store.list())
        assert caught.value.code == 4

    def test_no_keys_at_all(self, moto: Server) -> None:
        with pytest.raises(RefusedError, match="No access key"):
            list(S3Store(BUCKET, endpoint=moto.endpoint).list())

    def test_a_profile_that_is_not_there(self, moto: Server) -> None:
        with pytest.raises(UsageError, match="nobody"):
            list(S3Store(BUCKET, endpoint=moto.endpoint, profile="nobody").list())

    def test_an_endpoint_that_is_no_url(self, moto: Server) -> None:
        with pytest.raises(UsageError, match="no URL"):
            list(S3Store(BUCKET, endpoint="s3.example.org", profile="test").list())

    def test_nobody_answers(self, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(UnreachableError, match="no connection"):
            list(S3Store(BUCKET, endpoint="http://127.0.0.1:1", profile="test").list())


class TestCertificates:
    @pytest.mark.parametrize(
        ("days", "trusted", "message"), [(1, False, "cannot be trusted"), (-1, True, "has expired")]
    )
    def test_that_are_not_right(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, trusted: bool, message: str
    ) -> None:
        certificate = certificate_for("localhost", tmp_path, days)
        if trusted:
            monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        with Service(certificate) as service, pytest.raises(RefusedError, match=message):
            list(service.store().list())
        assert service.seen == []


class Handler(BaseHTTPRequestHandler):
    """One request to a `Service`."""

    service: "Service"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.service.seen.append((self.command, dict(self.headers)))
        status, body = self.service.answer(self)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Tue, 30 Jan 2024 20:00:00 GMT")
        self.send_header("ETag", '"0"')
        for name, value in self.service.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = _answer  # noqa: N815 -- names that http.server asks for

    def log_message(self, format: str, *args: object) -> None:
        pass


class Service:
    """An S3 service of which only the oddity under test is there: no real one has it."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.kept: set[str] = set()
        self.headers: dict[str, str] = {}
        self._server = HTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"service": self}))
        self._scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"

    def answer(self, handler: Handler) -> tuple[int, bytes]:
        return (404, b"") if handler.command == "HEAD" else (200, b"")

    def store(self, known_as: s3_service.Service | None = None) -> S3Store:
        endpoint = f"{self._scheme}://localhost:{self._server.server_port}"
        return S3Store(BUCKET, endpoint=endpoint, profile="test", service=known_as)

    def __enter__(self) -> "Service":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(autouse=True)
def _profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.servers import aws_environment

    for name, value in aws_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
