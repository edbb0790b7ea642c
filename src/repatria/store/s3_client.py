"""How S3 services are reached, and what their refusals mean."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore import exceptions as failed
from botocore.config import Config

from repatria import __version__
from repatria.errors import FullError, NotFoundError, RefusedError, Role, StoreError, ThrottledError, UsageError
from repatria.i18n import _
from repatria.store import failures

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 96
"""A long thin link wants tens; each idle one costs a socket."""
_CERTIFICATE_EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""


@dataclass(frozen=True, slots=True)
class Service:
    """What is known of a service beyond the S3 that all of them speak."""

    write_once: bool
    """`If-None-Match: *` on PUT is honoured: no need to look before."""
    checksums: bool
    """SHA-256 checksums are verified, kept and given back; elsewhere they may be ignored or refused."""


AWS = Service(write_once=True, checksums=True)
UNKNOWN = Service(write_once=False, checksums=False)


def service_of(endpoint: str) -> Service:
    """Return what is known of the service at a URL."""
    host = urlsplit(endpoint).hostname or ""
    return AWS if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else UNKNOWN


def make_client(endpoint: str | None, profile: str | None) -> "S3Client":
    """Return a client that many threads may share; nothing is sent yet.

    boto3's own checksums in trailers break services that do not know them (411, or a refused signature), so that they
    are left to what an operation requires; puts carry their own.
    """
    try:
        session = boto3.session.Session(profile_name=profile)
        # boto3 has no public way to the other settings of a profile.
        settings = session._session.get_scoped_config().get("s3", {})
        style = settings.get("addressing_style", "path" if endpoint else "auto")
        return session.client(
            "s3",
            endpoint_url=endpoint,
            region_name=session.region_name or "us-east-1",
            config=Config(
                max_pool_connections=CONNECTIONS,
                retries={"mode": "standard", "total_max_attempts": 5},
                connect_timeout=15,
                read_timeout=60,
                tcp_keepalive=True,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": style},
                user_agent_extra=f"repatria/{__version__}",
            ),
        )
    except failed.ProfileNotFound as error:
        raise UsageError(
            _("There is no AWS profile named {profile}.").format(profile=profile),
            advice=_("Add it with: aws configure --profile {profile}").format(profile=profile),
        ) from error
    except ValueError as error:
        raise UsageError(
            _("{endpoint} is no URL of an S3 service.").format(endpoint=endpoint),
            advice=_('Write it in full, such as endpoint = "https://s3.example.org".'),
        ) from error


@contextmanager
def told(path: str, store: str, role: Role) -> Iterator[None]:
    """Turn the client's exceptions into the errors of `repatria.errors`."""
    try:
        yield
    except failed.ClientError as error:
        raise of_reply(*reply_of(error), path, store, role) from error
    except failed.BotoCoreError as error:
        raise of_connection(error, path, store, role) from error


def reply_of(error: failed.ClientError) -> tuple[str, int]:
    """Return the service's error code and HTTP status; the code is the status where a reply has no body (HEAD)."""
    code = error.response.get("Error", {}).get("Code", "")
    return code, error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


_KEY_REFUSED = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
_ROOM = {"QuotaExceeded", "InsufficientCapacity", "XMinioStorageFull", "EntityTooLarge", "507"}
_SLOWER = {"SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "TooManyRequests", "RequestLimitExceeded"}
_NAME = {"KeyTooLongError", "InvalidURI", "InvalidArgument", "XMinioInvalidObjectName"}
_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}


