"""The three stanza types Repatria wraps file keys with: X25519, MLKEM768-X25519 (HPKE) and scrypt.

Each is a pair of functions over raw keys; `recipient` and `identity` give them names and text forms. An unwrap returns
None where the key does not fit, and raises HeaderError where the stanza breaks the format.
"""

import functools
import hashlib
import os
import re
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from repatria.crypt.derive import FILE_KEY_SIZE, TAG_SIZE, ZERO_NONCE, decode_base64, encode_base64, hkdf_sha256
from repatria.crypt.errors import HeaderError, WorkFactorError
from repatria.crypt.header import Stanza
from repatria.i18n import _

X25519: Final = "X25519"
HYBRID: Final = "mlkem768x25519"
SCRYPT: Final = "scrypt"

HYBRID_PUBLIC_SIZE: Final = 1184 + 32
HYBRID_SHARE_SIZE: Final = 1088 + 32
MAX_WORK_FACTOR: Final = 20
"""Base-two logarithm; 20 takes 1 GiB of memory and a few seconds. age itself writes 18."""
WORK_FACTOR: Final = 18
_SEALED_KEY_SIZE: Final = FILE_KEY_SIZE + TAG_SIZE
_SALT_SIZE: Final = 16
_DECIMAL: Final = re.compile("[1-9][0-9]*")


def _arguments(stanza: Stanza, sizes: tuple[int | None, ...]) -> list[bytes]:
    """Return the decoded arguments (raw where no size is given) of a stanza whose shape is right."""
    if len(stanza.arguments) != len(sizes) or len(stanza.body) != _SEALED_KEY_SIZE:
        raise _malformed(stanza)
    decoded = []
    for argument, size in zip(stanza.arguments, sizes, strict=True):
        if size is None:
            decoded.append(argument.encode("ascii"))
            continue
        try:
            decoded.append(decode_base64(argument))
        except ValueError as error:
            raise _malformed(stanza) from error
        if len(decoded[-1]) != size:
            raise _malformed(stanza)
    return decoded


def _malformed(stanza: Stanza) -> HeaderError:
    return HeaderError(
        _("The header of this encrypted file has a malformed recipient of type {type}.").format(type=stanza.type[:40]),
        advice=_("Fetch the file again from where it was made; do not trust this copy."),
    )


def _open_body(wrap_key: bytes, body: bytes) -> bytes | None:
    try:
        return ChaCha20Poly1305(wrap_key).decrypt(ZERO_NONCE, body, None)
    except InvalidTag:
        return None


# X25519


