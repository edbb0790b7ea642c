"""Key derivation and unpadded base64: the small pieces that the whole age format is put together from."""

import base64
import binascii
import hmac
from typing import Final

FILE_KEY_SIZE: Final = 16
NONCE_SIZE: Final = 16
TAG_SIZE: Final = 16
ZERO_NONCE: Final = bytes(12)
"""For keys that encrypt one thing only."""


def hkdf_sha256(key_material: bytes, salt: bytes, info: bytes) -> bytes:
    """Return 32 bytes by HKDF-SHA-256 (RFC 5869); an empty salt is 32 zero bytes."""
    pseudo_random_key = hmac.digest(salt or bytes(32), key_material, "sha256")
    return hmac.digest(pseudo_random_key, info + b"\x01", "sha256")


def encode_base64(data: bytes) -> str:
    """Return standard base64 without `=`, as everywhere in the age header."""
    return base64.b64encode(data).decode("ascii").rstrip("=")


def decode_base64(text: str) -> bytes:
    """Return the bytes of canonical unpadded base64; ValueError for everything else."""
    if "=" in text:
        raise ValueError("padded base64")
    try:
        data = binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if encode_base64(data) != text:
        raise ValueError("base64 that is not canonical")
    return data