def of_reply(code: str, status: int, path: str, store: str, role: Role) -> StoreError:
    """Return the error that a reply with this code and HTTP status means for the object at `path`."""
    if code in _ROOM or status == 507:
        return FullError(
            _("{store} has no room left, or its quota is reached; what was written before is safe.").format(
                store=store
            ),
            advice=_("Make room there or have the quota raised, then run the same command again."),
            role=role,
        )
    if code in _SLOWER or status in {429, 503}:
        return ThrottledError(
            _("{store} asks for fewer requests at a time.").format(store=store),
            advice=_("Run the same command again later, or with fewer --workers."),
            role=role,
        )
    if code == "NoSuchBucket":
        return NotFoundError(
            _("The bucket of {store} is not there.").format(store=store),
            advice=_("Correct the uri or the endpoint, or have the bucket made."),
            role=role,
        )
    if status == 404:
        return failures.not_found(path, store, role)
    if code in _NAME:
        return failures.unholdable(path, store, role, code)
    return _of_refusal(code, status, store, role)


def _of_refusal(code: str, status: int, store: str, role: Role) -> StoreError:
    if code in _KEY_REFUSED:
        return RefusedError(
            _("{store} does not accept the access key ({code}).").format(store=store, code=code),
            advice=_("Correct the key, its secret or its token in the AWS profile, then run the same command again."),
            role=role,
        )
    if code == "RequestTimeTooSkewed":
        return RefusedError(
            _("{store} refuses because the clocks differ.").format(store=store),
            advice=_("Set this machine's clock (timedatectl set-ntp true), then run the same command again."),
            role=role,
        )
    if code in _REGION:
        return RefusedError(
            _("The bucket of {store} is in another region.").format(store=store),
            advice=_("Set its region in the AWS profile, or AWS_DEFAULT_REGION."),
            role=role,
        )
    if code == "InvalidObjectState":
        return RefusedError(
            _("An object of {store} is archived and cannot be read now.").format(store=store),
            advice=_("Have it restored from the archive class by the service, then run the same command again."),
            role=role,
        )
    if status in {401, 403, 405}:
        return RefusedError(
            _("{store} refuses: {code}.").format(store=store, code=code),
            advice=_("Give this access key the rights to list, read and (at a target) put objects there."),
            role=role,
        )
    return failures.unreachable(
        store, role, f"{code} {status}", _("The service failed; run the same command again later.")
    )


def of_connection(error: failed.BotoCoreError, path: str, store: str, role: Role) -> StoreError:
    """Return the error for what went wrong before or after any reply."""
    if isinstance(error, failed.NoCredentialsError | failed.PartialCredentialsError):
        return RefusedError(
            _("No access key was found for {store}.").format(store=store),
            advice=_("Name an AWS profile in the manifest or with --profile, or set AWS_ACCESS_KEY_ID."),
            role=role,
        )
    if isinstance(error, failed.CredentialRetrievalError | failed.SSOError):
        return RefusedError(
            _("The access key for {store} could not be had.").format(store=store),
            advice=_("Sign in again, or correct the AWS profile."),
            role=role,
        )
    if isinstance(error, failed.SSLError):
        return _of_certificate(error, store, role)
    if isinstance(error, failed.ParamValidationError):
        return failures.unholdable(path, store, role, _("it is no name for S3"))
    if isinstance(error, failed.ConnectTimeoutError | failed.EndpointConnectionError | failed.ProxyConnectionError):
        advice = _("Check the endpoint, the network and the firewall, then run the same command again.")
        return failures.unreachable(store, role, _("no connection"), advice)
    return failures.unreachable(
        store, role, _("the connection broke"), _("Nothing is lost; run the same command again.")
    )


def _of_certificate(error: BaseException, store: str, role: Role) -> RefusedError:
    cause: object = error
    expired = False
    while isinstance(cause, BaseException):
        if isinstance(cause, ssl.SSLCertVerificationError):
            expired = cause.verify_code == _CERTIFICATE_EXPIRED
        cause = next((each for each in cause.args if isinstance(each, BaseException)), cause.__context__)
    if expired:
        return RefusedError(
            _("The certificate of {store} has expired; nothing was sent.").format(store=store),
            advice=_("Have the service's certificate renewed; check this machine's clock too."),
            role=role,
        )
    return RefusedError(
        _("The certificate of {store} cannot be trusted; nothing was sent.").format(store=store),
        advice=_("If the service has its own authority, name its certificate file in AWS_CA_BUNDLE."),
        role=role,
    )
