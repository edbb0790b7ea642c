"""SSH signatures (OpenSSH PROTOCOL.sshsig) with Ed25519: what `ssh-keygen -Y sign` writes, byte for byte."""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)
from cryptography.hazmat.primitives.serialization.ssh import SSHPrivateKeyTypes as PrivateKey

from repatria.crypt.allowed_signers import AllowedSigners
from repatria.crypt.errors import (
    BadSignatureError,
    KeyTextError,
    NamespaceError,
    PassphraseError,
    SignatureError,
    UnsupportedKeyError,
)
from repatria.crypt.key_files import MAX_FILE_SIZE, public_path, read_private
from repatria.crypt.wire import WireReader, ed25519_blob, parse_ed25519_blob, string
from repatria.errors import CryptError
from repatria.i18n import _

__all__ = ["NAMESPACE", "AllowedSigners", "Signer", "SigningKey", "verify"]

NAMESPACE: Final = "repatria"
_MAGIC: Final = b"SSHSIG"
_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
_END: Final = "-----END SSH SIGNATURE-----"
_COLUMNS: Final = 70
_MAX_ARMOR_SIZE: Final = 64 * 1024
"""An Ed25519 signature takes under 500 bytes."""
_HASHES: Final = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The public half of a signer."""

    public: bytes
    """32 bytes."""

    @property
    def blob(self) -> bytes:
        """The key as SSH sends it."""
        return ed25519_blob(self.public)

    @property
    def fingerprint(self) -> str:
        """`SHA256:...`, as `ssh-keygen -l` prints it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii")
        return "SHA256:" + digest.rstrip("=")

    @classmethod
    def parse_line(cls, line: str) -> "tuple[SigningKey, str]":
        """Return the key and the comment of a .pub file; KeyTextError if it is none, or not Ed25519."""
        words = line.split(None, 2)
        try:
            blob = binascii.a2b_base64(words[1], strict_mode=True)
            public = parse_ed25519_blob(blob)
        except (ValueError, IndexError) as error:
            raise KeyTextError(
                _("This is not the public key of a signer."), advice=_("Give the .pub file of an Ed25519 key.")
            ) from error
        if public is None or words[0] != "ssh-ed25519":
            raise UnsupportedKeyError(
                _("This key is not an Ed25519 key."), advice=_("Make one with `repatria keys signer -o FILE`.")
            )
        return cls(public), words[2].strip() if len(words) > 2 else ""

    def public_line(self, comment: str = "") -> str:
        """Return the line of a .pub file, without a line feed."""
        text = base64.b64encode(self.blob).decode("ascii")
        return f"ssh-ed25519 {text} {comment}".rstrip()

    def allowed_line(self, principal: str, namespace: str = NAMESPACE) -> str:
        """Return the line that makes `ssh-keygen -Y verify -f` accept this key for `principal`."""
        return f'{principal} namespaces="{namespace}" {self.public_line()}'

    def name_beside(self, private: Path) -> str:
        """Return who signs, as the .pub file beside the private key tells; empty where it tells nothing of this key."""
        try:
            with public_path(private).open(encoding="utf-8") as file:
                key, name = self.parse_line(file.read(MAX_FILE_SIZE))
        except (OSError, ValueError, CryptError):
            return ""
        return name if key == self else ""


class Signer:
    """A private Ed25519 key; safe to use from several threads."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = SigningKey(private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> "Signer":
        """Return a new signer."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path, ask: Callable[[str], str] | None = None) -> "Signer":
        """Read an OpenSSH private key file; `ask` gives the passphrase of an encrypted one.

        KeyFileError if it cannot be read or others may read it, PassphraseError if it stays locked.
        """
        return cls(_parse_private(read_private(path), path, ask))

    @property
    def fingerprint(self) -> str:
        """`SHA256:...`, as `ssh-keygen -l` prints it."""
        return self.key.fingerprint

    def public_line(self, comment: str = "") -> str:
        """Return the line of a .pub file, without a line feed."""
        return self.key.public_line(comment)

    def private_text(self, passphrase: str | None = None) -> str:
        """Return the OpenSSH private key file, encrypted if a passphrase is given; secret."""
        encryption: KeySerializationEncryption = NoEncryption()
        if passphrase is not None:
            encryption = BestAvailableEncryption(passphrase.encode())
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption).decode("ascii")

    def sign(self, message: bytes, namespace: str = NAMESPACE) -> str:
        """Return the armored signature over `message`: the same for the same message, always."""
        signed = _signed_data(namespace, b"", "sha512", message)
        signature = string(b"ssh-ed25519") + string(self._private.sign(signed))
        blob = b"".join(
            (
                _MAGIC,
                (1).to_bytes(4, "big"),
                string(self.key.blob),
                string(namespace.encode()),
                string(b""),
                string(b"sha512"),
                string(signature),
            )
        )
        text = base64.b64encode(blob).decode("ascii")
        lines = [text[start : start + _COLUMNS] for start in range(0, len(text), _COLUMNS)]
        return "\n".join([_BEGIN, *lines, _END, ""])


