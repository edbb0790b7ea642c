"""What is known of S3 services beyond the protocol that all of them speak."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """What a service can be trusted with."""

    write_once: bool
    """`If-None-Match: *` on PUT is honoured: no need to look before."""
    checksums: bool
    """SHA-256 checksums are verified, kept and given back; elsewhere they may be ignored or refused."""
    md5_etags: bool
    """An ETag of 32 hexadecimal digits is the MD5, unless a header tells of an encryption where it is not."""


AWS = Service(write_once=True, checksums=True, md5_etags=True)
UNKNOWN = Service(write_once=False, checksums=False, md5_etags=False)


def service_of(host: str) -> Service:
    """Return what is known of the service at a host."""
    return AWS if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else UNKNOWN
