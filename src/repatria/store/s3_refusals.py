"""What the refusals of S3 services mean, and what a broken connection does."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as failed

from repatria.errors import FullError, NotFoundError, RefusedError, Role, StoreError, ThrottledError
from repatria.i18n import _
from repatria.store import failures
from repatria.store.s3_link import NoAnswerError, NoConnectionError, ProxyRefusedError

LONGEST_CODE = 80
"""Characters that are shown of an error code; those of S3 have half as many at most."""
_CERTIFICATE_EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""


class RefusalError(Exception):
    """A reply that is no success."""

    def __init__(self, status: int, code: str = "", region: str = "", pause: float | None = None) -> None:
        shown = code[:LONGEST_CODE] or str(status)
        super().__init__(f"{shown} {status}")
        self.status = status
        self.code = shown
        """The service's error code; the status where a reply has no body (HEAD)."""
        self.region = region
        """Where the bucket is, if the service told."""
        self.pause = pause
        """Seconds that the service asks to wait, if it told."""


@contextmanager
def told(path: str, store: str, role: Role) -> Iterator[None]:
    """Turn refusals, and what goes wrong before or without a reply, into the errors of `repatria.errors`."""
    try:
        yield
    except RefusalError as error:
        meant = of_reply(error.code, error.status, path, store, role)
        if isinstance(meant, ThrottledError) and error.pause:
            meant.pause = error.pause
        raise meant from error
    except OSError as error:
        raise of_connection(error, store, role) from error
    except failed.BotoCoreError as error:
        raise _of_keys(error, path, store, role) from error


_KEY_REFUSED = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
_ROOM = {"QuotaExceeded", "InsufficientCapacity", "XMinioStorageFull", "EntityTooLarge", "507"}
_SLOWER = {"SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "TooManyRequests", "RequestLimitExceeded"}
_NAME = {"KeyTooLongError", "InvalidURI", "InvalidArgument", "XMinioInvalidObjectName"}
_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}


def is_throttling(code: str, status: int) -> bool:
    """Return whether the service asks for fewer requests."""
    return code in _SLOWER or status in {429, 503}


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
    if is_throttling(code, status):
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
    return failures.failing(store, role, code if code == str(status) else f"{code} {status}")


def of_connection(error: OSError, store: str, role: Role) -> StoreError:
    """Return the error for what went wrong before or after any reply."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error, store, role)
    if isinstance(error, ProxyRefusedError):
        return _of_proxy(error.status, store, role)
    if isinstance(error, NoConnectionError):
        advice = _("Check the endpoint, the network and the firewall, then run the same command again.")
        return failures.unreachable(store, role, _("no connection"), advice)
    if isinstance(error, NoAnswerError):
        return failures.late(store, role)
    return failures.unreachable(
        store, role, _("the connection broke"), _("Nothing is lost; run the same command again.")
    )


def _of_proxy(status: int, store: str, role: Role) -> RefusedError:
    """Return the error for a proxy that answers and lets nobody through."""
    return RefusedError(
        _("The proxy on the way to {store} refuses ({status}).").format(store=store, status=status),
        advice=_(
            "Put a user and password that it accepts into HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT), have it let"
            " this host through, or name the host in NO_PROXY if it can be reached without."
        ),
        role=role,
    )


def _of_keys(error: failed.BotoCoreError, path: str, store: str, role: Role) -> StoreError:
    """Return the error for what botocore could not make up or sign."""
    if isinstance(error, failed.NoCredentialsError | failed.PartialCredentialsError):
        return RefusedError(
            _("No access key was found for {store}.").format(store=store),
            advice=_("Name an AWS profile in the manifest or with --profile, or set AWS_ACCESS_KEY_ID."),
            role=role,
        )
    if isinstance(error, failed.ParamValidationError):
        return failures.unholdable(path, store, role, _("it is no name for S3"))
    return RefusedError(
        _("The access key for {store} could not be had.").format(store=store),
        advice=_("Sign in again, or correct the AWS profile."),
        role=role,
    )


def _of_certificate(error: ssl.SSLCertVerificationError, store: str, role: Role) -> RefusedError:
    if error.verify_code == _CERTIFICATE_EXPIRED:
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
