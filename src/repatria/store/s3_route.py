"""Where the requests for a bucket go and who signs them: botocore's answer, asked once.

botocore knows profiles, SSO, roles and temporary keys, regions, addressing styles and `AWS_ENDPOINT_URL`. It is given
one request to make up and sign, which is taken from it before it is sent: ours then go to the same place.
"""

import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never, cast
from urllib.parse import urlsplit

import botocore.session
from botocore import exceptions as failed
from botocore.config import Config
from botocore.httpsession import get_cert_path

from repatria.errors import UsageError
from repatria.i18n import _
from repatria.store.s3_link import Origin, is_proxy, proxy_for
from repatria.store.s3_signing import Keys, Signer

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=[^,]*/\d{8}/([^/]+)/(s3)/aws4_request,")


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one bucket."""

    origin: Origin
    root: str
    """The path that each encoded key is appended to; it begins and ends with `/`."""
    region: str
    signer: Signer = field(repr=False)


@dataclass(frozen=True, slots=True)
class Routing:
    """What a user said of a bucket."""

    bucket: str
    endpoint: str | None = None
    profile: str | None = None
    region: str | None = None
    """Where the service itself said that the bucket is."""

    def within(self, region: str) -> "Routing":
        """Return the same with the region that the bucket turned out to be in."""
        return replace(self, region=region)

    def find(self) -> Route:
        """Return the way; UsageError, or botocore's exceptions if there are no keys to be had."""
        try:
            return self._found()
        except failed.ProfileNotFound as error:
            raise UsageError(
                _("There is no AWS profile named {profile}.").format(profile=self.profile),
                advice=_("Add it with: aws configure --profile {profile}").format(profile=self.profile),
            ) from error
        except ValueError as error:
            raise UsageError(
                _("{endpoint} is no URL of an S3 service.").format(endpoint=self.endpoint),
                advice=_('Write it in full, such as endpoint = "https://s3.example.org".'),
            ) from error

    def _found(self) -> Route:
        session = botocore.session.Session(profile=self.profile)
        style = session.get_scoped_config().get("s3", {}).get("addressing_style")
        region = self.region or session.get_config_variable("region") or "us-east-1"
        client = session.create_client(
            "s3",
            region_name=region,
            endpoint_url=self.endpoint,
            config=Config(s3={"addressing_style": style or ("path" if self.endpoint else "auto")}),
        )
        request = _taken(client, self.bucket)
        url = urlsplit(request.url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(request.url)
        scope = _CREDENTIAL.match(_text(request.headers.get("Authorization", "")))
        if scope is None:
            raise UsageError(_("The bucket {bucket} is of a kind that cannot be used.").format(bucket=self.bucket))
        tls = _context(session.get_config_variable("ca_bundle")) if url.scheme == "https" else None
        origin = Origin(url.hostname, url.port or (443 if tls else 80), tls, _proxy(url.scheme, url.hostname))
        signer = Signer(_keys_of(session), scope[1], scope[2])
        return Route(origin, url.path[: -len(_KEY)], scope[1], signer)


def _keys_of(session: botocore.session.Session) -> Callable[[], Keys]:
    """Return what gives the access key, renewed in time where it is a temporary one."""
    credentials = session.get_credentials()
    if credentials is None:
        raise failed.NoCredentialsError
    return cast("Callable[[], Keys]", credentials.get_frozen_credentials)  # an access key without secret is refused


_KEY = "k"


class _TakenError(Exception):
    """Carries the request that was made up."""

    def __init__(self, request: "AWSPreparedRequest") -> None:
        super().__init__()
        self.request = request


def _taken(client: Any, bucket: str) -> "AWSPreparedRequest":  # stubs know no operations of a client by name
    def take(request: "AWSPreparedRequest", **_told: object) -> Never:
        raise _TakenError(request)

    client.meta.events.register("before-send.s3", take)
    try:
        client.head_object(Bucket=bucket, Key=_KEY)
    except _TakenError as taken:
        return taken.request
    finally:
        client.close()
    raise RuntimeError("botocore sent a request that it was not to send")


def _context(bundle: str | None) -> ssl.SSLContext:
    """Return how certificates are checked: by the authorities of a file that is named, else botocore's."""
    named = bundle or os.environ.get("REQUESTS_CA_BUNDLE") or str(get_cert_path(True))
    folder = Path(named).is_dir()
    try:
        return ssl.create_default_context(cafile=None if folder else named, capath=named if folder else None)
    except OSError as error:
        raise UsageError(
            _("{file}, which AWS_CA_BUNDLE or the AWS profile names, holds no certificates.").format(file=named),
            advice=_("Correct it, or name the file of the service's own authority."),
        ) from error


def _proxy(scheme: str, host: str) -> str | None:
    """Return the proxy for a host as a URL that can be taken apart; UsageError, which does not show its password."""
    told = proxy_for(scheme, host)
    if told is None:
        return None
    proxy = told if "://" in told else f"http://{told}"
    if not proxy.startswith("http://"):
        raise UsageError(
            _("The proxy for {host} is of a kind that cannot be used.").format(host=host),
            advice=_("Set https_proxy to a proxy that is reached over http://, or add the host to no_proxy."),
        )
    if not is_proxy(proxy):
        raise UsageError(
            _("The proxy for {host} that the environment names is no URL of a proxy.").format(host=host),
            advice=_("Write it in https_proxy as http://USER:PASSWORD@HOST:PORT, or without the user and password."),
        )
    return proxy


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