def _signed_data(namespace: str, reserved: bytes, hash_name: str, message: bytes) -> bytes:
    digest = _HASHES[hash_name](message).digest()
    return _MAGIC + string(namespace.encode()) + string(reserved) + string(hash_name.encode()) + string(digest)


def _parse_private(data: bytes, path: Path, ask: Callable[[str], str] | None) -> Ed25519PrivateKey:
    advice = _("Make a signing key with `repatria keys signer -o FILE`, or give another Ed25519 key of OpenSSH.")
    try:
        private = load_ssh_private_key(data, None)
    except TypeError:  # cryptography's word for "encrypted, and no password was given"
        private = _unlocked(data, path, _passphrase(path, ask))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyTextError(_("{file} is not an OpenSSH private key.").format(file=path), advice=advice) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise UnsupportedKeyError(_("{file} is not an Ed25519 key.").format(file=path), advice=advice)
    return private


def _unlocked(data: bytes, path: Path, passphrase: str) -> PrivateKey:
    try:
        return load_ssh_private_key(data, passphrase.encode("utf-8", "surrogateescape"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PassphraseError(
            _("The passphrase does not open {file}.").format(file=path),
            advice=_("Try again; the file is unchanged."),
        ) from error


def _passphrase(path: Path, ask: Callable[[str], str] | None) -> str:
    if ask is None:
        raise PassphraseError(
            _("The signing key {file} is encrypted, and nobody can be asked for its passphrase.").format(file=path),
            advice=_("Run this at a terminal, set REPATRIA_PASSPHRASE_COMMAND, or use a key without a passphrase."),
        )
    return ask(_("Passphrase of {file}:").format(file=path))


def verify(armored: str, message: bytes, namespace: str = NAMESPACE) -> SigningKey:
    """Return the key that signed `message` for `namespace`; whether that key is trusted is another question.

    SignatureError if it cannot be read, NamespaceError if made for something else, BadSignatureError if it is not over
    these bytes.
    """
    reader = WireReader(_unarmored(armored))
    try:
        if reader.take(len(_MAGIC)) != _MAGIC or reader.uint32() != 1:
            raise _malformed()
        key_blob, given_namespace, reserved, hash_name, signature = (reader.string() for _field in range(5))
        reader.finish()
        public = parse_ed25519_blob(key_blob)
        inner = WireReader(signature)
        kind, raw_signature = inner.string(), inner.string()
        inner.finish()
    except ValueError as error:
        raise _malformed() from error
    if public is None or kind != b"ssh-ed25519":
        raise UnsupportedKeyError(
            _("The signature was made with a key that is not Ed25519."),
            advice=_("Ask the signer for a signature by an Ed25519 key."),
        )
    if given_namespace != namespace.encode():
        raise NamespaceError(
            _("The signature was made for another purpose than {namespace}.").format(namespace=namespace),
            advice=_("Do not trust this file: a signature for something else was put beside it."),
        )
    if hash_name.decode("latin-1") not in _HASHES:
        raise _malformed()
    try:
        signed = _signed_data(namespace, reserved, hash_name.decode("ascii"), message)
        Ed25519PublicKey.from_public_bytes(public).verify(raw_signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise BadSignatureError(
            _("The signature does not belong to these bytes: they were altered, or signed by another key."),
            advice=_("Do not trust this file; fetch it again or restore it from another copy."),
        ) from error
    return SigningKey(public)


def _unarmored(armored: str) -> bytes:
    text = armored.strip()
    if len(armored) > _MAX_ARMOR_SIZE or not (text.startswith(_BEGIN + "\n") and text.endswith("\n" + _END)):
        raise _malformed()
    try:
        body = text[len(_BEGIN) : -len(_END)].encode("ascii").replace(b"\n", b"")
        return binascii.a2b_base64(body, strict_mode=True)
    except ValueError as error:
        raise _malformed() from error


def _malformed() -> SignatureError:
    return SignatureError(
        _("This is not a signature as `ssh-keygen -Y sign` makes it."),
        advice=_("Fetch the signature file again; do not trust what it is said to sign."),
    )
