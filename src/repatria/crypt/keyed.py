"""What the writing machine keeps of names: keyed hashes, and rows sealed under the state folder's key."""

import hashlib
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from repatria.crypt.derive import TAG_SIZE, ZERO_NONCE, hkdf_sha256
from repatria.crypt.errors import LocalSealError
from repatria.i18n import _

_SALT_SIZE: Final = 16
_SEAL_INFO: Final = b"repatria local seal 1 "
_HASH_INFO: Final = b"repatria keyed hash 2"


class KeyedHash:
    """Hashes that only who holds the key can link to what was hashed: BLAKE2b (RFC 7693) under a derived key.

    Each purpose has hashes of its own: what is equal under one is not linked to the same data under another. Safe from
    several threads.
    """

    def __init__(self, key: bytes, purpose: bytes, size: int = 16) -> None:
        """Prepare hashes of `size` bytes under a 32-byte key; `purpose` has at most 16 bytes."""
        derived = hkdf_sha256(key, b"", _HASH_INFO)
        self._begun = hashlib.blake2b(digest_size=size, key=derived, person=purpose)

    def __call__(self, data: bytes) -> bytes:
        """Return the hash of `data`."""
        running = self._begun.copy()
        running.update(data)
        return running.digest()


def seal_local(key: bytes, data: bytes, purpose: bytes) -> bytes:
    """Encrypt a small row under a 32-byte key: 16 bytes of salt, the ciphertext, a 16-byte tag.

    Every row has its own key, derived from the salt and the purpose, so their number is not bounded by a nonce's size.
    """
    salt = os.urandom(_SALT_SIZE)
    return salt + ChaCha20Poly1305(_row_key(key, salt, purpose)).encrypt(ZERO_NONCE, data, None)


def open_local(key: bytes, sealed: bytes, purpose: bytes) -> bytes:
    """Return what `seal_local` sealed for the same purpose; LocalSealError if it does not open."""
    try:
        if len(sealed) < _SALT_SIZE + TAG_SIZE:
            raise InvalidTag
        cipher = ChaCha20Poly1305(_row_key(key, sealed[:_SALT_SIZE], purpose))
        return cipher.decrypt(ZERO_NONCE, sealed[_SALT_SIZE:], None)
    except InvalidTag:
        raise LocalSealError(
            _("A row of the local state does not open: the state folder's key is another one, or the row was altered."),
            advice=_("Restore the state folder as a whole, or run `repatria adopt` to rebuild it from the target."),
        ) from None


def _row_key(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    return hkdf_sha256(key, salt, _SEAL_INFO + purpose)
