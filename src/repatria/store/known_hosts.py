"""Which host keys are known: OpenSSH's `known_hosts` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), as pure functions."""

import base64
import binascii
import fnmatch
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostKey:
    """One host's public key."""

    kind: str
    """`ssh-ed25519`, `ssh-rsa` ..."""
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode()
        return f"SHA256:{digest.rstrip('=')}"


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """What the files say of one host."""

    trusted: frozenset[HostKey]
    revoked: frozenset[HostKey]

    def trusts(self, key: HostKey) -> bool:
        """Tell whether the host may show this key."""
        return key in self.trusted and key not in self.revoked

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of keys to ask the host for, so that it shows one that can be compared."""
        return frozenset(key.kind for key in self.trusted)


def known_keys(lines: Iterable[str], host: str, port: int) -> KnownKeys:
    """Return what lines of `known_hosts` files say of a host; lines that cannot be read say nothing.

    Certificate authorities are not heeded: a host known only by its authority counts as unknown.
    """
    name = host.lower() if port == 22 else f"[{host.lower()}]:{port}"
    trusted: set[HostKey] = set()
    revoked: set[HostKey] = set()
    for line in lines:
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or not _names(fields[0], name):
            continue
        try:
            key = HostKey(fields[1], base64.b64decode(fields[2], validate=True))
        except binascii.Error:
            continue
        if marker == "@revoked":
            revoked.add(key)
        elif not marker:
            trusted.add(key)
    return KnownKeys(frozenset(trusted), frozenset(revoked))


def _names(patterns: str, name: str) -> bool:
    """Tell whether the first field of a line means this host: a hash, or patterns of which `!` ones exclude."""
    if patterns.startswith("|1|"):
        return _is_hash_of(patterns, name)
    found = False
    for pattern in patterns.lower().split(","):
        matches = fnmatch.fnmatchcase(name, _only_stars(pattern.removeprefix("!")))
        if matches and pattern.startswith("!"):
            return False
        found = found or matches
    return found


def _only_stars(pattern: str) -> str:
    """Escape brackets, which are part of `[host]:port` here and no classes of characters."""
    return pattern.replace("[", "[[]")


def _is_hash_of(field: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in field.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