def x25519_public(secret: bytes) -> bytes:
    """Return the 32-byte recipient of a 32-byte identity."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def _x25519_wrap_key(shared_secret: bytes, share: bytes, recipient: bytes) -> bytes:
    return hkdf_sha256(shared_secret, share + recipient, b"age-encryption.org/v1/X25519")


def wrap_x25519(file_key: bytes, recipient: bytes) -> Stanza:
    """Wrap for a 32-byte public key; ValueError if that is a point of low order."""
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    wrap_key = _x25519_wrap_key(ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient)), share, recipient)
    body = ChaCha20Poly1305(wrap_key).encrypt(ZERO_NONCE, file_key, None)
    return Stanza(X25519, (encode_base64(share),), body)


def unwrap_x25519(stanza: Stanza, secret: bytes, recipient: bytes) -> bytes | None:
    """Unwrap with a 32-byte identity, whose recipient saves computing it again."""
    (share,) = _arguments(stanza, (32,))
    try:
        shared = X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError as error:  # the shared secret is all zero
        raise _malformed(stanza) from error
    return _open_body(_x25519_wrap_key(shared, share, recipient), stanza.body)


# MLKEM768-X25519


@functools.cache
def _suite() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


_HYBRID_INFO: Final = b"age-encryption.org/mlkem768x25519"
_LOW_ORDER_PROBE: Final = X25519PrivateKey.from_private_bytes(bytes(32))
"""Any scalar, once clamped, takes just the points of low order to zero."""


def hybrid_private(seed: bytes) -> MLKEM768X25519PrivateKey:
    """Return the key pair that a 32-byte identity expands to (X-Wing, expandDecapsulationKey)."""
    expanded = hashlib.shake_256(seed).digest(96)
    return MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])
    )


def hybrid_public(seed: bytes) -> bytes:
    """Return the 1,216-byte recipient of a 32-byte identity."""
    expanded = hashlib.shake_256(seed).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).public_key().public_bytes_raw()
    return mlkem + x25519_public(expanded[64:])


def hybrid_public_key(recipient: bytes) -> MLKEM768X25519PublicKey:
    """Return the public key of 1,216 bytes; ValueError if they are none."""
    return MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(recipient[:1184]), X25519PublicKey.from_public_bytes(recipient[1184:])
    )


def wrap_hybrid(file_key: bytes, recipient: MLKEM768X25519PublicKey) -> Stanza:
    """Wrap by HPKE SealBase."""
    sealed = _suite().encrypt(file_key, recipient, info=_HYBRID_INFO)
    return Stanza(HYBRID, (encode_base64(sealed[:HYBRID_SHARE_SIZE]),), sealed[HYBRID_SHARE_SIZE:])


def unwrap_hybrid(stanza: Stanza, private_key: MLKEM768X25519PrivateKey) -> bytes | None:
    """Unwrap by HPKE OpenBase."""
    (share,) = _arguments(stanza, (HYBRID_SHARE_SIZE,))
    try:
        _LOW_ORDER_PROBE.exchange(X25519PublicKey.from_public_bytes(share[1088:]))
    except ValueError as error:
        raise _malformed(stanza) from error
    try:
        return _suite().decrypt(share + stanza.body, private_key, info=_HYBRID_INFO)
    except InvalidTag:
        return None


# scrypt


def _scrypt_wrap_key(passphrase: str, salt: bytes, work_factor: int) -> bytes:
    scrypt = Scrypt(salt=b"age-encryption.org/v1/scrypt" + salt, length=32, n=1 << work_factor, r=8, p=1)
    try:
        return scrypt.derive(passphrase.encode("utf-8", "surrogateescape"))
    except MemoryError as error:
        raise WorkFactorError(
            _("The passphrase needs {memory} MiB of memory to be tried, and this machine has less to spare.").format(
                memory=1 << work_factor >> 10
            ),
            advice=_("Close other programs, or open the file on a larger machine."),
        ) from error


def wrap_scrypt(file_key: bytes, passphrase: str, work_factor: int = WORK_FACTOR) -> Stanza:
    """Wrap with a passphrase."""
    salt = os.urandom(_SALT_SIZE)
    body = ChaCha20Poly1305(_scrypt_wrap_key(passphrase, salt, work_factor)).encrypt(ZERO_NONCE, file_key, None)
    return Stanza(SCRYPT, (encode_base64(salt), str(work_factor)), body)


def unwrap_scrypt(stanza: Stanza, passphrase: str) -> bytes | None:
    """Unwrap with a passphrase; WorkFactorError before any work that is too much."""
    salt, work_factor = check_scrypt(stanza)
    return _open_body(_scrypt_wrap_key(passphrase, salt, work_factor), stanza.body)


def check_scrypt(stanza: Stanza) -> tuple[bytes, int]:
    """Return salt and work factor of a stanza that is worth asking a passphrase for."""
    salt, factor = _arguments(stanza, (_SALT_SIZE, None))
    digits = factor.decode("ascii")
    if not _DECIMAL.fullmatch(digits):
        raise _malformed(stanza)
    if len(digits) > 2 or int(digits) > MAX_WORK_FACTOR:
        raise WorkFactorError(
            _("This passphrase-encrypted file asks for a work factor of {factor}; at most {most} is done.").format(
                factor=digits[:20], most=MAX_WORK_FACTOR
            ),
            advice=_("Check where this file comes from; age itself writes 18."),
        )
    return salt, int(digits)
